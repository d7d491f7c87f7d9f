/**
 * What the outbox of every pair of store adapters must do: the promises of `OutboxStore` and of commits with `outbox`, one
 * test each, with services that save beside. The in-memory twin and Postgres pass the same suite.
 *
 * Every test works on a dataset of its own, so one database serves the whole suite. It runs under jest and takes `test`
 * and its like from the globals, so that this library can be imported anywhere.
 */
import assert from 'node:assert/strict';
import type {
  ApplyStore,
  OutboxEntry,
  OutboxParkingStore,
  OutboxStore,
  ProjectedTable,
  QueryStore,
} from '@lockstep/engine';
import { emptyCursor, offset, sequence, shardName } from '@lockstep/protocol';
import type {
  ColumnValue,
  DatasetName,
  Fingerprint,
  JudgedKey,
  KeyHash,
  RegionName,
  RowOperation,
  ShardName,
  Verdict,
} from '@lockstep/protocol';
import type { ServiceEntry, UndoneEntry } from '../store/memory-outbox.js';
import type { ServiceStore } from '../store/memory-store.js';

/** One region's database, empty; every store that is opened on it sees the same data. */
export interface OutboxFixture {
  openApplyStore(): Promise<ApplyStore>;
  openQueryStore(): Promise<QueryStore & OutboxParkingStore>;
  openOutboxStore(onStored: () => void): Promise<OutboxStore>;
  /** As a service of the region changes rows, past the library that it uses for it. */
  openServiceStore(): Promise<ServiceStore>;
  /** What was undone in a shard, the oldest first. */
  undone(shard: ShardName): Promise<readonly Pick<UndoneEntry, 'key' | 'rows' | 'reason' | 'sequence'>[]>;
  close(): Promise<void>;
}

interface TestGlobals {
  describe(name: string, body: () => void): void;
  test(name: string, body: () => Promise<void>): void;
  beforeAll(body: () => Promise<void>): void;
  afterAll(body: () => Promise<void>): void;
}

const HOME = 'eu' as RegionName;
const AWAY = 'us' as RegionName;
const LEASE_MS = 60_000;
const COLUMNS: ProjectedTable['columns'] = [
  { name: 'name', type: 'text' },
  { name: 'visits', type: 'bigint' },
];

