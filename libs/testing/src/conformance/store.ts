/**
 * What every pair of store adapters must do: the promises of `engine/ports/store`, one test each. The in-memory twin and
 * Postgres pass the same suite, so that a simulation on the twin says something about the real thing.
 *
 * Every test works on a dataset of its own, so one database serves the whole suite. It runs under jest and takes `test`
 * and its like from the globals, so that this library can be imported anywhere.
 */
import assert from 'node:assert/strict';
import type {
  ApplyStore,
  CommitRequest,
  Lease,
  ProjectedTable,
  QueryStore,
  StoredRow,
  ShardCommit,
} from '@lockstep/engine';
import {
  entryNumber,
  epoch,
  hashFromHex,
  leaseNumber,
  offset,
  sequence,
  shardName,
} from '@lockstep/protocol';
import type {
  ColumnOperation,
  ColumnValue,
  ConfigurationContent,
  ConfigurationHash,
  Cursor,
  DatasetName,
  FencedAttempt,
  Fingerprint,
  KeyHash,
  LogIncarnation,
  Outcome,
  PublisherId,
  RegionName,
  RowOperation,
  Session,
  ShardName,
} from '@lockstep/protocol';

/** One region's database, empty; every store that is opened on it sees the same data. */
export interface StoreFixture {
  openApplyStore(): Promise<ApplyStore>;
  openQueryStore(): Promise<QueryStore>;
  close(): Promise<void>;
}

interface TestGlobals {
  describe(name: string, body: () => void): void;
  test(name: string, body: () => Promise<void>): void;
  beforeAll(body: () => Promise<void>): void;
  afterAll(body: () => Promise<void>): void;
}

const LONG_LEASE_MS = 60_000;
const SHORT_LEASE_MS = 50;
const EXPIRY_WAIT_MS_MAX = 10_000;
const BIGINT_MAX = 2n ** 63n - 1n;
const HOLDER = 'replicator-a';

const COLUMNS: ProjectedTable['columns'] = [
  { name: 'label', type: 'text' },
  { name: 'count', type: 'bigint' },
  { name: 'value', type: 'double precision' },
  { name: 'open', type: 'boolean' },
  { name: 'at', type: 'timestamptz' },
  { name: 'total', type: 'numeric' },
];
const NOTHING = { label: null, count: null, value: null, open: null, at: null, total: null };

const id128 = (digit: string): string => digit.repeat(32);

