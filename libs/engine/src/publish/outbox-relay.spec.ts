import { describe, expect, test } from '@jest/globals';
import {
  entryNumber,
  epoch,
  offset,
  shardName,
  type ConfigurationHash,
  type DatasetName,
  type Fingerprint,
  type KeyHash,
  type PublisherId,
  type RegionName,
} from '@lockstep/protocol';
import type { OutboxEntry } from '../ports/store.js';
import type { Clock } from '../ports/world.js';
import { OutboxRelay, type Footing } from './outbox-relay.js';
import type { Published, ShardPublisher, Submission } from './shard-publisher.js';

const EU = 'eu' as RegionName;
const SHARD = shardName('customers' as DatasetName, 0);
const START_MS = 1_000_000;

const entry = (id: number): OutboxEntry => ({
  id: BigInt(id),
  key: `key ${id}` as KeyHash,
  fingerprint: 'f' as Fingerprint,
  firstKey: `eu:${id}`,
  body: `[${id}]`,
  notAfterMs: null,
});

/**
 * One shard with its log: what is sent is appended at the next offset, unless `answers` says otherwise. Sleeps pass when the
 * relay has nothing else to do, so a test goes round by round.
 */
class OneShard {
  footing: Footing | null = {
    home: EU,
    epoch: epoch(1n),
    configuration: 'c' as ConfigurationHash,
    offset: offset(-1n),
    logTimeMs: START_MS,
  };
  readonly outbox = new Map<bigint, OutboxEntry>();
  /** Bodies in the order in which they were sent, with session and epoch. */
  readonly sent: { readonly body: string; readonly session: number; readonly epoch: bigint }[] = [];
  readonly answers: Published['kind'][] = [];
  readonly stamps: { readonly ids: readonly bigint[]; readonly notAfterMs: number }[] = [];
  storeFails = 0;
  closed = 0;
  private session = 1;
  private end = 0n;
  private sleeping: (() => void)[] = [];
  private idle!: () => void;
  private isIdle!: Promise<void>;
  private readonly relay: OutboxRelay;
  private readonly running: Promise<void>;

  constructor(...entries: readonly OutboxEntry[]) {
    this.store(...entries);
    this.beginRound();
    this.relay = new OutboxRelay({
      region: EU,
      shards: [SHARD],
      footingOf: () => this.footing,
      openStore: () =>
        Promise.resolve({
          pending: ({ entriesMax, except }) => {
            if (this.storeFails > 0) {
              this.storeFails -= 1;
              return Promise.reject(new Error('the connection is gone'));
            }
            const left = [...this.outbox.values()].filter(({ key }) => !except.includes(key));
            return Promise.resolve(left.slice(0, entriesMax));
          },
          stamp: (ids, notAfterMs) => {
            this.stamps.push({ ids, notAfterMs });
            for (const id of ids) this.outbox.set(id, { ...this.outbox.get(id)!, notAfterMs });
            return Promise.resolve();
          },
          close: () => {
            this.closed += 1;
            return Promise.resolve();
          },
        }),
      publisherOf: () => this.publisher(),
      observer: { report: () => undefined },
      clock: this.clock(),
    });
    this.running = this.relay.run();
  }

  store(...entries: readonly OutboxEntry[]): void {
    for (const one of entries) this.outbox.set(one.id, one);
  }

  /** Until the relay has nothing to do. */
  async settled(): Promise<readonly string[]> {
    await this.isIdle;
    return this.sent.map(({ body }) => body);
  }

  /** One more look, as after a notification. */
  async next(): Promise<readonly string[]> {
    await this.isIdle;
    this.beginRound();
    const { sleeping } = this;
    this.sleeping = [];
    for (const wake of sleeping) wake();
    return this.settled();
  }

  /** The fold comes to stand there; the entries are decided. */
  fold(at: number, ...decided: readonly number[]): void {
    this.footing = { ...this.footing!, offset: offset(BigInt(at)) };
    for (const id of decided) this.outbox.delete(BigInt(id));
  }

  async stop(): Promise<void> {
    this.relay.stop();
    for (const wake of this.sleeping) wake();
    await this.running;
  }

  private beginRound(): void {
    this.isIdle = new Promise((resolve) => {
      this.idle = resolve;
    });
  }

  private clock(): Clock {
    return {
      nowMs: () => START_MS,
      monotonicMs: () => 0,
      sleep: () => {
        let wake!: () => void;
        const done = new Promise<void>((resolve) => {
          wake = resolve;
        });
        this.sleeping.push(wake);
        this.idle();
        return { done, wake };
      },
    };
  }

  private publisher(): ShardPublisher {
    return {
      submit: ({ publication }: Submission) => {
        if (publication.kind !== 'data') throw new Error('a relay sends data only');
        const { session } = this;
        this.sent.push({ body: publication.value, session, epoch: publication.epoch });
        const kind = this.answers.shift() ?? 'logged';
        const who = { publisher: String(session) as PublisherId, number: entryNumber(1n) };
        const settled: Published =
          kind === 'logged'
            ? { kind, offset: offset(this.end++), appendTimeMs: START_MS, ...who }
            : kind === 'unknown'
              ? { kind, ...who }
              : { kind, code: 'log-unavailable', message: 'no' };
        return { settled: Promise.resolve(settled), onNumbered: () => undefined };
      },
      renounce: (session: PublisherId) => {
        if (session === String(this.session)) this.session += 1;
      },
      close: () => Promise.resolve(),
    } as unknown as ShardPublisher;
  }
}

