/**
 * One attack for each promise of the dataset port, the same for every adapter, over the dataset `accounts` of the sample
 * catalogue. Free of test frameworks: what does not hold throws an AssertionError. Keys are fresh, so that it can run
 * against a cluster that is used.
 */
import assert from 'node:assert/strict';
import { nodeIdentities } from '../world/node-world.js';
import type { FeedEvent } from '../changes/event-parser.js';
import type { DatasetPort, PortAnswer } from '../dataset/dataset-port.js';
import { hearBatch, hearRow, hearWrite, type Heard, type HeardRow } from '../dataset/hear-answer.js';

export interface DatasetPortPromise {
  readonly promise: string;
  readonly attack: (port: DatasetPort) => Promise<void>;
}

const TIMEOUT_MS = 20_000;
const { idempotencyKey: fresh } = nodeIdentities();
const freshKey = (group = 'eu'): string => `${group}:${fresh()}`;

const opened = (key: string) => ({ key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } });
const credited = (key: string, amount: number) => ({ key, type: 'credited', data: { amount } });
const debited = (key: string, amount: number) => ({ key, type: 'debited', data: { amount } });

function send(
  port: DatasetPort,
  events: readonly object[],
  idempotencyKey: string | null = fresh(),
  dataset = 'accounts',
): Promise<PortAnswer> {
  const body = JSON.stringify({ events, ack: 'accepted', timeoutMs: TIMEOUT_MS });
  return port.write({ dataset, body, idempotencyKey, timeoutMs: TIMEOUT_MS });
}

async function write(
  port: DatasetPort,
  events: readonly object[],
  idempotencyKey: string | null = fresh(),
): Promise<Heard> {
  return hearWrite(await send(port, events, idempotencyKey));
}

async function accepted(port: DatasetPort, events: readonly object[], idempotencyKey?: string) {
  const heard = await write(port, events, idempotencyKey);
  assert.equal(heard.kind, 'receipt', JSON.stringify(heard));
  assert.equal(heard.receipt.outcome, 'accepted');
  return heard;
}

async function read(
  port: DatasetPort,
  key: string,
  how: { readonly consistency: 'strong' } | { readonly token: string } = { consistency: 'strong' },
): Promise<HeardRow | null> {
  const place = { dataset: 'accounts', key, timeoutMs: TIMEOUT_MS };
  const answer = await port.row(
    'token' in how
      ? { ...place, consistency: 'session', token: how.token }
      : { ...place, consistency: how.consistency, token: null },
  );
  const heard = hearRow(answer);
  if ('heard' in heard) assert.fail(JSON.stringify(heard.heard));
  return heard.row;
}

const balance = (row: HeardRow | null): unknown => (row?.row as { balance?: unknown } | undefined)?.balance;

/** A region that has not folded the write yet is waited for. */
async function receiptOf(
  port: DatasetPort,
  idempotencyKey: string,
  settle: { readonly shard: string; readonly deadlineMs: number } | null = null,
): Promise<Heard> {
  const call = { dataset: 'accounts', idempotencyKey, settle, timeoutMs: TIMEOUT_MS };
  return hearWrite(await port.receipt({ ...call, wait: 'logged' }));
}

function isRejected(heard: Heard, code: string): Heard & { readonly kind: 'rejected' } {
  assert.equal(heard.kind, 'rejected', JSON.stringify(heard));
  assert.equal(heard.problem.code, code);
  return heard;
}

function isRefused(heard: Heard, code: string): void {
  assert.equal(heard.kind, 'refused', JSON.stringify(heard));
  assert.equal(heard.problem.code, code);
  assert.notEqual(heard.problem.next, '');
}