export function outboxConformance(name: string, makeStores: () => Promise<OutboxFixture>): void {
  const { afterAll, beforeAll, describe, test } = globalThis as unknown as TestGlobals;

  describe(`${name} keeps the promises of the outbox`, () => {
    let fixture: OutboxFixture;
    let store: ApplyStore;
    let query: QueryStore & OutboxParkingStore;
    let outbox: OutboxStore;
    let services: ServiceStore;
    let datasets = 0;
    let keys = 0;
    let onStored = (): void => undefined;

    beforeAll(async () => {
      fixture = await makeStores();
      store = await fixture.openApplyStore();
      query = await fixture.openQueryStore();
      outbox = await fixture.openOutboxStore(() => onStored());
      services = await fixture.openServiceStore();
    });

    afterAll(async () => {
      await services?.close();
      await outbox?.close();
      await store?.close();
      await query?.close();
      await fixture?.close();
    });

    /** A dataset that no other test uses, and what happens to its one shard. */
    const place = async ({ isOwned = true } = {}) => {
      datasets += 1;
      const dataset = `outbox_conformance_${datasets}` as DatasetName;
      const table: ProjectedTable = { dataset, table: dataset, columns: COLUMNS };
      const shard = shardName(dataset, 0);
      assert.deepEqual(await query.ensureTable(table, 'outbox'), []);
      await store.ensureShards([shard]);
      const [lease] = await store.claim({ holder: 'a', shards: [shard], leaseMs: LEASE_MS });
      let at = 0n;
      const fold = async (
        judged: readonly JudgedKey[] = [],
        rows: readonly RowOperation[] = [],
        home = HOME,
      ): Promise<void> => {
        const cursor = { ...emptyCursor(shard), offset: offset(at), sequence: sequence(at + 1n), home };
        const owned = home === HOME;
        const commit = {
          shard,
          lease: lease!.number,
          expectedOffset: offset(at - 1n),
          expectedSequence: sequence(at),
          cursor,
          sessions: [],
          outcomes: [],
          fenced: [],
          outbox: { owned, leaves: !owned, judged },
        };
        assert.deepEqual(await store.commit({ table, rows, shards: [commit] }), { kind: 'committed' });
        at += 1n;
      };
      const entryOf = (rows: { readonly [key: string]: Row }): ServiceEntry => {
        keys += 1;
        const key = keys.toString(16).padStart(32, '0') as KeyHash;
        const body = `[${keys}]`;
        const changes = Object.entries(rows).map(([row, columns]) => ({ key: row, columns }));
        const fingerprint = 'f'.repeat(32) as Fingerprint;
        return { table: table.table, key, fingerprint, firstKey: changes[0]!.key, body, changes };
      };
      const save = async (rows: { readonly [key: string]: Row }): Promise<KeyHash> => {
        const entry = entryOf(rows);
        const transaction = await services.enter(shard);
        await transaction.save(entry);
        await transaction.commitSaved();
        return entry.key;
      };
      const pending = (bounds: Partial<Parameters<OutboxStore['pending']>[0]> = {}) =>
        outbox.pending({
          shard,
          foldedTo: offset(at - 1n),
          except: [],
          entriesMax: 100,
          bytesMax: 1_000_000,
          ...bounds,
        });
      const rowOf = async (key: string) => {
        const [found] = await query.rows([{ table, shard, key }]);
        return found!.row === null ? null : { ...found!.row.columns, version: Number(found!.row.version) };
      };
      const undone = async (): Promise<readonly unknown[]> =>
        (await fixture.undone(shard)).map(({ key, reason, rows, sequence: stood }) => [
          key,
          reason,
          [...rows].toSorted(),
          Number(stood),
        ]);
      if (isOwned) await fold();
      return { shard, entryOf, fold, pending, rowOf, save, undone };
    };

    describe('storing', () => {
      test('a transaction that commits changes its rows and stores one entry; one that rolls back does neither', async () => {
        const { entryOf, pending, rowOf, save, shard } = await place();
        const kept = await save({ a: row('Ann', 1), b: row('Bob', 2) });
        const transaction = await services.enter(shard);
        await transaction.save(entryOf({ a: row('Lost', 9), c: row('Lost', 9) }));
        await transaction.rollback();
        assert.deepEqual(keysOf(await pending()), [kept]);
        assert.deepEqual(await rowOf('a'), { name: 'Ann', visits: 1, version: 0 });
        assert.equal(await rowOf('c'), null);
      });

      test('a transaction begins only where the region is known to own the shard', async () => {
        const unknown = await place({ isOwned: false });
        await assert.rejects(services.enter(unknown.shard), { code: 'not-owner' });
        await unknown.fold();
        await unknown.save({ a: row('Ann', 1) });
        await unknown.fold([], [], AWAY);
        await assert.rejects(services.enter(unknown.shard), { code: 'not-owner' });
      });

      test('whoever relays is told when a transaction has stored', async () => {
        const { save } = await place();
        const told = new Promise<void>((resolve) => (onStored = resolve));
        await save({ a: row('Ann', 1) });
        await told;
      });
    });

    describe('relaying', () => {
      test('what is pending comes the oldest first, without what is excepted, and within both bounds', async () => {
        const { pending, save } = await place();
        const saved = [];
        for (const visits of [1, 2, 3, 4]) saved.push(await save({ [`row ${visits}`]: row('Ann', visits) }));
        const all = await pending();
        assert.deepEqual(keysOf(all), saved);
        assert.deepEqual(keysOf(await pending({ except: [saved[0]!, saved[2]!] })), [saved[1], saved[3]]);
        assert.deepEqual(keysOf(await pending({ entriesMax: 2 })), saved.slice(0, 2));
        const bytesMax = all[0]!.body.length + all[1]!.body.length;
        assert.deepEqual(keysOf(await pending({ bytesMax })), saved.slice(0, 2));
        // One in any case: what is too large for a window goes alone.
        assert.deepEqual(keysOf(await pending({ bytesMax: 1 })), saved.slice(0, 1));
        assert.ok(all[0]!.id < all[1]!.id);
      });

      test('a database that stands before what the relay knows folded went back, and has nothing to send', async () => {
        const { fold, pending, save } = await place();
        await fold();
        const key = await save({ a: row('Ann', 1) });
        assert.deepEqual(await pending({ foldedTo: offset(2n) }), []);
        assert.deepEqual(keysOf(await pending({ foldedTo: offset(1n) })), [key]);
      });

      test('until when an entry may be judged is said once', async () => {
        const { pending, save } = await place();
        await save({ a: row('Ann', 1) });
        const [{ id, notAfterMs } = { id: 0n, notAfterMs: 0 }] = await pending();
        assert.equal(notAfterMs, null);
        await outbox.stamp([id], 5_000);
        await outbox.stamp([id], 6_000);
        assert.equal((await pending())[0]!.notAfterMs, 5_000);
      });
    });

    describe('folding', () => {
      test('an accepted entry leaves the outbox, and its rows are what the log says, whatever the service wrote', async () => {
        const { fold, pending, rowOf, save, undone } = await place();
        const key = await save({ a: row('Ann', 1) });
        await fold([judged(key, 'accepted')], [put('a', 2n, { name: 'Ann', visits: 7 })]);
        assert.deepEqual(await rowOf('a'), { name: 'Ann', visits: 7, version: 2 });
        assert.deepEqual(await pending(), []);
        assert.deepEqual(await undone(), []);
      });

      test('what is still pending lies upon what the log says, and is taken off from there', async () => {
        const { fold, rowOf, save } = await place();
        const first = await save({ a: row('once', 1) });
        const second = await save({ a: row('twice', 2) });
        await fold([judged(first, 'accepted')], [put('a', 2n, { name: 'logged once', visits: 1 })]);
        assert.deepEqual(await rowOf('a'), { name: 'twice', visits: 2, version: 2 });
        await fold([judged(second, 'schema')]);
        assert.deepEqual(await rowOf('a'), { name: 'logged once', visits: 1, version: 2 });
      });

      test('an entry of somebody else upon a row with pending changes is beneath them', async () => {
        const { fold, rowOf, save } = await place();
        const own = await save({ a: row('mine', 1) });
        await fold([], [put('a', 2n, { name: 'theirs', visits: 5 })]);
        assert.deepEqual(await rowOf('a'), { name: 'mine', visits: 1, version: 2 });
        await fold([judged(own, 'expired')]);
        assert.deepEqual(await rowOf('a'), { name: 'theirs', visits: 5, version: 2 });
      });

      test('a rejected entry takes along the later ones of its rows, over others too, and leaves the rest', async () => {
        const { fold, pending, rowOf, save, undone } = await place();
        const first = await save({ a: row('a', 1), b: row('b', 1), c: row('c', 1) });
        await fold([judged(first, 'accepted')], [put('a', 2n, A), put('b', 2n, B), put('c', 2n, C)]);
        const refused = await save({ a: row('refused', 2) });
        const upon = await save({ a: row('upon', 3), b: null });
        const over = await save({ b: row('again', 4) });
        const apart = await save({ c: row('apart', 5) });
        await fold([judged(refused, 'schema')]);
        assert.deepEqual(await rowOf('a'), { name: 'a', visits: 1, version: 2 });
        assert.deepEqual(await rowOf('b'), { name: 'b', visits: 1, version: 2 });
        assert.deepEqual(await rowOf('c'), { name: 'apart', visits: 5, version: 2 });
        assert.deepEqual(keysOf(await pending()), [apart]);
        assert.deepEqual(await undone(), [
          [refused, 'schema', ['a'], 3],
          [upon, 'undone-before', ['a', 'b'], 3],
          [over, 'undone-before', ['b'], 3],
        ]);
      });

      test('a row that was inserted, changed and deleted is taken back as a whole', async () => {
        const { fold, rowOf, save } = await place();
        const first = await save({ a: row('in', 1) });
        await save({ a: row('changed', 2) });
        await save({ a: null });
        await save({ a: row('back', 3) });
        await fold([judged(first, 'schema')]);
        assert.equal(await rowOf('a'), null);
      });

      test('what the log has not decided stays pending', async () => {
        const { fold, pending, rowOf, save } = await place();
        const key = await save({ a: row('Ann', 1) });
        await fold([]);
        assert.deepEqual(keysOf(await pending()), [key]);
        assert.deepEqual(await rowOf('a'), { name: 'Ann', visits: 1, version: 0 });
      });

      test('a fence away undoes all that is pending behind what its batch decided', async () => {
        const { fold, pending, rowOf, save, undone } = await place();
        const decided = await save({ a: row('decided', 1) });
        const once = await save({ a: row('once', 2), b: row('new', 1) });
        const twice = await save({ a: null });
        await fold([judged(decided, 'accepted')], [put('a', 2n, { name: 'decided', visits: 1 })], AWAY);
        assert.deepEqual(await rowOf('a'), { name: 'decided', visits: 1, version: 2 });
        assert.equal(await rowOf('b'), null);
        assert.deepEqual(await pending(), []);
        assert.deepEqual(await undone(), [
          [once, 'fenced', ['a', 'b'], 2],
          [twice, 'fenced', ['a'], 2],
        ]);
      });
    });

    describe('parking', () => {
      const LONG_MS = 60_000;

      test('a shard that is parked takes nothing new until it is let go, and what it holds is counted', async () => {
        const { fold, pending, save, shard } = await place();
        const key = await save({ a: row('Ann', 1) });
        assert.deepEqual(await query.outboxStanding(shard), { parkedFor: null, pending: 1 });
        await query.parkOutbox(shard, 'one', LONG_MS);
        await assert.rejects(services.enter(shard), { code: 'moving' });
        assert.deepEqual(await query.outboxStanding(shard), { parkedFor: 'one', pending: 1 });
        assert.deepEqual(keysOf(await pending()), [key]);
        await fold([judged(key, 'accepted')]);
        assert.deepEqual(await query.outboxStanding(shard), { parkedFor: 'one', pending: 0 });
        await query.unparkOutbox(shard, 'one');
        await save({ a: row('Ann', 2) });
        assert.deepEqual(await query.outboxStanding(shard), { parkedFor: null, pending: 1 });
      });

      test('each parking ends once: to let go of another one, or to ask again for one that is over, changes nothing', async () => {
        const { save, shard } = await place();
        await query.parkOutbox(shard, 'one', LONG_MS);
        await query.unparkOutbox(shard, 'another');
        await assert.rejects(services.enter(shard), { code: 'moving' });
        await query.unparkOutbox(shard, 'one');
        await query.parkOutbox(shard, 'one', LONG_MS);
        await save({ a: row('Ann', 1) });
        await query.parkOutbox(shard, 'two', 1);
        await save({ a: row('Ann', 2) });
        assert.equal((await query.outboxStanding(shard)).parkedFor, null);
      });

      test('a parking ends with the ownership that it was asked of, also when the shard comes back within its time', async () => {
        const { fold, save, shard } = await place();
        await query.parkOutbox(shard, 'one', LONG_MS);
        await fold([], [], AWAY);
        await fold();
        assert.deepEqual(await query.outboxStanding(shard), { parkedFor: null, pending: 0 });
        await save({ a: row('Ann', 1) });
      });

      test('a shard is not parked while a transaction holds it, nor where it is not owned', async () => {
        const { entryOf, fold, shard } = await place();
        const transaction = await services.enter(shard);
        await transaction.save(entryOf({ a: row('Ann', 1) }));
        await assert.rejects(query.parkOutbox(shard, 'one', LONG_MS), { code: 'store-lock-timeout' });
        await transaction.commitSaved();
        await fold([], [], AWAY);
        await query.parkOutbox(shard, 'one', LONG_MS);
        assert.deepEqual(await query.outboxStanding(shard), { parkedFor: null, pending: 0 });
        await assert.rejects(services.enter(shard), { code: 'not-owner' });
      });
    });

    describe('the gate', () => {
      test('a fold that only confirms goes on beside a service that has changed other rows, and waits for one that has changed its own', async () => {
        const { entryOf, fold, pending, rowOf, save, shard } = await place();
        const key = await save({ a: row('Ann', 1) });
        const transaction = await services.enter(shard);
        const beside = entryOf({ b: row('Bob', 1) });
        await transaction.save(beside);
        await fold([judged(key, 'accepted')], [put('a', 2n, { name: 'Ann', visits: 1 })]);
        await transaction.commitSaved();
        assert.deepEqual(await rowOf('a'), { name: 'Ann', visits: 1, version: 2 });
        const other = await services.enter(shard);
        const upon = entryOf({ b: row('Bob', 2) });
        await other.save(upon);
        const accepted = [judged(beside.key, 'accepted')];
        const rows = [put('b', 3n, { name: 'Bob', visits: 1 })];
        await assert.rejects(fold(accepted, rows), { code: 'store-lock-timeout', disposition: 'retryable' });
        await other.commitSaved();
        await fold(accepted, rows);
        assert.deepEqual(keysOf(await pending()), [upon.key]);
        assert.deepEqual(await rowOf('b'), { name: 'Bob', visits: 2, version: 3 });
      });

      test('a fold waits for a service that holds the shard, gives way, and takes what it stored when it comes again', async () => {
        const { entryOf, fold, rowOf, shard, undone } = await place();
        const transaction = await services.enter(shard);
        const entry = entryOf({ a: row('Ann', 1) });
        await transaction.save(entry);
        await assert.rejects(fold([], [], AWAY), { code: 'store-lock-timeout', disposition: 'retryable' });
        await transaction.commitSaved();
        await fold([], [], AWAY);
        assert.equal(await rowOf('a'), null);
        assert.deepEqual(await undone(), [[entry.key, 'fenced', ['a'], 2]]);
      });

      test('of two transactions that change one row the second waits, and is the later one', async () => {
        const { entryOf, pending, rowOf, shard } = await place();
        const [first, second] = [entryOf({ a: row('first', 1) }), entryOf({ a: row('second', 2) })];
        const earlier = await services.enter(shard);
        const later = await services.enter(shard);
        await earlier.save(first);
        const waiting = later.save(second);
        await earlier.commitSaved();
        await waiting;
        await later.commitSaved();
        assert.deepEqual(keysOf(await pending()), [first.key, second.key]);
        assert.deepEqual(await rowOf('a'), { name: 'second', visits: 2, version: 0 });
      });
    });
  });
}

type Row = { readonly [column: string]: ColumnValue } | null;

const row = (name: string, visits: number): Row => ({ name, visits });
const [A, B, C] = ['a', 'b', 'c'].map((name) => ({ name, visits: 1 })) as [object, object, object];

const keysOf = (entries: readonly OutboxEntry[]): readonly KeyHash[] => entries.map(({ key }) => key);

const judged = (key: KeyHash, verdict: Verdict): JudgedKey => ({
  key,
  verdict,
  fate: verdict === 'accepted' ? 'confirmed' : 'undone',
});

const put = (key: string, version: bigint, columns: object): RowOperation => ({
  kind: 'put',
  key,
  version: sequence(version),
  replaces: false,
  columns: new Map(
    Object.entries(columns).map(([column, value]) => [column, { kind: 'set', value: value as ColumnValue }]),
  ),
});