async function withShard(
  entries: readonly OutboxEntry[],
  work: (shard: OneShard) => Promise<void>,
): Promise<void> {
  const shard = new OneShard(...entries);
  try {
    await work(shard);
  } finally {
    await shard.stop();
  }
}

describe('the relay of an outbox', () => {
  test('sends each entry once, in the order of the numbers, and again only when it must', () =>
    withShard([entry(1), entry(2)], async (shard) => {
      expect(await shard.settled()).toEqual(['[1]', '[2]']);
      shard.store(entry(3));
      expect(await shard.next()).toEqual(['[1]', '[2]', '[3]']);
      shard.fold(2, 1, 2, 3);
      expect(await shard.next()).toHaveLength(3);
    }));

  test('takes an entry for another one where a database that went back gave it the id of one that was sent', () =>
    withShard([entry(1)], async (shard) => {
      expect(await shard.settled()).toEqual(['[1]']);
      shard.store({ ...entry(7), id: 1n }, entry(2));
      expect(await shard.next()).toEqual(['[1]', '[7]', '[2]']);
    }));

  test('says until when before it sends, half an hour ahead, and never anew', () =>
    withShard([entry(1)], async (shard) => {
      shard.answers.push('unknown');
      await shard.settled();
      await shard.next();
      expect(shard.sent).toHaveLength(2);
      expect(shard.stamps).toEqual([{ ids: [1n], notAfterMs: START_MS + 30 * 60_000 }]);
    }));

  test('sends what was not certainly appended before anything later', () =>
    withShard([entry(1), entry(2)], async (shard) => {
      shard.answers.push('unknown', 'unknown', 'failed', 'failed');
      expect(await shard.settled()).toEqual(['[1]', '[2]']);
      expect(await shard.next()).toEqual(['[1]', '[2]', '[1]', '[2]']);
      shard.store(entry(3));
      expect(await shard.next()).toEqual(['[1]', '[2]', '[1]', '[2]', '[1]', '[2]', '[3]']);
    }));

  test('sends again, in another session, what the fold has passed and left in the outbox', () =>
    withShard([entry(1), entry(2)], async (shard) => {
      await shard.settled();
      shard.fold(1, 1);
      await shard.next();
      expect(shard.sent.map(({ body, session }) => [body, session])).toEqual([
        ['[1]', 1],
        ['[2]', 1],
        ['[2]', 2],
      ]);
    }));

  test('lets nothing overtake what another session must send again, nor what may turn out to be so', () =>
    withShard([entry(1), entry(2)], async (shard) => {
      await shard.settled();
      shard.fold(0);
      shard.store(entry(3));
      expect(await shard.next()).toEqual(['[1]', '[2]']);
      expect(await shard.next()).toEqual(['[1]', '[2]']);
      shard.fold(1);
      await shard.next();
      expect(shard.sent.slice(2).map(({ body, session }) => [body, session])).toEqual([
        ['[1]', 2],
        ['[2]', 2],
        ['[3]', 2],
      ]);
    }));

  test('sends nothing in another session while an entry of the former one is not folded', () =>
    withShard([entry(1)], async (shard) => {
      await shard.settled();
      shard.answers.push('unknown');
      shard.store(entry(2));
      expect(await shard.next()).toEqual(['[1]', '[2]']);
      expect(await shard.next()).toEqual(['[1]', '[2]']);
      shard.fold(0);
      expect(await shard.next()).toEqual(['[1]', '[2]', '[1]', '[2]']);
    }));

  test('sends nothing under another epoch while an entry under the former one is not folded', () =>
    withShard([entry(1)], async (shard) => {
      await shard.settled();
      shard.footing = { ...shard.footing!, epoch: epoch(2n) };
      shard.store(entry(2));
      expect(await shard.next()).toEqual(['[1]']);
      shard.fold(0);
      await shard.next();
      expect(shard.sent.slice(1).map((one) => [one.body, one.epoch])).toEqual([
        ['[1]', 2n],
        ['[2]', 2n],
      ]);
    }));

  test.each([
    ['before the store has caught up with the log', null],
    ['while another region is the home', { home: 'us' as RegionName }],
  ])('sends nothing %s', (_when, change) =>
    withShard([], async (shard) => {
      await shard.settled();
      const before = shard.footing!;
      shard.footing = change === null ? null : { ...before, ...change };
      shard.store(entry(1));
      expect(await shard.next()).toEqual([]);
      shard.footing = before;
      expect(await shard.next()).toEqual(['[1]']);
    }),
  );

  test('opens another store when one has failed', () =>
    withShard([], async (shard) => {
      await shard.settled();
      shard.store(entry(1));
      shard.storeFails = 1;
      await shard.next();
      expect(shard.closed).toBe(1);
      expect(await shard.next()).toEqual(['[1]']);
    }));
});
