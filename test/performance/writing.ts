/**
 * The ways by which a service writes, beside each other: an entity saved through the outbox, the same entity saved by
 * TypeORM alone, an append by the library through a gateway and as a gateway itself, and one by hand at the gateway; one write at a
 * time, and several in flight.
 */
import { attachOutbox, datasetToken, LockstepModule, Replicated, type Dataset } from '@lockstep/nest';
import { NestFactory } from '@nestjs/core';
import { join } from 'node:path';
import type pg from 'pg';
import { DataSource, EntitySchema, type EntitySubscriberInterface, type QueryRunner } from 'typeorm';
import { eventually, type LocalCluster } from '../e2e/local-cluster.ts';
import {
  between,
  cost,
  counted,
  disturbance,
  inTurns,
  rate,
  ROUNDS,
  type Benchmark,
  type Context,
  type Figure,
  type Sample,
  type Side,
} from './benchmark.ts';
import { connected } from './servers.ts';

const KEYS = 200;
const ALONE = 300;
const TOGETHER = 1_200;
const IN_FLIGHT = 8;
const COST_MOST = 1.3;

const PLAIN = 'plain save';
const OUTBOX = 'outbox save';
const LIBRARY = 'library append';
const EMBEDDED = 'embedded append';
const GATEWAY = 'gateway append';
const WAYS = [PLAIN, OUTBOX, LIBRARY, EMBEDDED, GATEWAY] as const;
const several = (way: string): string => `${way}, ${IN_FLIGHT} in flight`;

export const writing: Benchmark = {
  name: 'writing',
  profile: `${ALONE} writes one after the other, and ${TOGETHER} of which ${IN_FLIGHT} are in flight, to ${KEYS} keys of 2 shards in turn, by one \
process; \`npm start -- --regions eu --ledger\`: broker, Postgres, gateway, replicator and coordinator are processes on one machine, and \
relay and replicator work meanwhile. ${PLAIN} and ${OUTBOX}: repository.save of an entity of two columns, both changed in each save, \
in the region's database (fsync, synchronous_commit on), until its commit; the same columns in a table of nobody else and in that \
of dataset customers. ${LIBRARY}: Dataset.append of an order until it is accepted; ${EMBEDDED}: the same \
where this process is a gateway itself; ${GATEWAY}: by fetch. After each turn the outbox \
is awaited empty and every row is compared.`,
  run: async ({ cluster, say }) => measure(say, await cluster(['--regions', 'eu', '--ledger'])),
};

class Plain {
  id!: string;
  name!: string;
  email!: string;
}

class Customer extends Plain {}

Replicated({
  dataset: 'customers',
  key: 'id',
  events: ({ after }) => [
    { type: 'named', data: { name: after!['name'] } },
    { type: 'reachable', data: { email: after!['email'] } },
  ],
})(Customer);

const schemaOf = (target: typeof Plain, tableName: string): EntitySchema =>
  new EntitySchema<Plain>({
    name: target.name,
    target,
    tableName,
    columns: { id: { type: 'text', primary: true }, name: { type: 'text' }, email: { type: 'text' } },
  });

interface Orders {
  readonly key: string;
  readonly event: {
    readonly key: string;
    readonly type: string;
    readonly data: { readonly customer: string; readonly total: number };
  };
  readonly row: { readonly total: number | null };
}

/** The statements of a save, in their order. */
const STEPS = {
  'ms to load the row': /^select (?!lockstep|c\.)/i,
  'ms to begin': /^start transaction/i,
  'ms to hold the shard': /^select lockstep\.enter_outbox/i,
  'ms to change the row': /^(insert into|update) "/i,
  'ms to read what was changed': /^\s*select c\.id::text/i,
  'ms to store the entry': /^\s*with entry as/i,
  'ms to commit': /^commit/i,
} as const;
const PLAIN_STEPS = Object.keys(STEPS).filter((step) => !/hold|read|store/.test(step));

