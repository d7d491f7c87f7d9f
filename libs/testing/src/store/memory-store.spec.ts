import { describe, expect, test } from '@jest/globals';
import type { CommitRequest, ProjectedTable } from '@lockstep/engine';
import { leaseNumber, NO_OFFSET, NO_SEQUENCE, offset, sequence, shardName } from '@lockstep/protocol';
import type { DatasetName, StoreIncarnation } from '@lockstep/protocol';
import { outboxConformance } from '../conformance/outbox.js';
import { storeConformance } from '../conformance/store.js';
import { realTimeCompletions, type Completions } from '../world/completions.js';
import { memoryStore } from './memory-store.js';
import type { MemoryDatabase, StoreFault } from './memory-store.js';

const STORE_INCARNATION = '5'.repeat(32) as StoreIncarnation;
const completions = realTimeCompletions({ nowMs: Date.now, after: (ms, call) => void setTimeout(call, ms) });

storeConformance('the in-memory store', async () => {
  const database = memoryStore(completions, { storeIncarnation: STORE_INCARNATION });
  return { ...database, close: async () => undefined };
});

outboxConformance('the in-memory outbox', async () => {
  const database = memoryStore(completions, { storeIncarnation: STORE_INCARNATION });
  return {
    ...database,
    undone: (shard) =>
      Promise.resolve(
        database
          .outbox()
          .undone.filter((one) => one.shard === shard)
          .toSorted(byId),
      ),
    close: async () => undefined,
  };
});

const byId = (x: { readonly id: bigint }, y: { readonly id: bigint }): number => (x.id < y.id ? -1 : 1);

const DATASET = 'orders' as DatasetName;
const SHARD = shardName(DATASET, 0);
const TABLE: ProjectedTable = {
  dataset: DATASET,
  table: 'orders',
  columns: [{ name: 'label', type: 'text' }],
};

/** A database with one shard that is held, whose next commit meets the fault. */
async function scene(fault: StoreFault | null, method = 'commit') {
  let armed = false;
  const database = memoryStore(completions, {
    storeIncarnation: STORE_INCARNATION,
    fault: (call) => (armed && call.method === method ? ((armed = false), fault) : null),
  });
  const store = await database.openApplyStore();
  const query = await database.openQueryStore();
  await query.ensureTable(TABLE);
  await store.ensureShards([SHARD]);
  await store.claim({ holder: 'a', shards: [SHARD], leaseMs: 60_000 });
  armed = true;
  return { database, store, query };
}

async function firstCommit(database: MemoryDatabase): Promise<CommitRequest> {
  const [state] = await (await database.openApplyStore()).load([SHARD]);
  return {
    table: TABLE,
    rows: [{ kind: 'put', key: 'k', version: sequence(1n), replaces: false, columns: new Map() }],
    shards: [
      {
        shard: SHARD,
        lease: leaseNumber(1n),
        expectedOffset: NO_OFFSET,
        expectedSequence: NO_SEQUENCE,
        cursor: { ...state!.cursor, offset: offset(0n), sequence: sequence(1n) },
        sessions: [],
        outcomes: [],
        fenced: [],
      },
    ],
  };
}