export function storeConformance(name: string, makeStores: () => Promise<StoreFixture>): void {
  const { afterAll, beforeAll, describe, test } = globalThis as unknown as TestGlobals;

  describe(`${name} keeps the promises of the store ports`, () => {
    let fixture: StoreFixture;
    let store: ApplyStore;
    let query: QueryStore;
    let datasets = 0;

    beforeAll(async () => {
      fixture = await makeStores();
      store = await fixture.openApplyStore();
      query = await fixture.openQueryStore();
    });

    afterAll(async () => {
      await store?.close();
      await query?.close();
      await fixture?.close();
    });

    interface Place {
      readonly table: ProjectedTable;
      readonly shard: ShardName;
      readonly other: ShardName;
    }

    /** A dataset that no other test uses, with a table and two shards that nobody holds. */
    const place = async (): Promise<Place> => {
      datasets += 1;
      const dataset = `conformance_${datasets}` as DatasetName;
      const table = { dataset, table: dataset, columns: COLUMNS };
      const shard = shardName(dataset, 0);
      const other = shardName(dataset, 1);
      assert.deepEqual(await query.ensureTable(table), []);
      await store.ensureShards([shard, other]);
      return { table, shard, other };
    };

    const held = async (
      shards: readonly ShardName[],
      holder = HOLDER,
    ): Promise<ReadonlyMap<ShardName, Lease>> => {
      const leases = await store.claim({ holder, shards, leaseMs: LONG_LEASE_MS });
      assert.equal(leases.length, shards.length);
      return new Map(leases.map((lease) => [lease.shard, lease]));
    };

    /** A committer of one place, which follows the cursors of its shards. */
    const committer = async (at: Place) => {
      const leases = await held([at.shard, at.other]);
      const reached = new Map<ShardName, bigint>();
      const step = (shard: ShardName, changes: Partial<ShardCommit> = {}): ShardCommit => {
        const before = reached.get(shard) ?? 0n;
        return {
          shard,
          lease: leases.get(shard)!.number,
          expectedOffset: offset(before * 10n - 1n),
          expectedSequence: sequence(before),
          cursor: cursorAt(shard, before + 1n),
          sessions: [],
          outcomes: [],
          fenced: [],
          ...changes,
        };
      };
      const request = (rows: readonly RowOperation[], changes: Partial<ShardCommit> = {}): CommitRequest => ({
        shards: [step(at.shard, changes)],
        table: at.table,
        rows,
      });
      const commit = async (
        rows: readonly RowOperation[],
        changes: Partial<ShardCommit> = {},
      ): Promise<void> => {
        assert.deepEqual(await store.commit(request(rows, changes)), { kind: 'committed' });
        reached.set(at.shard, (reached.get(at.shard) ?? 0n) + 1n);
      };
      return { step, request, commit, leases };
    };

    const columnsOf = async (at: Place, key: string): Promise<unknown> =>
      (await rowIn(query, at.table, at.shard, key)).row?.columns;

    /** Everything of a place that a commit could have changed. */
    const everything = async (at: Place, key: string): Promise<unknown> => ({
      states: byShard(await store.load([at.shard, at.other])),
      outcomes: await query.outcomes([at.shard, at.other], outcomeOf('a').key),
      fenced: await query.quarantined([at.shard, at.other], 9),
      row: (await rowIn(query, at.table, at.shard, key)).row,
    });

    describe('cursors', () => {
      test('a shard that was just created stands before the first record, and creating it again changes nothing', async () => {
        const at = await place();
        const fresh = byShard(await store.load([at.shard, at.other]));
        assert.equal(fresh.length, 2);
        const {
          shard,
          offset: at0,
          sequence: count,
          epoch: ownership,
          logIncarnation,
          home,
          configuration,
          mark,
        } = fresh[0]!.cursor;
        assert.deepEqual([shard, at0, count, ownership], [at.shard, -1n, 0n, 0n]);
        assert.deepEqual([logIncarnation, home, configuration, mark], [null, null, null, null]);
        assert.equal(fresh[0]!.sessions.size, 0);

        const { commit } = await committer(at);
        await commit([]);
        await store.ensureShards([at.shard, at.other]);
        assert.equal((await query.cursors([at.shard]))[0]!.sequence, 1n);
      });

      test('a commit without rows moves the cursor, and every part of it is read back, up to the largest bigint', async () => {
        const at = await place();
        const { commit } = await committer(at);
        const cursor: Cursor = {
          ...cursorAt(at.shard, 1n),
          offset: offset(BIGINT_MAX),
          sequence: sequence(BIGINT_MAX - 1n),
          epoch: epoch(BIGINT_MAX - 2n),
          term: BIGINT_MAX - 3n,
          decision: BIGINT_MAX - 4n,
          logTimeMs: Number.MAX_SAFE_INTEGER,
          sessionsSinceMs: Number.MAX_SAFE_INTEGER - 1,
          outcomesSinceMs: Number.MAX_SAFE_INTEGER - 2,
          mark: {
            sequence: sequence(BIGINT_MAX - 5n),
            inputHash: hashFromHex(id128('7')),
            effectsHash: hashFromHex('0123456789abcdef0123456789abcdef'),
          },
        };
        await commit([], { cursor });
        assert.deepEqual(await query.cursors([at.shard]), [cursor]);
        assert.deepEqual((await store.load([at.shard]))[0]!.cursor, cursor);
      });

      for (const [what, wrong] of [
        ['offset', { expectedOffset: offset(5n) }],
        ['sequence', { expectedSequence: sequence(1n) }],
        ['lease number', { lease: leaseNumber(7n) }],
      ] satisfies readonly (readonly [string, Partial<ShardCommit>])[]) {
        test(`a commit that expects another ${what} is lost and writes nothing`, async () => {
          const at = await place();
          const { request } = await committer(at);
          const before = await everything(at, 'k');
          const refused = await store.commit(
            request([put('k', 1n, { count: set(1) })], {
              ...wrong,
              sessions: [sessionOf('a', 1n)],
              outcomes: [outcomeOf('a')],
              fenced: [fencedAt(1n)],
            }),
          );
          assert.deepEqual(refused, { kind: 'lost' });
          assert.deepEqual(await everything(at, 'k'), before);
        });
      }

      test('a commit over two shards is lost as a whole when one of the cursors moved', async () => {
        const at = await place();
        const { step } = await committer(at);
        const before = await everything(at, 'k');
        const refused = await store.commit({
          shards: [
            step(at.shard, { outcomes: [outcomeOf('a')] }),
            step(at.other, { expectedSequence: sequence(4n) }),
          ],
          table: at.table,
          rows: [put('k', 1n, { count: set(1) })],
        });
        assert.deepEqual(refused, { kind: 'lost' });
        assert.deepEqual(await everything(at, 'k'), before);
      });

      test('a commit over two shards moves both', async () => {
        const at = await place();
        const { step } = await committer(at);
        const shards = [
          step(at.other, { sessions: [sessionOf('b', 2n)] }),
          step(at.shard, { sessions: [sessionOf('a', 1n)] }),
        ];
        assert.deepEqual(await store.commit({ shards, table: at.table, rows: [] }), { kind: 'committed' });
        const [first, second] = byShard(await store.load([at.shard, at.other]));
        assert.deepEqual([first!.cursor, second!.cursor], [cursorAt(at.shard, 1n), cursorAt(at.other, 1n)]);
        assert.deepEqual(
          [...first!.sessions.values(), ...second!.sessions.values()],
          [sessionOf('a', 1n), sessionOf('b', 2n)],
        );
      });

      test('the same commit sent twice happens once: the second is lost', async () => {
        const at = await place();
        const { request } = await committer(at);
        const repeated = request([put('k', 1n, { total: { kind: 'add', value: 5n } })]);
        assert.deepEqual(await store.commit(repeated), { kind: 'committed' });
        assert.deepEqual(await store.commit(repeated), { kind: 'lost' });
        assert.deepEqual(await columnsOf(at, 'k'), { ...NOTHING, total: '5' });
      });

      test('of two stores that commit the same step at once exactly one succeeds', async () => {
        const at = await place();
        const second = await fixture.openApplyStore();
        try {
          const { request } = await committer(at);
          const results = await Promise.all(
            [store, second].map((each) =>
              each.commit(request([put('k', 1n, { total: { kind: 'add', value: 5n } })])),
            ),
          );
          assert.deepEqual(results.map(({ kind }) => kind).toSorted(), ['committed', 'lost']);
          assert.deepEqual(await columnsOf(at, 'k'), { ...NOTHING, total: '5' });
        } finally {
          await second.close();
        }
      });

      test('a shard that nobody created cannot be committed to, and is not loaded', async () => {
        const at = await place();
        const { request } = await committer(at);
        const unknown = shardName(at.table.dataset, 99);
        assert.deepEqual(await store.commit(request([], { shard: unknown })), { kind: 'lost' });
        assert.deepEqual(await store.load([unknown]), []);
        assert.deepEqual(await query.cursors([unknown]), []);
        await assert.rejects(rowIn(query, at.table, unknown, 'k'), {
          code: 'shard-unknown',
          disposition: 'retryable',
        });
      });
    });

    describe('leases', () => {
      test('a lease that is held and not expired is not taken by another, nor a second time by its holder', async () => {
        const at = await place();
        const [lease] = await store.claim({ holder: 'a', shards: [at.shard], leaseMs: LONG_LEASE_MS });
        assert.deepEqual(lease, { shard: at.shard, number: 1n });
        assert.deepEqual(await store.claim({ holder: 'b', shards: [at.shard], leaseMs: LONG_LEASE_MS }), []);
        assert.deepEqual(await store.claim({ holder: 'a', shards: [at.shard], leaseMs: LONG_LEASE_MS }), []);
        assert.deepEqual(
          await store.claim({ holder: 'b', shards: [at.shard, at.other], leaseMs: LONG_LEASE_MS }),
          [{ shard: at.other, number: 1n }],
        );
      });

      test('an expired lease is taken under a higher number; the former holder cannot renew, and its commit is lost', async () => {
        const at = await place();
        const [former] = await store.claim({ holder: 'a', shards: [at.shard], leaseMs: SHORT_LEASE_MS });
        const taken = await claimWhenExpired(store, at.shard);
        assert.equal(taken.number, 2n);
        assert.deepEqual(
          await store.renew({ holder: 'a', shards: [], held: [former!], leaseMs: LONG_LEASE_MS }),
          [],
        );
        const step = (lease: Lease): CommitRequest => ({
          shards: [{ ...firstStep(at.shard), lease: lease.number }],
          table: at.table,
          rows: [put('k', 1n, {})],
        });
        assert.deepEqual(await store.commit(step(former!)), { kind: 'lost' });
        assert.equal((await rowIn(query, at.table, at.shard, 'k')).row, null);
        assert.deepEqual(await store.commit(step(taken)), { kind: 'committed' });
      });

      test('expiry alone takes nothing away: while nobody else came, the holder commits and renews', async () => {
        const at = await place();
        const [lease] = await store.claim({ holder: 'a', shards: [at.shard], leaseMs: 0 });
        assert.deepEqual(
          await store.commit({
            shards: [{ ...firstStep(at.shard), lease: lease!.number }],
            table: at.table,
            rows: [],
          }),
          { kind: 'committed' },
        );
        assert.deepEqual(
          await store.renew({ holder: 'a', shards: [], held: [lease!], leaseMs: LONG_LEASE_MS }),
          [lease],
        );
        assert.deepEqual(await store.claim({ holder: 'b', shards: [at.shard], leaseMs: LONG_LEASE_MS }), []);
      });

      test('a renewal answers what is still held and leaves out what is not', async () => {
        const at = await place();
        const leases = [...(await held([at.shard, at.other], 'a')).values()];
        const released = leases.filter(({ shard }) => shard === at.other);
        await store.release(released);
        const renewed = await store.renew({ holder: 'a', shards: [], held: leases, leaseMs: LONG_LEASE_MS });
        assert.deepEqual(
          renewed,
          leases.filter(({ shard }) => shard === at.shard),
        );
        assert.deepEqual(
          await store.renew({ holder: 'b', shards: [], held: leases, leaseMs: LONG_LEASE_MS }),
          [],
        );
      });

      test('a released lease is free at once, under a higher number; releasing an old number changes nothing', async () => {
        const at = await place();
        const [first] = await store.claim({ holder: 'a', shards: [at.shard], leaseMs: LONG_LEASE_MS });
        await store.release([first!]);
        const [second] = await store.claim({ holder: 'b', shards: [at.shard], leaseMs: LONG_LEASE_MS });
        assert.deepEqual(second, { shard: at.shard, number: 2n });
        await store.release([first!]);
        assert.deepEqual(await store.claim({ holder: 'c', shards: [at.shard], leaseMs: LONG_LEASE_MS }), []);
      });

      test('when four instances claim at once, each shard goes to exactly one of them', async () => {
        const at = await place();
        const stores = await Promise.all([1, 2, 3, 4].map(() => fixture.openApplyStore()));
        try {
          const claims = await Promise.all(
            stores.map((each, index) =>
              each.claim({ holder: `r${index}`, shards: [at.other, at.shard], leaseMs: LONG_LEASE_MS }),
            ),
          );
          assert.deepEqual(
            claims.flat().toSorted((x, y) => (x.shard < y.shard ? -1 : 1)),
            [
              { shard: at.shard, number: 1n },
              { shard: at.other, number: 1n },
            ],
          );
        } finally {
          await Promise.all(stores.map((each) => each.close()));
        }
      });
    });

    describe('sessions and outcomes', () => {
      test('are read back as written, numbers near 2^63 included, by every store that asks afterwards', async () => {
        const at = await place();
        const { commit } = await committer(at);
        const sessions = [sessionOf('a', BIGINT_MAX), { ...sessionOf('b', 0n), holed: true }];
        const outcomes: readonly Outcome[] = [
          {
            ...outcomeOf('a'),
            sequence: sequence(BIGINT_MAX),
            epoch: epoch(BIGINT_MAX - 1n),
            eventKeys: ['eu:ä "q" \\ {,}', 'eu:😀'],
            degraded: true,
          },
          { ...outcomeOf('b'), verdict: 'expired', fingerprint: null, eventKeys: [] },
        ];
        await commit([], { sessions, outcomes });

        const second = await fixture.openApplyStore();
        try {
          const [loaded] = await second.load([at.shard]);
          assert.deepEqual(
            loaded!.sessions,
            new Map(sessions.map((session) => [session.publisher, session])),
          );
          const asked = {
            outcomes: new Set([outcomes[0]!.key, outcomes[1]!.key, id128('9') as KeyHash]),
            rows: new Set<string>(),
          };
          const answers = await second.read(at.table, new Map([[at.shard, asked]]), false);
          assert.deepEqual(
            answers.get(at.shard)!.outcomes,
            new Map(outcomes.map((outcome) => [outcome.key, outcome])),
          );
        } finally {
          await second.close();
        }
        assert.deepEqual(await query.outcomes([at.other, at.shard], outcomes[1]!.key), [
          { shard: at.shard, outcome: outcomes[1] },
        ]);
      });

      test('a session moves on and a key may be bound again: the newer ones replace the older', async () => {
        const at = await place();
        const { commit } = await committer(at);
        await commit([], { sessions: [sessionOf('a', 1n), sessionOf('b', 1n)], outcomes: [outcomeOf('a')] });
        const rebound: Outcome = {
          ...outcomeOf('a'),
          verdict: 'guard',
          sequence: sequence(2n),
          fingerprint: null,
          eventKeys: ['x'],
        };
        await commit([], { sessions: [{ ...sessionOf('a', 2n), holed: true }], outcomes: [rebound] });
        const [loaded] = await store.load([at.shard]);
        assert.deepEqual(
          [...loaded!.sessions.values()].toSorted((x, y) => (x.publisher < y.publisher ? -1 : 1)),
          [{ ...sessionOf('a', 2n), holed: true }, sessionOf('b', 1n)],
        );
        assert.deepEqual(await query.outcomes([at.shard], rebound.key), [
          { shard: at.shard, outcome: rebound },
        ]);
      });

      test('the same key in two shards has two outcomes', async () => {
        const at = await place();
        const { step } = await committer(at);
        const other: Outcome = { ...outcomeOf('a'), verdict: 'policy' };
        await store.commit({
          shards: [step(at.shard, { outcomes: [outcomeOf('a')] }), step(at.other, { outcomes: [other] })],
          table: at.table,
          rows: [],
        });
        const found = await query.outcomes([at.shard, at.other], other.key);
        assert.deepEqual(
          found.toSorted((x, y) => (x.shard < y.shard ? -1 : 1)),
          [
            { shard: at.shard, outcome: outcomeOf('a') },
            { shard: at.other, outcome: other },
          ],
        );
      });

      test('cleaning deletes what is older than what the cursor remembers, and nothing else', async () => {
        const at = await place();
        const { commit } = await committer(at);
        const sinceMs = 1_000_000;
        const times = { a: sinceMs - 1, b: sinceMs, c: sinceMs + 5 };
        const items = Object.entries(times).map(([digit, logTimeMs]) => ({ digit, logTimeMs }));
        const remembering = { sessionsSinceMs: sinceMs, outcomesSinceMs: sinceMs + 5 };
        await commit([], {
          cursor: { ...cursorAt(at.shard, 1n), logTimeMs: sinceMs + 9, ...remembering },
          sessions: items.map(({ digit, logTimeMs }) => ({ ...sessionOf(digit, 1n), logTimeMs })),
          outcomes: items.map(({ digit, logTimeMs }) => ({ ...outcomeOf(digit), logTimeMs })),
        });
        assert.equal(await store.clean([at.shard]), 3);
        assert.equal(await store.clean([at.shard]), 0);
        const sessions = [...(await store.load([at.shard]))[0]!.sessions.keys()].toSorted();
        assert.deepEqual(sessions, [id128('b'), id128('c')]);
        const found = await Promise.all(
          Object.keys(times).map(
            async (digit) => (await query.outcomes([at.shard], outcomeOf(digit).key)).length,
          ),
        );
        assert.deepEqual(found, [0, 0, 1]);
      });

      test('fenced attempts are read back as written, newest first, of the shards asked for only', async () => {
        const at = await place();
        const { step } = await committer(at);
        const full = fencedAt(2n ** 53n, {
          number: entryNumber(BIGINT_MAX),
          idempotencyKey: id128('a') as KeyHash,
          traceparent: `00-${id128('b')}-${'c'.repeat(16)}-01`,
        });
        const earlier = fencedAt(9n, { logTimeMs: 1 });
        const elsewhere = fencedAt(2n);
        const committed = await store.commit({
          shards: [
            step(at.shard, { fenced: [earlier, fencedAt(1n), full] }),
            step(at.other, { fenced: [elsewhere] }),
          ],
          table: at.table,
          rows: [],
        });
        assert.deepEqual(committed, { kind: 'committed' });
        const here = (attempt: FencedAttempt) => ({ shard: at.shard, attempt, outcome: null });
        const there = { shard: at.other, attempt: elsewhere, outcome: null };
        assert.deepEqual(await query.quarantined([at.other, at.shard], 9), [
          here(full),
          here(fencedAt(1n)),
          there,
          here(earlier),
        ]);
        assert.deepEqual(await query.quarantined([at.shard], 2), [here(full), here(fencedAt(1n))]);
        assert.deepEqual(await query.quarantined([], 9), []);
      });

      test('a fenced attempt shows what its key was bound to since, in its own shard', async () => {
        const at = await place();
        const { commit, step } = await committer(at);
        const key = outcomeOf('a').key;
        await commit([], { fenced: [fencedAt(1n, { idempotencyKey: key })] });
        const other = step(at.other, { outcomes: [{ ...outcomeOf('a'), verdict: 'guard' }] });
        await store.commit({ shards: [other], table: at.table, rows: [] });
        const outcomeNow = async (): Promise<unknown> => (await query.quarantined([at.shard], 1))[0]!.outcome;
        assert.equal(await outcomeNow(), null);
        await commit([], { outcomes: [{ ...outcomeOf('a'), sequence: sequence(7n) }] });
        assert.deepEqual(await outcomeNow(), { verdict: 'accepted', sequence: 7n });
      });

      test('cleaning deletes fenced attempts as it deletes outcomes', async () => {
        const at = await place();
        const { commit } = await committer(at);
        const [sinceMs, logTimeMs] = [1_000_000, 2_000_000];
        const kept = fencedAt(2n, { logTimeMs: sinceMs });
        await commit([], {
          cursor: { ...cursorAt(at.shard, 1n), logTimeMs, outcomesSinceMs: sinceMs, sessionsSinceMs: 0 },
          fenced: [fencedAt(1n, { logTimeMs: sinceMs - 1 }), kept],
        });
        assert.equal(await store.clean([at.shard]), 1);
        const left = await query.quarantined([at.shard], 9);
        assert.deepEqual(
          left.map(({ attempt }) => attempt),
          [kept],
        );
      });

      test('one cleaning call is bounded, and repeated calls finish the work', async () => {
        const at = await place();
        const { commit } = await committer(at);
        const count = 2_500;
        const outcomes = Array.from({ length: count }, (_, index) => ({
          ...outcomeOf('a'),
          key: index.toString(16).padStart(32, '0') as KeyHash,
          logTimeMs: 0,
        }));
        await commit([], {
          cursor: { ...cursorAt(at.shard, 1n), logTimeMs: 10_000, outcomesSinceMs: 9_999 },
          outcomes,
        });
        const deleted: number[] = [];
        do deleted.push(await store.clean([at.shard]));
        while (deleted.at(-1) !== 0 && deleted.length < count);
        assert.ok(deleted.length > 2);
        assert.equal(
          deleted.reduce((sum, each) => sum + each),
          count,
        );
      });
    });

    describe('rows', () => {
      const fullRow = {
        label: 'quote " backslash \\ braces {} comma , NULL',
        count: Number.MAX_SAFE_INTEGER,
        value: 0.1 + 0.2,
        open: true,
        at: '2026-01-02T03:04:05.123456Z',
        total: '123456789012345678901234567890.50',
      };
      const sets = (row: { readonly [column: string]: ColumnValue }): Record<string, ColumnOperation> =>
        Object.fromEntries(Object.entries(row).map(([column, value]) => [column, set(value)]));

      test('values of every column type are read back as written, with the version and the cursor of the same moment', async () => {
        const at = await place();
        const { commit } = await committer(at);
        await commit([
          put('full', 1n, sets(fullRow)),
          put('null', 1n, sets(NOTHING)),
          put('touched', 1n, {}),
        ]);
        assert.deepEqual(await rowIn(query, at.table, at.shard, 'full'), {
          cursor: cursorAt(at.shard, 1n),
          row: { version: 1n, columns: fullRow },
        });
        assert.deepEqual(await columnsOf(at, 'null'), NOTHING);
        assert.deepEqual(await columnsOf(at, 'touched'), NOTHING);
        assert.deepEqual(await rowIn(query, at.table, at.shard, 'absent'), {
          cursor: cursorAt(at.shard, 1n),
          row: null,
        });
      });

      test('rows of several shards and tables are read in the order asked, with the cursors of the same moment', async () => {
        const [one, other] = [await place(), await place()];
        const table = { ...other.table, table: `${other.table.table}_too` };
        await query.ensureTable(table);
        const { commit } = await committer(one);
        await commit([put('a', 1n, {})]);
        const { commit: commitOther } = await committer({ ...other, table });
        await commitOther([put('b', 1n, {})]);
        const rows = await query.rows([
          { table, shard: other.shard, key: 'b' },
          { table: one.table, shard: one.shard, key: 'absent' },
          { table: one.table, shard: one.shard, key: 'a' },
        ]);
        assert.deepEqual(
          rows.map(({ cursor, row }) => [cursor.shard, cursor.sequence, row?.version ?? null]),
          [
            [other.shard, 1n, 1n],
            [one.shard, 1n, null],
            [one.shard, 1n, 1n],
          ],
        );
      });

      for (const [what, column, given, expected] of [
        ['an empty text', 'label', '', ''],
        ['the word NULL', 'label', 'NULL', 'NULL'],
        ['control characters', 'label', 'a\n\t\r\u0001b', 'a\n\t\r\u0001b'],
        ['the least integer', 'count', Number.MIN_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
        ['a number that JavaScript writes with an exponent', 'value', 1e-7, 1e-7],
        ['the smallest number', 'value', 5e-324, 5e-324],
        ['the largest number', 'value', Number.MAX_VALUE, Number.MAX_VALUE],
        ['a negative zero', 'value', -0, -0],
        ['false', 'open', false, false],
        ['a time without fraction', 'at', '2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z'],
        [
          'a time with trailing zeros, shortened',
          'at',
          '2026-01-02T03:04:05.120Z',
          '2026-01-02T03:04:05.12Z',
        ],
        [
          'a time with an empty fraction, shortened',
          'at',
          '2026-01-02T03:04:05.000Z',
          '2026-01-02T03:04:05Z',
        ],
        ['the first year', 'at', '0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z'],
        ['the last microsecond', 'at', '9999-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999999Z'],
        ['a leap day', 'at', '2024-02-29T12:00:00Z', '2024-02-29T12:00:00Z'],
        ['a negative numeric', 'total', '-0.001', '-0.001'],
      ] satisfies readonly (readonly [string, string, ColumnValue, ColumnValue])[]) {
        test(`${what} is kept`, async () => {
          const at = await place();
          const { commit } = await committer(at);
          await commit([put('k', 1n, { [column]: set(given) })]);
          assert.deepEqual(await columnsOf(at, 'k'), { ...NOTHING, [column]: expected });
        });
      }

      test('columns that are not named keep their value, whichever rows of the batch name them', async () => {
        const at = await place();
        const { commit } = await committer(at);
        await commit(['a', 'b', 'c'].map((key) => put(key, 1n, sets(fullRow))));
        await commit([
          put('a', 2n, { count: set(1) }),
          put('b', 2n, { label: set(null) }),
          put('c', 2n, {}),
          put('d', 2n, { open: set(false) }),
        ]);
        assert.deepEqual(await columnsOf(at, 'a'), { ...fullRow, count: 1 });
        assert.deepEqual(await columnsOf(at, 'b'), { ...fullRow, label: null });
        assert.deepEqual(await columnsOf(at, 'c'), fullRow);
        assert.deepEqual(await columnsOf(at, 'd'), { ...NOTHING, open: false });
      });

      test('add counts null as zero and never overflows', async () => {
        const at = await place();
        const { commit } = await committer(at);
        const add = (value: bigint) => ({ total: { kind: 'add', value } as const });
        await commit([put('a', 1n, add(BIGINT_MAX))]);
        await commit([put('a', 2n, add(BIGINT_MAX)), put('b', 2n, add(-3n))]);
        await commit([put('a', 3n, add(BIGINT_MAX)), put('b', 3n, {}), put('c', 3n, { total: set('0.50') })]);
        await commit([put('b', 4n, add(1n)), put('c', 4n, add(2n))]);
        assert.deepEqual(await columnsOf(at, 'a'), { ...NOTHING, total: (3n * BIGINT_MAX).toString() });
        assert.deepEqual(await columnsOf(at, 'b'), { ...NOTHING, total: '-2' });
        assert.deepEqual(await columnsOf(at, 'c'), { ...NOTHING, total: '2.50' });
      });

      for (const [column, ascending] of [
        // In the order of UTF-8 bytes, where U+FF5E comes before U+1F600; UTF-16 code units and most languages differ.
        ['label', ['A', 'B', 'a', 'ä', '\uff5e', '😀']],
        ['count', [-5, 9, 10]],
        ['value', [-0.5, 9, 10.25]],
        [
          'at',
          [
            '2025-12-31T23:59:59.9Z',
            '2026-01-01T00:00:00Z',
            '2026-01-01T00:00:00.000001Z',
            '2026-01-01T00:00:00.5Z',
          ],
        ],
        ['total', ['-1', '9', '10', '10.5']],
      ] satisfies readonly (readonly [string, readonly ColumnValue[]])[]) {
        test(`max and min of ${column} go by value, and null gives way`, async () => {
          const at = await place();
          const { commit } = await committer(at);
          const change = (kind: 'max' | 'min', value: ColumnValue) => ({
            [column]: { kind, value: value as string | number },
          });
          const [least, greatest] = [ascending[0]!, ascending.at(-1)!];
          let version = 0n;
          for (const value of [...ascending.slice(1), ...ascending.toReversed()]) {
            version += 1n;
            await commit([put('high', version, change('max', value))]);
            await commit([put('low', version, change('min', value))]);
          }
          assert.deepEqual(await columnsOf(at, 'high'), { ...NOTHING, [column]: greatest });
          assert.deepEqual(await columnsOf(at, 'low'), { ...NOTHING, [column]: least });
          for (let i = 1; i < ascending.length; i += 1) {
            version += 1n;
            await commit([put(`pair ${i}`, version, { [column]: set(ascending[i - 1]!) })]);
            await commit([put(`pair ${i}`, version + 1n, change('max', ascending[i]!))]);
            assert.deepEqual(await columnsOf(at, `pair ${i}`), { ...NOTHING, [column]: ascending[i] });
          }
        });
      }

      test('one batch may set, add to, raise and lower the same column in different rows', async () => {
        const at = await place();
        const { commit } = await committer(at);
        const keys = ['add', 'keep', 'max', 'min', 'new', 'set'];
        await commit(keys.filter((key) => key !== 'new').map((key) => put(key, 1n, { total: set('10') })));
        await commit([
          put('add', 2n, { total: { kind: 'add', value: 5n } }),
          put('keep', 2n, {}),
          put('max', 2n, { total: { kind: 'max', value: '11' } }),
          put('min', 2n, { total: { kind: 'min', value: '9' } }),
          put('new', 2n, { total: { kind: 'add', value: 1n } }),
          put('set', 2n, { total: set(null) }),
        ]);
        const totals = await Promise.all(
          keys.map(async (key) => ((await columnsOf(at, key)) as { total: ColumnValue }).total),
        );
        assert.deepEqual(totals, ['15', '10', '11', '9', '1', null]);
      });

      test('a row is changed, and deleted, only by a higher version than its own', async () => {
        const at = await place();
        const { commit } = await committer(at);
        await commit([
          put('a', 5n, { count: set(5) }),
          put('b', 5n, { count: set(5) }),
          put('c', 5n, { count: set(5) }),
        ]);
        await commit([
          put('a', 5n, { count: set(6) }),
          put('b', 4n, { count: set(4) }),
          put('c', 6n, { count: set(6) }),
          put('d', 1n, {}),
        ]);
        await commit([remove('a', 5n), remove('c', 6n), remove('d', 1n), remove('never', 9n)]);
        const versions = await Promise.all(
          ['a', 'b', 'c', 'd'].map(async (key) => (await rowIn(query, at.table, at.shard, key)).row),
        );
        assert.deepEqual(
          versions.map((row) => [row?.version, row?.columns['count']]),
          [
            [5n, 5],
            [5n, 5],
            [6n, 6],
            [1n, null],
          ],
        );
        await commit([remove('a', 6n), put('b', 6n, { count: set(7) }), remove('c', 7n)]);
        assert.equal(await columnsOf(at, 'a'), undefined);
        assert.deepEqual(await columnsOf(at, 'b'), { ...NOTHING, count: 7 });
        assert.equal(await columnsOf(at, 'c'), undefined);
      });

      test('a row that was deleted before in the same batch begins anew: what is not named becomes null', async () => {
        const at = await place();
        const { commit } = await committer(at);
        await commit(['a', 'b', 'c', 'd'].map((key) => put(key, 1n, sets(fullRow))));
        await commit([
          { ...put('a', 2n, { total: { kind: 'add', value: 3n } }), replaces: true },
          put('b', 2n, { total: { kind: 'add', value: 3n } }),
          { ...put('c', 2n, { label: { kind: 'max', value: 'A' } }), replaces: true },
          { ...put('d', 2n, {}), replaces: true },
          { ...put('e', 2n, { open: set(true) }), replaces: true },
        ]);
        assert.deepEqual(await columnsOf(at, 'a'), { ...NOTHING, total: '3' });
        assert.deepEqual(await columnsOf(at, 'b'), {
          ...fullRow,
          total: '123456789012345678901234567893.50',
        });
        assert.deepEqual(await columnsOf(at, 'c'), { ...NOTHING, label: 'A' });
        assert.deepEqual(await columnsOf(at, 'd'), NOTHING);
        assert.deepEqual(await columnsOf(at, 'e'), { ...NOTHING, open: true });
      });

      test('keys are compared by their exact text, never normalised', async () => {
        const at = await place();
        const { commit } = await committer(at);
        // In code unit order, as batches are sorted; composed and decomposed forms are two keys.
        const keys = [
          'E',
          'e',
          'e\u0301',
          'eu:"q"\\{a,b}',
          'NULL',
          '\u00e9',
          '\u6f22',
          '\ud83d\ude00',
          '\uff5e',
        ].toSorted();
        await commit(keys.map((key, index) => put(key, 1n, { count: set(index) })));
        await commit(keys.map((key) => put(key, 2n, { label: set(key) })));
        const asked = { outcomes: new Set<KeyHash>(), rows: new Set([...keys, 'absent']) };
        const answers = await store.read(at.table, new Map([[at.shard, asked]]), true);
        assert.deepEqual(
          answers.get(at.shard)!.rows,
          new Map(
            keys.map((key, index) => [
              key,
              { version: 2n, columns: { ...NOTHING, count: index, label: key } },
            ]),
          ),
        );
      });

      test('a read answers by shard and says where it stands, with columns only where they are asked for, and leaves out what is absent', async () => {
        const at = await place();
        const { commit } = await committer(at);
        await commit([put('a', 1n, { count: set(1) }), put('b', 1n, { count: set(2) })], {
          outcomes: [outcomeOf('a')],
        });
        const reads = new Map([
          [at.shard, { outcomes: new Set([outcomeOf('a').key]), rows: new Set(['a']) }],
          [at.other, { outcomes: new Set([outcomeOf('a').key]), rows: new Set(['b', 'c']) }],
        ]);
        assert.deepEqual(
          await store.read(at.table, reads, false),
          new Map([
            [
              at.shard,
              {
                outcomes: new Map([[outcomeOf('a').key, outcomeOf('a')]]),
                rows: new Map([['a', { version: 1n, columns: null }]]),
                sequence: 1n,
              },
            ],
            [
              at.other,
              { outcomes: new Map(), rows: new Map([['b', { version: 1n, columns: null }]]), sequence: 0n },
            ],
          ]),
        );
        const nothing = new Map([[at.shard, { outcomes: new Set<KeyHash>(), rows: new Set<string>() }]]);
        assert.deepEqual(
          await store.read(at.table, nothing, true),
          new Map([[at.shard, { outcomes: new Map(), rows: new Map(), sequence: 1n }]]),
        );
      });

      for (const [what, columns] of [
        ['a number for a text', { label: set(1) }],
        ['a text for an integer', { count: set('1') }],
        ['a fraction for an integer', { count: set(1.5) }],
        ['an integer that JavaScript cannot hold', { count: set(2 ** 60) }],
        ['no number', { value: set(Number.NaN) }],
        ['a number for a boolean', { open: set(1) }],
        ['a month that does not exist', { at: set('2026-13-01T00:00:00Z') }],
        ['a text with NUL', { label: set('a\0b') }],
        ['a text for a numeric', { total: set('ten') }],
        ['adding to an integer', { count: { kind: 'add', value: 1n } }],
        ['a column that the table lacks', { missing: set(1) }],
      ] satisfies readonly (readonly [string, Record<string, ColumnOperation>])[]) {
        test(`${what} is refused as a defect, and nothing is written`, async () => {
          const at = await place();
          const { request, commit } = await committer(at);
          const before = await everything(at, 'k');
          const refused = store.commit(
            request([put('k', 1n, columns)], { sessions: [sessionOf('a', 1n)], outcomes: [outcomeOf('a')] }),
          );
          await assert.rejects(refused, { name: 'PortError', code: 'effects-refused', disposition: 'fatal' });
          assert.deepEqual(await everything(at, 'k'), before);
          await commit([put('k', 1n, {})]);
        });
      }

      test('a batch of two thousand rows is written whole', async () => {
        const at = await place();
        const { commit } = await committer(at);
        const keys = Array.from({ length: 2_000 }, (_, index) => `key ${index.toString().padStart(5, '0')}`);
        await commit(keys.map((key, index) => put(key, 1n, { count: set(index), label: set(key) })));
        await commit(
          keys.map((key, index) =>
            index % 2 === 0 ? remove(key, 2n) : put(key, 2n, { count: set(-index) }),
          ),
        );
        const asked = { outcomes: new Set<KeyHash>(), rows: new Set(keys) };
        const rows = (await store.read(at.table, new Map([[at.shard, asked]]), true)).get(at.shard)!.rows;
        assert.deepEqual(
          rows,
          new Map(
            keys.flatMap((key, index) =>
              index % 2 === 0
                ? []
                : [[key, { version: 2n, columns: { ...NOTHING, count: -index, label: key } }] as const],
            ),
          ),
        );
      });
    });

    describe('tables and configurations', () => {
      test('a table is created once, also by several that start at the same time', async () => {
        const table: ProjectedTable = {
          dataset: 'd' as DatasetName,
          table: 'conformance_started_together',
          columns: COLUMNS,
        };
        assert.deepEqual(await Promise.all([1, 2, 3, 4].map(() => query.ensureTable(table))), [
          [],
          [],
          [],
          [],
        ]);
      });

      test('a table that differs is left alone and every difference is named', async () => {
        const table: ProjectedTable = {
          dataset: 'd' as DatasetName,
          table: 'conformance_differs',
          columns: COLUMNS,
        };
        await query.ensureTable(table);
        const wanted: ProjectedTable['columns'] = [
          { name: 'label', type: 'text' },
          { name: 'count', type: 'numeric' },
          { name: 'value', type: 'double precision' },
          { name: 'at', type: 'timestamptz' },
          { name: 'total', type: 'numeric' },
          { name: 'added', type: 'boolean' },
        ];
        const differences = await query.ensureTable({ ...table, columns: wanted });
        assert.equal(differences.length, 3);
        const named = [
          /"count".* type bigint instead of numeric/,
          /lacks column "added"/,
          /column "open" that the projection does not name/,
        ];
        assert.deepEqual(
          named.filter((pattern) => !differences.some((difference) => pattern.test(difference))),
          [],
        );
        assert.deepEqual(await query.ensureTable(table), []);
      });

      test('names with upper case, spaces, quotes and reserved words are names like any other', async () => {
        const at = await place();
        const columns: ProjectedTable['columns'] = [
          { name: 'select', type: 'text' },
          { name: 'Two "words"; --', type: 'bigint' },
        ];
        const table: ProjectedTable = {
          dataset: at.table.dataset,
          table: 'Conformance "order"; --',
          columns,
        };
        assert.deepEqual(await query.ensureTable(table), []);
        assert.deepEqual(await query.ensureTable(table), []);
        const { commit } = await committer({ ...at, table });
        await commit([put('k', 1n, { select: set('x'), 'Two "words"; --': set(2) })]);
        await commit([put('k', 2n, { select: { kind: 'max', value: 'y' } }), put('l', 2n, {})]);
        assert.deepEqual((await rowIn(query, table, at.shard, 'k')).row!.columns, {
          select: 'y',
          'Two "words"; --': 2,
        });
      });

      test('a configuration is kept under its hash; keeping it again is harmless', async () => {
        const hash = 'c'.repeat(64) as ConfigurationHash;
        const kept = async (): Promise<readonly unknown[]> =>
          (await query.configurations()).filter((configuration) => configuration.hash === hash);
        assert.deepEqual(await kept(), []);
        await query.keepConfiguration(hash, CONFIGURATION);
        await query.keepConfiguration(hash, CONFIGURATION);
        assert.deepEqual(await kept(), [{ hash, content: CONFIGURATION }]);
      });
    });

    describe('connections', () => {
      test('every store of one database names the same incarnation, and a check succeeds', async () => {
        const second = await fixture.openApplyStore();
        try {
          const incarnation = await store.incarnation();
          assert.match(incarnation, /^[0-9a-f]{32}$/);
          assert.equal(await second.incarnation(), incarnation);
          await assert.doesNotReject(query.check());
        } finally {
          await second.close();
        }
      });

      test('of two that begin a new life of the database at once, one does, and both are told the same', async () => {
        const second = await fixture.openApplyStore();
        try {
          const before = await store.incarnation();
          const renewed = await Promise.all([store, second].map((one) => one.renewIncarnation(before, 7)));
          assert.notEqual(renewed[0], before);
          assert.equal(renewed[1], renewed[0]);
          assert.match(renewed[0]!, /^00000007[0-9a-f]{24}$/);
          assert.equal(await store.incarnation(), renewed[0]);
          assert.equal(await second.renewIncarnation(before, 9), renewed[0]);
        } finally {
          await second.close();
        }
      });

      test('queries may run at the same time', async () => {
        const at = await place();
        const { commit } = await committer(at);
        await commit(
          Array.from({ length: 50 }, (_, index) =>
            put(`k${index.toString().padStart(2, '0')}`, 1n, { count: set(index) }),
          ),
        );
        const rows = await Promise.all(
          Array.from({ length: 50 }, (_, index) => columnsOf(at, `k${index.toString().padStart(2, '0')}`)),
        );
        assert.deepEqual(
          rows,
          Array.from({ length: 50 }, (_, index) => ({ ...NOTHING, count: index })),
        );
      });

      test('a closed apply store rejects every call as certainly not done; closing again is harmless', async () => {
        const at = await place();
        const closed = await fixture.openApplyStore();
        await closed.close();
        await closed.close();
        await assert.rejects(closed.load([at.shard]), {
          code: 'store-disconnected',
          disposition: 'retryable',
        });
        await assert.rejects(closed.commit({ shards: [firstStep(at.shard)], table: at.table, rows: [] }), {
          code: 'store-disconnected',
          disposition: 'retryable',
        });
      });
    });
  });
}

const set = (value: ColumnValue): ColumnOperation => ({ kind: 'set', value });

const rowIn = async (
  query: QueryStore,
  table: ProjectedTable,
  shard: ShardName,
  key: string,
): Promise<StoredRow> => (await query.rows([{ table, shard, key }]))[0]!;

const put = (
  key: string,
  version: bigint,
  columns: Record<string, ColumnOperation>,
): RowOperation & { readonly kind: 'put' } => ({
  kind: 'put',
  key,
  version: sequence(version),
  replaces: false,
  columns: new Map(Object.entries(columns)),
});

const remove = (key: string, version: bigint): RowOperation => ({
  kind: 'delete',
  key,
  version: sequence(version),
});

/** A cursor with nothing left at its default; offsets have gaps, as in a real log. */
function cursorAt(shard: ShardName, at: bigint): Cursor {
  return {
    shard,
    logIncarnation: id128('1') as LogIncarnation,
    offset: offset(at * 10n - 1n),
    sequence: sequence(at),
    epoch: epoch(3n),
    home: 'eu' as RegionName,
    term: 4n,
    decision: 5n,
    logTimeMs: 1_700_000_000_000,
    sessionsSinceMs: 1_600_000_000_000,
    outcomesSinceMs: 1_690_000_000_000,
    inputHash: hashFromHex(id128('a')),
    effectsHash: hashFromHex(id128('b')),
    configuration: 'd'.repeat(64) as ConfigurationHash,
    rules: [
      {
        from: sequence(1n),
        text: 'any 1 of [eu, us]',
        withdrawn: ['us' as RegionName],
        demands: [{ needed: 1, domains: [['eu' as RegionName]] }],
        jointly: [{ needed: 2, domains: [['eu' as RegionName], ['us' as RegionName]] }],
      },
    ],
    recordDigest: hashFromHex(id128('c')),
    mark: null,
  };
}

const firstStep = (shard: ShardName): ShardCommit => ({
  shard,
  lease: leaseNumber(1n),
  expectedOffset: offset(-1n),
  expectedSequence: sequence(0n),
  cursor: cursorAt(shard, 1n),
  sessions: [],
  outcomes: [],
  fenced: [],
});

const sessionOf = (digit: string, last: bigint): Session => ({
  publisher: id128(digit) as PublisherId,
  last: entryNumber(last),
  holed: false,
  logTimeMs: 1_700_000_000_000,
});

const fencedAt = (at: bigint, changes: Partial<FencedAttempt> = {}): FencedAttempt => ({
  sequence: sequence(at),
  logIncarnation: id128('1') as LogIncarnation,
  region: 'eu' as RegionName,
  publisher: id128('e') as PublisherId,
  number: entryNumber(at),
  epoch: epoch(1n),
  shardEpoch: epoch(2n),
  firstKey: 'eu:"a" \\ {,} \u{1f600}',
  idempotencyKey: null,
  traceparent: null,
  logTimeMs: 1_700_000_000_000,
  ...changes,
});

const outcomeOf = (digit: string): Outcome => ({
  key: id128(digit) as KeyHash,
  fingerprint: id128('f') as Fingerprint,
  verdict: 'accepted',
  sequence: sequence(1n),
  epoch: epoch(1n),
  logTimeMs: 1_700_000_000_000,
  appendTimeMs: 1_700_000_000_001,
  degraded: false,
  eventKeys: ['eu:a'],
});

function byShard<T extends { readonly cursor: Cursor }>(states: readonly T[]): readonly T[] {
  return states.toSorted((x, y) => (x.cursor.shard < y.cursor.shard ? -1 : 1));
}

/** The event to wait for is that the database lets the lease go, and a claim is the only way to see it. */
async function claimWhenExpired(store: ApplyStore, shard: ShardName): Promise<Lease> {
  const deadlineMs = Date.now() + EXPIRY_WAIT_MS_MAX;
  while (Date.now() < deadlineMs) {
    const [lease] = await store.claim({ holder: 'b', shards: [shard], leaseMs: LONG_LEASE_MS });
    if (lease !== undefined) return lease;
  }
  throw new Error(`the lease of ${shard} did not expire`);
}

const CONFIGURATION: ConfigurationContent = {
  formatVersion: 1,
  dataset: 'orders' as DatasetName,
  class: 'standard',
  writers: 'log',
  keys: 'always',
  placement: 'stretched',
  quorum: null,
  groups: [
    {
      name: 'eu' as never,
      home: 'eu' as RegionName,
      firstShard: 0,
      shards: 2,
      regions: ['eu' as RegionName],
    },
  ],
  limits: { entryBytesMax: 1, eventsPerEntryMax: 2, notAfterAheadMsMax: 3 },
  retention: { outcomesMs: 4, sessionsMs: 5 },
  events: [
    { type: 'placed', version: 1, schema: { type: 'string', maxLength: 7, enum: ['ä', 'NUL \0', '\\ "'] } },
  ],
  projection: {
    kind: 'aggregate',
    version: 1,
    table: 'orders',
    columns: COLUMNS,
    reducer: 'export const reduce = 1;',
  },
};
