import { randomBytes } from 'node:crypto';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { isPortError, type ApplyStore, type CommitRequest, type ProjectedTable } from '@lockstep/engine';
import { leaseNumber, offset, sequence, shardName } from '@lockstep/protocol';
import type {
  ColumnOperation,
  ColumnValue,
  Cursor,
  DatasetName,
  KeyHash,
  RowOperation,
  StoreIncarnation,
  Verdict,
} from '@lockstep/protocol';
import { memoryStore, outboxConformance, realTimeCompletions, storeConformance } from '@lockstep/testing';
import {
  migrate,
  openApplyStore,
  openOutboxStore,
  openQueryStore,
  type PostgresQueryStore,
} from './index.js';
import { openServiceStore } from './service-store.fixture.js';

interface Database {
  readonly url: string;
  /** As superuser, on this database. */
  run(statement: string): Promise<readonly pg.QueryResultRow[]>;
  drop(): Promise<void>;
}

/** A database of its own on the server that the test run started. */
async function createDatabase(): Promise<Database> {
  const server = process.env['LOCKSTEP_TEST_POSTGRES'];
  if (server === undefined)
    throw new Error('LOCKSTEP_TEST_POSTGRES is not set: run the tests through npm test');
  const name = `store_${randomBytes(6).toString('hex')}`;
  const admin = new pg.Client({ connectionString: server });
  await admin.connect();
  await admin.query(`create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const client = new pg.Client({ connectionString: url.href });
  client.on('error', () => undefined);
  await client.connect();
  return {
    url: url.href,
    run: async (statement) => (await client.query(statement)).rows,
    drop: async () => {
      await client.end();
      await admin.query(`drop database ${name} with (force)`);
      await admin.end();
    },
  };
}

storeConformance('the Postgres store', async () => {
  const database = await createDatabase();
  await migrate(database.url);
  return {
    openApplyStore: () => openApplyStore({ url: database.url }),
    openQueryStore: () => openQueryStore({ url: database.url }),
    close: () => database.drop(),
  };
});

outboxConformance('the Postgres outbox', async () => {
  const database = await createDatabase();
  const { url } = database;
  await migrate(url);
  return {
    openApplyStore: () => openApplyStore({ url }),
    openQueryStore: () => openQueryStore({ url }),
    openOutboxStore: (onStored) => openOutboxStore({ url, onStored }),
    openServiceStore: () => Promise.resolve(openServiceStore(url)),
    undone: async (shard) => {
      const found = await database.run(
        `select key, reason, sequence, changes from lockstep.outbox_quarantine where shard = '${shard}' order by id`,
      );
      return found.map((row) => ({
        key: row['key'] as KeyHash,
        reason: row['reason'] as Verdict,
        sequence: sequence(BigInt(row['sequence'] as string)),
        rows: (row['changes'] as readonly { readonly key: string }[]).map(({ key }) => key),
      }));
    },
    close: () => database.drop(),
  };
});

/** Generous: an expired property says nothing about the store. */
const PROPERTY_MS_MAX = 60_000;

const DATASET = 'orders' as DatasetName;
const SHARD = shardName(DATASET, 0);
const TABLE: ProjectedTable = {
  dataset: DATASET,
  table: 'orders',
  columns: [
    { name: 'label', type: 'text' },
    { name: 'count', type: 'bigint' },
    { name: 'value', type: 'double precision' },
    { name: 'open', type: 'boolean' },
    { name: 'at', type: 'timestamptz' },
    { name: 'total', type: 'numeric' },
  ],
};

/** The commit that moves the shard on by one, under the lease number that `claim` gave first. */
function nextCommit(cursor: Cursor, rows: readonly RowOperation[], table = TABLE): CommitRequest {
  const next = cursor.sequence + 1n;
  return {
    table,
    rows,
    shards: [
      {
        shard: cursor.shard,
        lease: leaseNumber(1n),
        expectedOffset: cursor.offset,
        expectedSequence: cursor.sequence,
        cursor: { ...cursor, offset: offset(cursor.offset + 1n), sequence: sequence(next) },
        sessions: [],
        outcomes: [],
        fenced: [],
      },
    ],
  };
}

async function heldShard(store: ApplyStore): Promise<Cursor> {
  await store.ensureShards([SHARD]);
  await store.claim({ holder: 'a', shards: [SHARD], leaseMs: 60_000 });
  const [state] = await store.load([SHARD]);
  return state!.cursor;
}

const put = (key: string, columns: Record<string, ColumnOperation> = {}): RowOperation => ({
  kind: 'put',
  key,
  version: sequence(1n),
  replaces: false,
  columns: new Map(Object.entries(columns)),
});

describe('migrations', () => {
  test('run once when three processes start at the same time, and change nothing when run again', async () => {
    const database = await createDatabase();
    try {
      await Promise.all([migrate(database.url), migrate(database.url), migrate(database.url)]);
      const incarnations = await database.run('select incarnation from lockstep.store');
      expect(incarnations).toEqual([{ incarnation: expect.stringMatching(/^[0-9a-f]{32}$/) }]);
      await migrate(database.url);
      expect(await database.run('select incarnation from lockstep.store')).toEqual(incarnations);
      expect(await database.run('select count(*)::int as count from lockstep.migration')).toEqual([
        { count: 7 },
      ]);
    } finally {
      await database.drop();
    }
  });

  test('give a cursor from before there were rules by position the rule of its configuration', async () => {
    const database = await createDatabase();
    try {
      await migrate(database.url);
      const groups = [{ name: 'eu', home: 'eu', firstShard: 0, shards: 1, regions: ['eu', 'us', 'ap'] }];
      const content = JSON.stringify({ quorum: 'any 1 of [us, ap]', groups });
      await database.run(`alter table lockstep.cursor drop column rules`);
      await database.run(`alter table lockstep.outcome drop column degraded`);
      await database.run(`delete from lockstep.migration where name like 'ManageQuorums%'`);
      await database.run(`insert into lockstep.configuration (hash, content) values ('h', '${content}')`);
      await database.run(
        `insert into lockstep.cursor (shard, home, configuration) values ('orders/0', 'eu', 'h'), ('orders/1', null, null)`,
      );
      await migrate(database.url);
      const query = await openQueryStore({ url: database.url });
      const cursors = await query.cursors([SHARD, shardName(DATASET, 1)]);
      await query.close();
      expect(cursors.map(({ rules }) => rules)).toEqual([
        [
          {
            from: 1n,
            text: 'any 1 of [us, ap]',
            withdrawn: [],
            demands: [{ needed: 1, domains: [['us'], ['ap']] }],
            jointly: [],
          },
        ],
        [],
      ]);
    } finally {
      await database.drop();
    }
  });

  test('a database without them is refused with what to do, by the query store on opening', async () => {
    const database = await createDatabase();
    try {
      await expect(openQueryStore({ url: database.url })).rejects.toMatchObject({
        code: 'store-not-migrated',
        disposition: 'fatal',
        message: expect.stringContaining('run the migrations'),
      });
    } finally {
      await database.drop();
    }
  });
});

describe('the Postgres store beside the promises of the port', () => {
  let database: Database;
  let query: PostgresQueryStore;

  beforeAll(async () => {
    database = await createDatabase();
    await migrate(database.url);
    query = await openQueryStore({ url: database.url });
    await query.ensureTable(TABLE);
  });

  afterAll(async () => {
    await query?.close();
    await database?.drop();
  });

  /** A shard of its own for each test: `SHARD` starts from the beginning. */
  const fresh = async (): Promise<{ readonly store: ApplyStore; readonly cursor: Cursor }> => {
    await database.run(
      'truncate lockstep.lease, lockstep.cursor, lockstep.session, lockstep.outcome, public.orders',
    );
    const store = await openApplyStore({ url: database.url });
    return { store, cursor: await heldShard(store) };
  };

  test('a store whose role has synchronous_commit off is refused: acknowledgements would lie', async () => {
    await database.run(
      `create role careless login superuser password 'careless'; alter role careless set synchronous_commit = off`,
    );
    try {
      const url = new URL(database.url);
      url.username = 'careless';
      url.password = 'careless';
      const refusal = {
        name: 'PortError',
        code: 'durability-off',
        disposition: 'fatal',
        message: expect.stringContaining('synchronous_commit'),
      };
      await expect(openApplyStore({ url: url.href })).rejects.toMatchObject(refusal);
      await expect(openQueryStore({ url: url.href })).rejects.toMatchObject(refusal);
    } finally {
      await database.run('drop role careless');
    }
  });

  test('settings of the role and options of the URL cannot change what is read back', async () => {
    const name = (await database.run('select current_database() as name'))[0]!['name'] as string;
    await database.run(`alter database ${name} set timezone = 'Asia/Kolkata'; alter database ${name} set datestyle = 'SQL, DMY';
      alter database ${name} set extra_float_digits = -5; alter database ${name} set default_transaction_isolation = 'serializable'`);
    try {
      const { store, cursor } = await fresh();
      const row = { at: '2026-01-02T03:04:05.678Z', value: 0.1 + 0.2 };
      await store.commit(
        nextCommit(cursor, [
          put('k', { at: { kind: 'set', value: row.at }, value: { kind: 'set', value: row.value } }),
        ]),
      );
      await store.close();
      const other = await openQueryStore({
        url: `${database.url}?options=-c%20timezone%3DAmerica%2FNew_York`,
      });
      const [stored] = await other.rows([{ table: TABLE, shard: SHARD, key: 'k' }]);
      expect(stored!.row!.columns).toMatchObject(row);
      await other.close();
    } finally {
      await database.run(`alter database ${name} reset all`);
    }
  });

  describe.each<[string, (url: string) => Promise<unknown>]>([
    ['the apply store', (url) => openApplyStore({ url })],
    ['the query store', (url) => openQueryStore({ url })],
    ['migration', migrate],
  ])('%s', (_what, open) => {
    const failureOf = async (url: string): Promise<Error> =>
      open(url).then(
        () => Promise.reject(new Error('it was opened')),
        (error: Error) => error,
      );

    test('names a URL that cannot be read without repeating it', async () => {
      const failure = await failureOf('postgres://user:secret@host:notaport/db');
      expect(failure).toMatchObject({ code: 'store-url-invalid', disposition: 'fatal' });
      expect(JSON.stringify([String(failure), failure.cause ?? null])).not.toContain('secret');
    });

    test('says that a server which does not listen may be tried again', async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const { port } = server.address() as AddressInfo;
      await new Promise((resolve) => server.close(resolve));
      const failure = await failureOf(`postgres://user:secret@127.0.0.1:${port}/db`);
      expect(failure).toMatchObject({
        name: 'PortError',
        code: 'store-disconnected',
        disposition: 'retryable',
      });
      expect(failure.message).not.toContain('secret');
    });

    test('refuses a database that does not exist', async () => {
      const url = new URL(database.url);
      url.pathname = '/there_is_no_such_database';
      expect(await failureOf(url.href)).toMatchObject({ code: 'store-access-refused', disposition: 'fatal' });
    });
  });

  test('a commit is one round trip, in a transaction of its own', async () => {
    const { store: setUp, cursor } = await fresh();
    await setUp.close();
    const proxy = await startProxy(database.url);
    const store = await openApplyStore({ url: proxy.url });
    const before = proxy.roundTrips();
    expect(await store.commit(nextCommit(cursor, [put('k')]))).toEqual({ kind: 'committed' });
    expect(proxy.roundTrips()).toBe(before + 1);
    const writers = await database.run(
      'select (select xmin from public.orders)::text = (select xmin from lockstep.cursor)::text as same',
    );
    expect(writers).toEqual([{ same: true }]);
    await store.close();
    await proxy.close();
  });

  test('every statement reaches rows by key, also when it was first planned on empty tables', async () => {
    const { store, cursor } = await fresh();
    let at = cursor;
    const scans = async (): Promise<unknown> => {
      await database.run('select pg_stat_force_next_flush()');
      return (
        await database.run(
          `select relname, seq_scan::int from pg_stat_user_tables where relname in ('orders', 'outcome', 'session', 'cursor') order by relname`,
        )
      ).map((row) => [row['relname'], row['seq_scan']]);
    };
    const before = await scans();
    for (const kind of ['set', 'add', 'max'] as const) {
      const change: ColumnOperation = kind === 'add' ? { kind, value: 1n } : { kind, value: '1' };
      const rows: readonly RowOperation[] = [
        put('a', { total: change }),
        put('b'),
        { kind: 'delete', key: 'c', version: sequence(1n) },
      ];
      const commit = nextCommit(at, rows);
      await store.commit(commit);
      at = commit.shards[0]!.cursor;
    }
    await store.read(
      TABLE,
      new Map([[SHARD, { outcomes: new Set(['0'.repeat(32) as never]), rows: new Set(['a']) }]]),
      true,
    );
    await store.clean([SHARD]);
    await store.load([SHARD]);
    await store.close();
    expect(await scans()).toEqual(before);
  });

  describe('failures', () => {
    test('a commit that waits too long for a lock certainly did not happen, and the store goes on', async () => {
      await (await fresh()).store.close();
      const store = await openApplyStore({ url: database.url, statementTimeoutMs: 3_000 });
      const [state] = await store.load([SHARD]);
      await database.run('begin; select * from lockstep.cursor for update');
      const request = nextCommit(state!.cursor, [put('k')]);
      await expect(store.commit(request)).rejects.toMatchObject({
        disposition: 'retryable',
        code: expect.stringMatching(/timeout/),
      });
      await database.run('rollback');
      expect(await store.commit(request)).toEqual({ kind: 'committed' });
      await store.close();
    });

    test('a commit whose connection is ended under way is unknown; the store is dead and says so', async () => {
      const { store, cursor } = await fresh();
      await database.run('begin; select * from lockstep.cursor for update');
      let failure: unknown;
      // It waits for its lock only so long, which may be over before its connection is.
      do {
        const failing = store.commit(nextCommit(cursor, [put('k')])).catch((error: unknown) => error);
        await until(async () => (await database.run(waiting('select 1')))[0] !== undefined);
        await database.run(waiting('select pg_terminate_backend(pid)'));
        failure = await failing;
      } while (isPortError(failure) && failure.code.includes('timeout'));
      expect(failure).toMatchObject({ code: 'store-answer-lost', disposition: 'unknown' });
      await database.run('rollback');
      await expect(store.commit(nextCommit(cursor, []))).rejects.toMatchObject({
        code: 'store-disconnected',
        disposition: 'retryable',
      });
      await expect(store.load([SHARD])).rejects.toMatchObject({
        code: 'store-disconnected',
        disposition: 'retryable',
      });
      await store.close();
      const [row] = (await query.cursors([SHARD])).map((each) => each.sequence);
      expect(row).toBe(0n);
    });

    const waiting = (what: string): string =>
      `${what} from pg_stat_activity
      where datname = current_database() and application_name = 'lockstep-apply' and wait_event_type = 'Lock'`;

    test.each([
      ['the answer is swallowed', 'after', 1n],
      ['the request is swallowed', 'before', 0n],
    ] as const)(
      'a commit without an answer is unknown within its bound: %s',
      async (_what, swallow, expected) => {
        const { store: setUp, cursor } = await fresh();
        await setUp.close();
        const proxy = await startProxy(database.url);
        const store = await openApplyStore({ url: proxy.url, statementTimeoutMs: 2_000 });
        proxy.swallow(swallow);
        await expect(store.commit(nextCommit(cursor, [put('k')]))).rejects.toMatchObject({
          disposition: 'unknown',
        });
        await expect(store.load([SHARD])).rejects.toMatchObject({ code: 'store-disconnected' });
        await until(async () => (await query.cursors([SHARD]))[0]!.sequence === expected);
        await store.close();
        await proxy.close();
      },
    );

    test('tells how much the server has written ahead, and what waits for the log or for a person', async () => {
      const { store, cursor } = await fresh();
      const before = await query.standing();
      await store.commit(nextCommit(cursor, [put('k')]));
      const { held, walBytes } = await query.standing();
      expect(walBytes).toBeGreaterThan(before.walBytes);
      expect(held).toEqual([{ dataset: DATASET, pending: 0, undone: 0, late: 0 }]);
      await store.close();
    });

    test('an idle store notices that its connection ended, and the pool replaces such clients', async () => {
      const { store } = await fresh();
      const second = await openQueryStore({ url: database.url });
      await database.run(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like 'lockstep-%'`,
      );
      await expect(store.load([SHARD])).rejects.toMatchObject({
        code: 'store-disconnected',
        disposition: 'retryable',
      });
      // A client may be handed out before the pool heard of its end; such a read says retryable, and is repeated.
      await until(async () =>
        second.cursors([SHARD]).then(
          () => true,
          (error: { disposition?: string }) => {
            expect(error.disposition).toBe('retryable');
            return false;
          },
        ),
      );
      await until(() =>
        query.check().then(
          () => true,
          () => false,
        ),
      );
      await second.close();
      await store.close();
    });

    test('a table that changed under a prepared read is read again after a reconnect', async () => {
      const { store, cursor } = await fresh();
      await store.commit(nextCommit(cursor, [put('k', { label: { kind: 'set', value: 'x' } })]));
      const reads = new Map([[SHARD, { outcomes: new Set<never>(), rows: new Set(['k']) }]]);
      await store.read(TABLE, reads, true);
      await database.run('alter table orders rename column label to renamed');
      await expect(store.read(TABLE, reads, true)).rejects.toMatchObject({
        code: 'store-not-migrated',
        disposition: 'fatal',
      });
      await database.run('alter table orders rename column renamed to label');
      expect((await store.read(TABLE, reads, true)).get(SHARD)!.rows.get('k')!.columns).toMatchObject({
        label: 'x',
      });
      await store.close();
    });
  });

  describe('tables', () => {
    test('collation of the key, primary key, null rules and generated columns are compared too', async () => {
      await database.run(`create table differs (id text not null, label text not null, count bigint generated always as (1) stored,
        lockstep_version bigint, primary key (id, label))`);
      const differences = await query.ensureTable({
        ...TABLE,
        table: 'differs',
        columns: TABLE.columns.slice(0, 2),
      });
      expect(differences).toEqual([
        'Column "id" of table "differs" has collation "default" instead of "C".',
        'Column "label" of table "differs" must allow null.',
        'Column "count" of table "differs" is generated; the fold must be able to write it.',
        'Column "lockstep_version" of table "differs" must be not null.',
        'Table "differs" has the primary key (id, label) instead of the primary key (id).',
      ]);
      await database.run('create view a_view as select 1 as id');
      expect(await query.ensureTable({ ...TABLE, table: 'a_view' })).toEqual([
        '"a_view" in schema public is not a table.',
      ]);
    });

    test('a table that somebody made by hand as described is taken', async () => {
      await database.run(`create table by_hand (lockstep_version bigint not null, total numeric, at timestamptz, open boolean,
        value float8, count int8, label text, id text collate "C" primary key)`);
      expect(await query.ensureTable({ ...TABLE, table: 'by_hand' })).toEqual([]);
    });
  });

  /** The twin is the reference: whatever batches a fold may produce, both hold the same rows afterwards. */
  test(
    'any sequence of batches leaves the same rows in Postgres and in the in-memory twin',
    async () => {
      const completions = realTimeCompletions({
        nowMs: Date.now,
        after: (_ms, call) => queueMicrotask(call),
      });
      const { store, cursor: first } = await fresh();
      const twin = memoryStore(completions, { storeIncarnation: '0'.repeat(32) as StoreIncarnation });
      const twinStore = await twin.openApplyStore();
      const twinQuery = await twin.openQueryStore();
      await heldShard(twinStore);
      await twinQuery.ensureTable(TABLE);
      let runs = 0;
      let cursor = first;
      try {
        await fc.assert(
          fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 6 }), async (batches) => {
            runs += 1;
            // Keys of its own: every run starts without rows.
            const own = (key: string): string => `${runs} ${key}`;
            for (const rows of batches) {
              const request = nextCommit(
                cursor,
                rows.map((row) => ({ ...row, key: own(row.key) })),
              );
              expect(await store.commit(request)).toEqual({ kind: 'committed' });
              expect(await twinStore.commit(request)).toEqual({ kind: 'committed' });
              cursor = request.shards[0]!.cursor;
            }
            const reads = new Map([[SHARD, { outcomes: new Set<never>(), rows: new Set(KEYS.map(own)) }]]);
            expect(await store.read(TABLE, reads, true)).toEqual(await twinStore.read(TABLE, reads, true));
          }),
          { numRuns: 150 },
        );
      } finally {
        await store.close();
      }
    },
    PROPERTY_MS_MAX,
  );
});

const KEYS = ['a', 'b', 'eu:"{},\\', 'é', '\uff5e', '😀'].toSorted();

const text = fc
  .string({ unit: 'grapheme', maxLength: 6 })
  .filter((value) => !value.includes('\0') && value.isWellFormed());
const timestamp = fc
  .tuple(
    fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }),
    fc.option(fc.integer({ min: 0, max: 999_999 })),
    fc.integer({ min: 1, max: 6 }),
  )
  .map(([seconds, micros, digits]) => {
    const whole = new Date(seconds * 1_000).toISOString().slice(0, 19);
    return micros === null ? `${whole}Z` : `${whole}.${micros.toString().padStart(6, '0').slice(0, digits)}Z`;
  });
const numeric = fc
  .tuple(fc.bigInt({ min: -(2n ** 100n), max: 2n ** 100n }), fc.option(fc.stringMatching(/^[0-9]{1,5}$/)))
  .map(([whole, fraction]) => (fraction === null ? whole.toString() : `${whole}.${fraction}`));

const valueOf: { readonly [type: string]: fc.Arbitrary<ColumnValue> } = {
  text,
  bigint: fc.maxSafeInteger(),
  'double precision': fc.double({ noDefaultInfinity: true, noNaN: true }),
  boolean: fc.boolean(),
  timestamptz: timestamp,
  numeric,
};

/** Few distinct values, so that equal and ordered pairs occur. */
function operationOn(type: string): fc.Arbitrary<ColumnOperation> {
  const value = valueOf[type]!;
  const kinds: fc.Arbitrary<ColumnOperation>[] = [
    fc.option(value).map((given) => ({ kind: 'set', value: given })),
  ];
  if (type !== 'boolean') {
    kinds.push(
      value.map((given) => ({ kind: 'max', value: given as string | number })),
      value.map((given) => ({ kind: 'min', value: given as string | number })),
    );
  }
  if (type === 'numeric')
    kinds.push(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n }).map((given) => ({ kind: 'add', value: given })),
    );
  return fc.oneof(...kinds);
}

const columnOperations: fc.Arbitrary<ReadonlyMap<string, ColumnOperation>> = fc
  .record(Object.fromEntries(TABLE.columns.map(({ name, type }) => [name, operationOn(type)])), {
    requiredKeys: [],
  })
  .map((columns) => new Map(Object.entries(columns) as [string, ColumnOperation][]));

const rowOperation = (key: string): fc.Arbitrary<RowOperation> => {
  const version = fc.bigInt({ min: 1n, max: 12n }).map(sequence);
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('put' as const),
        key: fc.constant(key),
        version,
        replaces: fc.boolean(),
        columns: columnOperations,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('delete' as const), key: fc.constant(key), version }),
    },
  );
};

/** At most one operation per key, sorted by key. */
const batch: fc.Arbitrary<readonly RowOperation[]> = fc
  .subarray(KEYS)
  .chain((keys) => fc.tuple(...keys.map(rowOperation)))
  .map((rows) => rows as readonly RowOperation[]);

const UNTIL_MS_MAX = 10_000;

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + UNTIL_MS_MAX;
  while (!(await holds())) {
    if (Date.now() > deadlineMs) throw new Error('it did not happen in time');
  }
}

interface Proxy {
  readonly url: string;
  /** How often the client spoke after the server had answered. */
  roundTrips(): number;
  /** From now on drops what the server answers (`after`) or what the client sends (`before`). */
  swallow(direction: 'before' | 'after'): void;
  close(): Promise<void>;
}

async function startProxy(target: string): Promise<Proxy> {
  const to = new URL(target);
  let swallowed: 'before' | 'after' | null = null;
  let roundTrips = 0;
  let clientSpokeLast = false;
  const sockets: Socket[] = [];
  const server = createServer((client) => {
    const upstream = connect(Number(to.port), to.hostname);
    sockets.push(client, upstream);
    client.on('data', (bytes) => {
      if (!clientSpokeLast) roundTrips += 1;
      clientSpokeLast = true;
      if (swallowed !== 'before') upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      clientSpokeLast = false;
      if (swallowed !== 'after') client.write(bytes);
    });
    for (const socket of [client, upstream]) {
      socket.on('error', () => undefined);
      socket.on('close', () => (client.destroy(), upstream.destroy()));
    }
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    roundTrips: () => roundTrips,
    swallow: (direction) => {
      swallowed = direction;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