/** How long each statement took, the way to the database and back included. */
class StatementTimes implements EntitySubscriberInterface {
  private readonly begunMs = new WeakMap<QueryRunner, number>();
  private readonly spentMs = new Map<string, number>();

  beforeQuery({ queryRunner }: { readonly queryRunner: QueryRunner }): void {
    this.begunMs.set(queryRunner, performance.now());
  }

  afterQuery({ query, queryRunner }: { readonly query: string; readonly queryRunner: QueryRunner }): void {
    // Of others there are some in the first round alone, which read the dataset's configuration.
    const step = Object.entries(STEPS).find(([, pattern]) => pattern.test(query))?.[0] ?? 'ms of others';
    const spentMs = performance.now() - this.begunMs.get(queryRunner)!;
    this.spentMs.set(step, (this.spentMs.get(step) ?? 0) + spentMs);
  }

  /** Since the last time. */
  take(): ReadonlyMap<string, number> {
    const taken = new Map(this.spentMs);
    this.spentMs.clear();
    return taken;
  }
}

class Root {}

interface Service {
  /** The stage that was reached. */
  append(key: string, total: number): Promise<string | null>;
  close(): Promise<void>;
}

async function opened(options: Parameters<typeof LockstepModule.forRoot>[0]): Promise<Service> {
  const application = await NestFactory.createApplicationContext(
    { module: Root, imports: [LockstepModule.forRoot(options), LockstepModule.forFeature(['orders'])] },
    { logger: false },
  );
  const orders = application.get<Dataset<Orders>>(datasetToken('orders'), { strict: false });
  return {
    append: async (key, total) => (await orders.append(placed(key, total))).stage,
    close: () => application.close(),
  };
}

async function measure(say: Context['say'], cluster: LocalCluster): Promise<readonly Figure[]> {
  const { kafka, regions } = cluster.file;
  const { gateway, pids, postgres } = regions['eu']!;
  const database = await connected(postgres);
  await database.query(
    'create table plain_customers (id text collate "C" primary key, name text, email text)',
  );
  const source = new DataSource({
    type: 'postgres',
    url: postgres,
    entities: [schemaOf(Plain, 'plain_customers'), schemaOf(Customer, 'customers')],
  });
  await source.initialize();
  attachOutbox(source);
  const times = new StatementTimes();
  source.subscribers.push(times);
  const remote = await opened({ gateway });
  const embedded = await opened({
    region: 'eu',
    catalogue: join(cluster.data, 'catalogue', 'eu'),
    postgresUrl: postgres,
  });
  try {
    const ways: { readonly [way in (typeof WAYS)[number]]: Way } = {
      [PLAIN]: saving(source, Plain, database, 'plain_customers'),
      [OUTBOX]: saving(source, Customer, database, 'customers'),
      [LIBRARY]: appending(database, remote.append),
      [EMBEDDED]: appending(database, embedded.append),
      [GATEWAY]: appending(database, (key, total) => post(gateway, placed(key, total))),
    };
    const rounds = await inTurns({
      say,
      processes: {
        broker: kafka.pids[0]!,
        database: pids.postgres!,
        gateway: pids.gateway!,
        replicator: pids.replicator!,
      },
      sides: [
        ...WAYS.map((way) => sideOf({ name: way, way: ways[way], count: ALONE, inFlight: 1 }, times)),
        ...WAYS.map((way) =>
          sideOf({ name: several(way), way: ways[way], count: TOGETHER, inFlight: IN_FLIGHT }, times),
        ),
      ],
      rounds: ROUNDS,
    });
    const timeOf = ({ amount, watch }: Sample): number => watch.seconds / amount;
    const ratioOf = (way: string, other: string, told: string): Figure =>
      between(rounds, `${way} / ${other}, ${told}`, [way, other], timeOf);
    return [
      { ...ratioOf(OUTBOX, PLAIN, 'time of one'), goalMost: COST_MOST },
      ratioOf(several(OUTBOX), several(PLAIN), 'time of all'),
      ratioOf(LIBRARY, PLAIN, 'time of one'),
      ratioOf(LIBRARY, GATEWAY, 'time of one'),
      ratioOf(EMBEDDED, LIBRARY, 'time of one'),
      ratioOf(several(EMBEDDED), several(LIBRARY), 'time of all'),
      ...WAYS.flatMap((way) => [rate(rounds, way, 'writes/s'), rate(rounds, several(way), 'writes/s')]),
      ...PLAIN_STEPS.map((step) => counted(rounds, PLAIN, step, 'save')),
      ...Object.keys(STEPS).map((step) => counted(rounds, OUTBOX, step, 'save')),
      ...[PLAIN, OUTBOX].flatMap((way) => cost(rounds, several(way), 'save')),
      disturbance(rounds),
    ];
  } finally {
    await embedded.close();
    await remote.close();
    await source.destroy();
    await database.end();
  }
}

