/**
 * Apply: a full log of readings into Postgres by the real replicator, against what the database takes from memory and
 * against what a service without batches would do.
 */
import { kafkaLog } from '@lockstep/kafka';
import { nodeSignatureCheck } from '@lockstep/nest';
import { migrate, openApplyStore, openQueryStore } from '@lockstep/postgres';
import {
  Replicator,
  shardsOf,
  type ApplyStore,
  type BatchCommitted,
  type Fact,
  type GatewayDataset,
  type Log,
  type Observer,
} from '@lockstep/engine';
import { decodeEvents, WATERMARK_TOPIC, type RegionName, type ShardName } from '@lockstep/protocol';
import pg from 'pg';
import {
  cost,
  disturbance,
  inTurns,
  rate,
  ratio,
  spread,
  type Benchmark,
  type Context,
  type Side,
  type Stopwatch,
} from './benchmark.ts';
import { EVENTS_PER_ENTRY, meanBytes, readings, readingsDataset } from './readings.ts';
import { clock } from './real-world.ts';
import { Replay, type Manner } from './replay.ts';
import type { Database, Servers } from './servers.ts';
import { createTopic, ShardPublishers } from './shard-publishers.ts';

const ENTRIES = 20_000;
const STATIONS = 5_004;
/** Of the slow way: its rate is steady long before. */
const ROWS_ONE_BY_ONE = 1_500;
const ROUNDS = 5;

const LOCKSTEP = 'lockstep';
const SAME_STATEMENT = 'same statement from memory';
const BARE_INSERT = 'bare insert from memory';
const ONE_BY_ONE = 'one row per transaction';

export const apply: Benchmark = {
  name: 'apply',
  profile: `${ENTRIES} entries of ${EVENTS_PER_ENTRY} readings over ${STATIONS * EVENTS_PER_ENTRY} keys in 12 shards; one broker, \
one Postgres 18 (fsync, synchronous_commit, full_page_writes on; shared_buffers 64 MB), all on one machine; a fresh database and a \
checkpoint before each measurement. ${LOCKSTEP}: Replicator over kafkaLog and openApplyStore in this process, from the last \
shard taken to the last commit. ${SAME_STATEMENT}: the recorded commits of such a run through ApplyStore.commit, in a thread of its own. \
${BARE_INSERT}: the rows of the same commits as ready array literals, insert from unnest on conflict update, no cursor. \
${ONE_BY_ONE}: begin, prepared upsert, prepared cursor update, commit, ${ROWS_ONE_BY_ONE} rows.`,
  run: async (context) => {
    const { say } = context;
    const servers = await context.servers();
    const dataset = await readingsDataset();
    const log = kafkaLog({ brokers: servers.brokers, clientId: 'bench-apply' });
    const replay = new Replay();
    try {
      const { keys, firstRows } = await fill(log, dataset, say);
      const template = await templateOf(servers, dataset);
      return await measure(say, servers, { log, dataset, keys, firstRows, template }, replay);
    } finally {
      await replay.close();
      await log.close();
    }
  },
};

async function fill(
  log: Log,
  dataset: GatewayDataset,
  say: Context['say'],
): Promise<Pick<Given, 'keys' | 'firstRows'>> {
  const entries = readings(dataset, ENTRIES, STATIONS);
  await createTopic(log, WATERMARK_TOPIC, 1);
  const publishers = await ShardPublishers.open(log, dataset);
  await publishers.append(entries);
  await publishers.close();
  say(`the log is filled: ${entries.length} entries, ${meanBytes(entries)} bytes each`);
  const shards = shardsOf(dataset.table.dataset, dataset.partitions);
  const keys = new Set<string>();
  const firstRows: Row[] = [];
  for (const { partition, text } of entries) {
    for (const { key, data } of decodeEvents(text)!) {
      keys.add(key);
      if (firstRows.length < ROWS_ONE_BY_ONE)
        firstRows.push({ shard: shards[partition]!, key, ...(data as Reading) });
    }
  }
  return { keys: keys.size, firstRows };
}

interface Reading {
  readonly sensor: string;
  readonly value: number;
  readonly at: string;
}

interface Row extends Reading {
  readonly shard: ShardName;
  readonly key: string;
}

interface Given {
  readonly log: Log;
  readonly dataset: GatewayDataset;
  /** How many different ones the log holds. */
  readonly keys: number;
  readonly firstRows: readonly Row[];
  /** The schema and the table of readings, both empty. */
  readonly template: Database;
}

async function templateOf(servers: Servers, { table }: GatewayDataset): Promise<Database> {
  const template = await servers.createDatabase();
  await migrate(template.url);
  const store = await openQueryStore({ url: template.url });
  await store.ensureTable(table);
  await store.close();
  return template;
}

async function measure(
  say: Context['say'],
  servers: Servers,
  given: Given,
  replay: Replay,
): ReturnType<Benchmark['run']> {
  const batches: (readonly BatchCommitted[])[] = [];
  const rounds = await inTurns({
    say,
    processes: servers.processes,
    sides: [
      byReplicator(servers, given, replay, batches),
      byReplay(servers, given, SAME_STATEMENT, 'same statement', replay),
      byReplay(servers, given, BARE_INSERT, 'bare insert', replay),
      oneByOne(servers, given),
    ],
    rounds: ROUNDS,
  });
  const watches = rounds.get(LOCKSTEP)!.map(({ watch }) => watch);
  const counted = batches.slice(1);
  const shareOf = (part: 'foldMs' | 'commitMs'): readonly number[] =>
    counted.map(
      (round, index) => round.reduce((sum, batch) => sum + batch[part], 0) / (10 * watches[index]!.seconds),
    );
  return [
    ratio(rounds, LOCKSTEP, SAME_STATEMENT, 0.5),
    ratio(rounds, LOCKSTEP, ONE_BY_ONE, 20),
    ratio(rounds, LOCKSTEP, BARE_INSERT),
    ...[LOCKSTEP, SAME_STATEMENT, BARE_INSERT, ONE_BY_ONE].map((side) => rate(rounds, side, 'events/s')),
    {
      name: `${LOCKSTEP}: events per commit`,
      unit: 'events',
      ...spread(counted.flat().map(({ events }) => events)),
    },
    { name: `${LOCKSTEP}: time in commits`, unit: '%', ...spread(shareOf('commitMs')) },
    { name: `${LOCKSTEP}: time in the fold`, unit: '%', ...spread(shareOf('foldMs')) },
    ...[LOCKSTEP, SAME_STATEMENT, BARE_INSERT].flatMap((side) => cost(rounds, side, 'event')),
    disturbance(rounds),
  ];
}