describe('the in-memory store under faults', () => {
  test('a refused commit did not happen, and the same store can repeat it', async () => {
    const { database, store } = await scene('refused');
    const request = await firstCommit(database);
    await expect(store.commit(request)).rejects.toMatchObject({ disposition: 'retryable' });
    expect(database.rows('orders')!.size).toBe(0);
    expect(await store.commit(request)).toEqual({ kind: 'committed' });
  });

  test.each([
    ['lost-before', 0],
    ['lost-after', 1],
  ] as const)(
    'a commit with fault %s is unknown, leaves %i rows, and its store is dead',
    async (fault, rows) => {
      const { database, store } = await scene(fault);
      const request = await firstCommit(database);
      await expect(store.commit(request)).rejects.toMatchObject({ disposition: 'unknown' });
      expect(database.rows('orders')!.size).toBe(rows);
      await expect(store.load([SHARD])).rejects.toMatchObject({
        code: 'store-disconnected',
        disposition: 'retryable',
      });
      const reopened = await database.openApplyStore();
      expect((await reopened.load([SHARD]))[0]!.cursor.sequence).toBe(BigInt(rows));
    },
  );

  test('a commit that arrives late takes effect once, after its sender was told that it is unknown', async () => {
    const { database, store, query } = await scene('lost-late');
    const request = await firstCommit(database);
    await expect(store.commit(request)).rejects.toMatchObject({ disposition: 'unknown' });
    expect(database.rows('orders')!.size).toBe(0);
    while ((await query.cursors([SHARD]))[0]!.sequence === 0n);
    expect(await (await database.openApplyStore()).commit(request)).toEqual({ kind: 'lost' });
  });

  test('what a client had sent before it gave its connection up arrives after all; what it asks then does not', async () => {
    const arrivals: (() => unknown)[] = [];
    const losing: Completions = {
      ...completions,
      complete: (label, work, unanswered) =>
        label.startsWith('store commit')
          ? new Promise((_, reject) => {
              arrivals.push(work);
              reject(unanswered.error() as Error);
            })
          : completions.complete(label, work, unanswered),
    };
    const { database } = await scene(null);
    const store = await database.openApplyStore(losing);
    const request = await firstCommit(database);
    await expect(store.commit(request)).rejects.toMatchObject({ disposition: 'unknown' });
    await expect(store.load([SHARD])).rejects.toMatchObject({ code: 'store-disconnected' });
    expect(database.rows('orders')!.size).toBe(0);
    for (const arrive of arrivals) arrive();
    expect(database.rows('orders')!.size).toBe(1);
  });

  test('a lost answer to a read is retryable: nothing can have changed', async () => {
    const { store } = await scene('lost-after', 'load');
    await expect(store.load([SHARD])).rejects.toMatchObject({ disposition: 'retryable' });
  });

  test('a database that restarts loses its connections and keeps its data', async () => {
    const { database, store, query } = await scene(null);
    await store.commit(await firstCommit(database));
    database.disconnect();
    await expect(store.load([SHARD])).rejects.toMatchObject({ code: 'store-disconnected' });
    expect((await query.cursors([SHARD]))[0]!.sequence).toBe(1n);
  });

  test('a full disk refuses what writes and answers what reads', async () => {
    const { database, store } = await scene('exhausted');
    await expect(store.commit(await firstCommit(database))).rejects.toMatchObject({
      code: 'store-exhausted',
      disposition: 'retryable',
    });
    expect((await store.load([SHARD]))[0]!.cursor.sequence).toBe(0n);
  });

  test('a slow commit takes effect once, after a while', async () => {
    const { database, store } = await scene('slow');
    const committing = store.commit(await firstCommit(database));
    expect(database.rows('orders')!.size).toBe(0);
    expect(await committing).toEqual({ kind: 'committed' });
    expect(database.rows('orders')!.size).toBe(1);
  });

  test('a database that crashes serves nobody until it starts, and has what was committed', async () => {
    const { database, store } = await scene(null);
    await store.commit(await firstCommit(database));
    database.crash();
    await expect(store.load([SHARD])).rejects.toMatchObject({ code: 'store-disconnected' });
    await expect(database.openApplyStore()).rejects.toMatchObject({ code: 'store-disconnected' });
    database.start();
    expect((await (await database.openApplyStore()).load([SHARD]))[0]!.cursor.sequence).toBe(1n);
  });

  test('a database that does not flush loses what it answered when it crashes', async () => {
    const { database, store } = await scene(null);
    database.setFlushing('off');
    await store.commit(await firstCommit(database));
    database.crash();
    database.start();
    expect((await (await database.openApplyStore()).load([SHARD]))[0]!.cursor.sequence).toBe(0n);
  });

  test('a snapshot is not changed by later commits, and restoring it brings back all of it', async () => {
    const { database, store, query } = await scene(null);
    const snapshot = database.snapshot();
    await store.commit(await firstCommit(database));
    database.restore(snapshot);
    await expect(store.load([SHARD])).rejects.toMatchObject({ code: 'store-disconnected' });
    expect((await query.cursors([SHARD]))[0]!.sequence).toBe(0n);
    expect(database.rows('orders')!.size).toBe(0);
    await (await database.openApplyStore()).commit(await firstCommit(database));
    database.restore(snapshot);
    expect(database.rows('orders')!.size).toBe(0);
  });
});