interface Way {
  write(key: string, number: number): Promise<void>;
  /** What the rows of all keys hold, once everything is folded. */
  rows(): Promise<ReadonlyMap<string, number>>;
}

/** Numbers grow over all turns, so that every write changes its row. */
let written = 0;

function sideOf(
  {
    count,
    inFlight,
    name,
    way,
  }: { readonly name: string; readonly way: Way; readonly count: number; readonly inFlight: number },
  times: StatementTimes,
): Side {
  return {
    name,
    measure: async (watch) => {
      const expected = new Map<string, number>();
      const left = Array.from({ length: count }, (_, index) => {
        written += 1;
        expected.set(keyOf(index), written);
        return { key: keyOf(index), number: written };
      }).values();
      times.take();
      watch.start();
      await Promise.all(
        Array.from({ length: inFlight }, async () => {
          for (const { key, number } of left) await way.write(key, number);
        }),
      );
      watch.stop();
      for (const [step, spentMs] of times.take()) watch.count(step, spentMs);
      const rows = await way.rows();
      for (const [key, number] of expected)
        if (rows.get(key) !== number)
          throw new Error(`${name}: ${key} holds ${rows.get(key)}, not ${number}`);
      return count;
    },
  };
}

const keyOf = (index: number): string => `eu:written-${index % KEYS}`;

function saving(source: DataSource, target: typeof Plain, database: pg.Client, table: string): Way {
  const repository = source.getRepository(target);
  return {
    write: async (id, number) => {
      await repository.save(
        repository.create({ id, name: `name ${number}`, email: `${number}@example.org` }),
      );
    },
    rows: async () => {
      await eventually(
        () => database.query<{ count: string }>('select count(*) from lockstep.outbox'),
        ({ rows: [left] }) => left!.count === '0',
      );
      const { rows } = await database.query<{ id: string; name: string }>(`select id, name from ${table}`);
      return new Map(rows.map(({ id, name }) => [id, Number(name.slice('name '.length))]));
    },
  };
}

function appending(database: pg.Client, append: (key: string, total: number) => Promise<string | null>): Way {
  return {
    write: async (key, total) => {
      const stage = await append(key, total);
      // `everywhere` where this one region is all there are.
      if (stage !== 'accepted' && stage !== 'everywhere')
        throw new Error(`${key} was answered at stage ${stage}`);
    },
    rows: async () => {
      const { rows } = await database.query<{ id: string; total: string }>('select id, total from orders');
      return new Map(rows.map(({ id, total }) => [id, Number(total)]));
    },
  };
}

const placed = (key: string, total: number): Orders['event'] => ({
  key,
  type: 'placed',
  data: { customer: 'c', total },
});

async function post(gateway: string, event: object): Promise<string | null> {
  const response = await fetch(`${gateway}/v1/datasets/orders/entries`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ events: [event] }),
  });
  return ((await response.json()) as { stage?: string | null }).stage ?? null;
}