/** Works on a fresh database and proves afterwards that all rows are there. */
async function onFreshDatabase(
  servers: Servers,
  { template, keys }: Given,
  work: (url: string) => Promise<void>,
): Promise<number> {
  const database = await servers.createDatabase(template);
  await work(database.url);
  const client = await connected(database.url);
  const { rows } = await client.query<{ count: string }>('select count(*) from readings');
  await client.end();
  await database.drop();
  if (Number(rows[0]!.count) !== keys) throw new Error(`${rows[0]!.count} rows were written, not ${keys}`);
  return ENTRIES * EVENTS_PER_ENTRY;
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}

/** Starts the watch when all shards are taken, stops it when all is applied; any failure ends the measurement. */
class ApplyProgress implements Observer {
  readonly committed: BatchCommitted[] = [];
  readonly #watch: Stopwatch;
  readonly #outcome = Promise.withResolvers<void>();
  #toTake: number;
  #toAccept: number;

  constructor(watch: Stopwatch, { dataset }: Given) {
    this.#watch = watch;
    this.#toTake = dataset.partitions;
    // With the genesis of each shard.
    this.#toAccept = ENTRIES + dataset.partitions;
  }

  get done(): Promise<void> {
    return this.#outcome.promise;
  }

  report(fact: Fact): void {
    if (fact.kind === 'watermark') {
      // The first watermarks say that a shard was taken; then fetching begins.
      this.#toTake -= 1;
      if (this.#toTake === 0) this.#watch.start();
    } else if (fact.kind === 'batch-committed') {
      this.committed.push(fact);
      this.#toAccept -= fact.verdicts.get('accepted') ?? 0;
      if (this.#toAccept > 0) return;
      this.#watch.stop();
      this.#outcome.resolve();
    } else if (fact.kind === 'shard-halted') {
      this.#outcome.reject(new Error(fact.halt.detail));
    } else if ('message' in fact) {
      this.#outcome.reject(new Error(`${fact.kind}: ${fact.message}`));
    }
  }
}

/** @param replay receives the commits of the first run. */
function byReplicator(
  servers: Servers,
  given: Given,
  replay: Replay,
  batches: (readonly BatchCommitted[])[],
): Side {
  const { configuration, partitions, table } = given.dataset;
  return {
    name: LOCKSTEP,
    measure: (watch) =>
      onFreshDatabase(servers, given, async (url) => {
        const isFirst = batches.length === 0;
        const progress = new ApplyProgress(watch, given);
        const replicator = new Replicator({
          region: 'eu' as RegionName,
          instance: 'bench',
          datasets: [{ table, partitions }],
          log: given.log,
          openStore: async () => {
            const store = await openApplyStore({ url });
            return isFirst ? recording(store, replay) : store;
          },
          configurations: () => configuration,
          signatures: nodeSignatureCheck(),
          refreshConfigurations: () => Promise.resolve(),
          observer: progress,
          clock,
        });
        const running = replicator.run();
        try {
          await progress.done;
        } finally {
          replicator.stop();
          await running;
        }
        batches.push(progress.committed);
      }),
  };
}

const recording = (store: ApplyStore, replay: Replay): ApplyStore => ({
  ...store,
  commit: (request) => {
    replay.record(request);
    return store.commit(request);
  },
});

const byReplay = (servers: Servers, given: Given, name: string, manner: Manner, replay: Replay): Side => ({
  name,
  measure: (watch) => onFreshDatabase(servers, given, (url) => replay.run(manner, url, watch)),
});

const INSERT_ONE = `
insert into readings as t (id, lockstep_version, sensor, value, at) values ($1, $2, $3, $4, $5)
on conflict (id) do update set sensor = excluded.sensor, value = excluded.value, at = excluded.at,
  lockstep_version = excluded.lockstep_version
where t.lockstep_version < excluded.lockstep_version`;

const MOVE_CURSOR = `
update lockstep.cursor set log_offset = $2, sequence = $3 where shard = $1 and log_offset < $2`;

function oneByOne(servers: Servers, { dataset, firstRows, template }: Given): Side {
  return {
    name: ONE_BY_ONE,
    measure: async (watch) => {
      const database = await servers.createDatabase(template);
      const store = await openApplyStore({ url: database.url });
      await store.ensureShards(shardsOf(dataset.table.dataset, dataset.partitions));
      await store.close();
      const client = await connected(database.url);
      watch.start();
      for (const [index, { shard, key, sensor, value, at }] of firstRows.entries()) {
        const position = index + 1;
        await client.query('begin');
        await client.query({ name: 'row', text: INSERT_ONE, values: [key, position, sensor, value, at] });
        await client.query({ name: 'cursor', text: MOVE_CURSOR, values: [shard, position, position] });
        await client.query('commit');
      }
      watch.stop();
      await client.end();
      await database.drop();
      return firstRows.length;
    },
  };
}