/** Events of a feed until one is the key's with the version or a higher one; the last position with it. */
async function toldBy(
  port: DatasetPort,
  from: string | null,
  meet: () => Promise<{ readonly key: string; readonly version: number }>,
): Promise<{ readonly position: string; readonly row: unknown }> {
  const feed = await port.changes({ dataset: 'accounts', from, timeoutMs: TIMEOUT_MS });
  if ('status' in feed) assert.fail(feed.body);
  let ending = 'the feed ended by itself';
  const bound = setTimeout(() => {
    ending = `nothing more was told within ${TIMEOUT_MS} ms`;
    feed.close();
  }, TIMEOUT_MS);
  try {
    // A position; changes may have come with it.
    let events = await feed.next();
    let position = events?.[0]?.id;
    assert.ok(position, 'a feed begins with its position');
    const wanted = await meet();
    const isWanted = ({ data, name }: FeedEvent): boolean => {
      const { key, version } = JSON.parse(data) as { readonly key?: string; readonly version?: number };
      return name === 'change' && key === wanted.key && version! >= wanted.version;
    };
    for (; ; events = await feed.next()) {
      assert.ok(
        events !== null,
        `${ending} before version ${wanted.version} of ${wanted.key} was told, behind ${position}`,
      );
      for (const event of events) {
        position = event.id ?? position;
        if (isWanted(event)) return { position, row: (JSON.parse(event.data) as { row: unknown }).row };
      }
    }
  } finally {
    clearTimeout(bound);
    feed.close();
  }
}

export const DATASET_PORT_PROMISES: readonly DatasetPortPromise[] = [
  {
    promise: 'an accepted write is told with its version, and its token reads the row it made',
    attack: async (port) => {
      const key = freshKey();
      const { receipt } = await accepted(port, [opened(key), credited(key, 70)]);
      assert.equal(receipt.versions?.[key], receipt.sequence);
      const row = await read(port, key, { token: receipt.token! });
      assert.deepEqual(row, {
        key,
        version: receipt.sequence,
        row: { owner: 'Ada', currency: 'EUR', balance: 70 },
      });
    },
  },
  {
    promise: 'the same write under the same key has one effect and the same answer',
    attack: async (port) => {
      const key = freshKey();
      const idempotencyKey = fresh();
      const first = await accepted(port, [opened(key), credited(key, 5)], idempotencyKey);
      const again = await accepted(port, [opened(key), credited(key, 5)], idempotencyKey);
      assert.deepEqual([first.replayed, again.replayed], [false, true]);
      assert.equal(again.receipt.sequence, first.receipt.sequence);
      assert.equal(balance(await read(port, key)), 5);
    },
  },
  {
    promise: 'another write under a used key is rejected, and the first stays its answer',
    attack: async (port) => {
      const key = freshKey();
      const idempotencyKey = fresh();
      const first = await accepted(port, [opened(key)], idempotencyKey);
      isRejected(await write(port, [credited(key, 1)], idempotencyKey), 'key-reused');
      const asked = await receiptOf(port, idempotencyKey);
      assert.equal(asked.kind, 'receipt');
      assert.equal(asked.receipt.sequence, first.receipt.sequence);
    },
  },
  {
    promise: 'a version conflict is told with a token behind which the conflicting version is read',
    attack: async (port) => {
      const key = freshKey();
      const before = await accepted(port, [opened(key)]);
      const after = await accepted(port, [credited(key, 3)]);
      const stale = { ...credited(key, 4), expectedVersion: before.receipt.sequence };
      const { receipt } = isRejected(await write(port, [stale]), 'version-conflict');
      const row = await read(port, key, { token: receipt!.token! });
      assert.equal(row?.version, after.receipt.sequence);
      assert.equal(balance(row), 3);
    },
  },
  {
    promise: 'a rejection is final: asked for under its key it is the same',
    attack: async (port) => {
      const key = freshKey();
      const idempotencyKey = fresh();
      await accepted(port, [opened(key), credited(key, 1)]);
      isRejected(await write(port, [debited(key, 2)], idempotencyKey), 'guard');
      await accepted(port, [credited(key, 9)]);
      isRejected(await write(port, [debited(key, 2)], idempotencyKey), 'guard');
      isRejected(await receiptOf(port, idempotencyKey), 'guard');
      assert.equal(balance(await read(port, key)), 10);
    },
  },
  {
    promise: 'the events of an entry take effect together or not at all',
    attack: async (port) => {
      const key = freshKey();
      isRejected(await write(port, [opened(key), credited(key, 5), debited(key, 6)]), 'guard');
      assert.equal(await read(port, key), null);
    },
  },
  {
    promise: 'an event that does not fit its schema is rejected, with a key and without one',
    attack: async (port) => {
      const key = freshKey();
      const wrong = { key, type: 'opened', data: { owner: 'Ada' } };
      isRejected(await write(port, [wrong]), 'schema');
      isRejected(await write(port, [wrong], null), 'schema');
    },
  },
  {
    promise: 'what cannot be meant is refused by name, and nothing is written',
    attack: async (port) => {
      const [here, there] = [freshKey('eu'), freshKey('us')];
      isRefused(await write(port, [opened(here), opened(there)]), 'several-shards');
      isRefused(await write(port, [opened('nowhere:1')]), 'unknown-group');
      isRefused(await write(port, [{ ...opened(here), surprise: 1 }]), 'malformed');
      isRefused(await write(port, []), 'malformed');
      isRefused(hearWrite(await send(port, [opened(here)], fresh(), 'no-such-dataset')), 'unknown-dataset');
      assert.equal(await read(port, here), null);
    },
  },
  {
    promise: 'each entry of a batch is answered in its place and stands or falls alone',
    attack: async (port) => {
      const key = freshKey();
      await accepted(port, [opened(key), credited(key, 1)]);
      const entries = [
        [credited(key, 1)],
        [debited(key, 100)],
        [opened('nowhere:1')],
        [credited(key, 1)],
      ].map((events) => ({ events, idempotencyKey: fresh() }));
      const body = JSON.stringify({ entries, ack: 'accepted', timeoutMs: TIMEOUT_MS });
      const answer = await port.writeBatch({ dataset: 'accounts', body, timeoutMs: TIMEOUT_MS });
      const heard = hearBatch(answer, entries.length);
      assert.deepEqual(
        heard?.map((one) => ('problem' in one ? one.problem.code : one.kind)),
        ['receipt', 'guard', 'unknown-group', 'receipt'],
      );
      assert.equal(balance(await read(port, key)), 3);
    },
  },
  {
    promise: 'a key that nobody used is not seen; once settled it is expired for good',
    attack: async (port) => {
      const key = freshKey();
      const idempotencyKey = fresh();
      const { receipt } = await accepted(port, [opened(key)]);
      const unseen = { dataset: 'accounts', idempotencyKey, wait: null, settle: null, timeoutMs: TIMEOUT_MS };
      isRefused(hearWrite(await port.receipt(unseen)), 'not-seen');
      const settle = { shard: receipt.shard, deadlineMs: Date.now() - 1 };
      isRejected(await receiptOf(port, idempotencyKey, settle), 'expired');
      isRejected(await write(port, [credited(key, 1)], idempotencyKey), 'expired');
      assert.equal(balance(await read(port, key)), 0);
    },
  },
  {
    promise: 'a deadline settles nothing that stands',
    attack: async (port) => {
      const idempotencyKey = fresh();
      const { receipt } = await accepted(port, [opened(freshKey())], idempotencyKey);
      const asked = await receiptOf(port, idempotencyKey, {
        shard: receipt.shard,
        deadlineMs: Date.now() - 1,
      });
      assert.equal(asked.kind, 'receipt', JSON.stringify(asked));
      assert.equal(asked.receipt.outcome, 'accepted');
    },
  },
  {
    promise:
      'a feed tells a write with its version and row, and one that is resumed what was written meanwhile',
    attack: async (port) => {
      const key = freshKey();
      const versionOf = async (...events: readonly object[]) => {
        const { receipt } = await accepted(port, events);
        return { key, version: receipt.versions![key]! };
      };
      const opening = await toldBy(port, null, () => versionOf(opened(key), credited(key, 70)));
      assert.deepEqual(opening.row, { owner: 'Ada', currency: 'EUR', balance: 70 });
      const written = await versionOf(credited(key, 1));
      const resumed = await toldBy(port, opening.position, () => Promise.resolve(written));
      assert.deepEqual(resumed.row, { owner: 'Ada', currency: 'EUR', balance: 71 });
    },
  },
  {
    promise: 'a feed from a position that nobody gave is refused',
    attack: async (port) => {
      const feed = await port.changes({ dataset: 'accounts', from: 'garbage', timeoutMs: TIMEOUT_MS });
      assert.ok('status' in feed);
      isRefused(hearWrite(feed), 'bad-token');
    },
  },
  {
    promise: 'it is ready',
    attack: async (port) => {
      assert.equal((await port.readiness(TIMEOUT_MS)).status, 200);
    },
  },
];
