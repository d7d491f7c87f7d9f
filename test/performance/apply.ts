/**
 * Applying: full logs into Postgres by the real replicator, against the limit from memory, against a transaction for every
 * row, and against itself with other work.
 */
import { kafkaLog } from '@lockstep/kafka';
import type { BatchCommitted, Log } from '@lockstep/engine';
import { topicOf, WATERMARK_TOPIC, type DatasetName } from '@lockstep/protocol';
import { sampleDatasets } from '../simulation/sample-datasets.ts';
import { byMemory, byReplicator, oneByOne, rawConsume, STATEMENTS, WAL_BYTES } from './appliers.ts';
import {
  between,
  clientTimeOf,
  cost,
  counted,
  countOf,
  disturbance,
  inTurns,
  memory,
  rate,
  ratio,
  ROUNDS,
  spread,
  type Benchmark,
  type Context,
  type Figure,
  type Rounds,
  type Side,
} from './benchmark.ts';
import { MemoryLimit, type Manner } from './memory-limit.ts';
import { accounts, EVENTS_PER_ENTRY, meanBytes, orders, readings, singleReadings } from './sample-writes.ts';
import type { Servers } from './servers.ts';
import { createTopic } from './shard-publishers.ts';
import { oneShard, prepareWork, renamed, type Work } from './work.ts';

/** Some seconds of work: beginning and end are hardly felt. */
const ENTRIES = 48_000;
const BESIDE_ENTRIES = 6_000;
const STATIONS = 5_004;
/** Many sides take turns. */
const LIMIT_ENTRIES = 8_000;
const SINGLE_ENTRIES = 40_000;
const HOT_STATIONS = 10;
const ROWS_ONE_BY_ONE = 1_000;

const LOCKSTEP = 'lockstep';
const MEMORY_2 = 'mem2';
const MEMORY_1 = 'mem1';
const ONE_BY_ONE = 'one row per transaction';
const RAW = 'raw kafkajs eachBatch without work';

/** The best of every shape that `limit` tries. */
export const best = (connections: 1 | 2): Manner => ({
  shape: 'merge',
  rows: 2_000,
  connections,
  ahead: true,
});

export const SERVERS = `One broker, one Postgres 18 (fsync, synchronous_commit, full_page_writes on; shared_buffers 64 MB), all on one \
machine. Each measurement has a database of its own and a checkpoint before it, and every row is compared afterwards with a \
model's; a log is filled once in a run. lockstep: Replicator over kafkaLog and openApplyStore in this process, one lane and its helper, from the \
last shard taken to the last commit, nothing switched off.`;
const READINGS = `${ENTRIES} entries of ${EVENTS_PER_ENTRY} readings over ${STATIONS * EVENTS_PER_ENTRY} keys`;
const MEMORY = `mem2, mem1: the same events as parsed objects in memory, coalesced and sorted by key, merged from unnest with their \
cursors in one statement of up to 2,000 rows, on two connections or one, a batch built while the one before is written, in a thread \
of its own.`;

export interface Stage {
  readonly servers: Servers;
  readonly log: Log;
  readonly say: Context['say'];
}

/** Servers, an empty log, and whatever else must end. */
export async function onStage<T>(context: Context, act: (stage: Stage) => Promise<T>): Promise<T> {
  const servers = await context.servers();
  const log = kafkaLog({ brokers: servers.brokers, clientId: 'bench-apply' });
  try {
    await createTopic(log, WATERMARK_TOPIC, 1);
    return await act({ servers, log, say: context.say });
  } finally {
    await log.close();
  }
}

async function withLimit<T>(work: Work, act: (limit: MemoryLimit) => Promise<T>): Promise<T> {
  const limit = new MemoryLimit(work);
  try {
    return await act(limit);
  } finally {
    await limit.close();
  }
}

export const takeTurns = ({ say, servers }: Stage, sides: readonly Side[]): Promise<Rounds> =>
  inTurns({ say, processes: servers.processes, sides, rounds: ROUNDS });

export const named = async (name: string) => (await sampleDatasets()).get(name as DatasetName)!;

export const apply: Benchmark = {
  name: 'apply',
  profile: `${READINGS} in 12 shards. ${SERVERS} ${MEMORY} ${ONE_BY_ONE}: begin, prepared upsert, prepared cursor update, commit, \
${ROWS_ONE_BY_ONE} rows. ${RAW}: a consumer group of one over the same topic.`,
  run: (context) =>
    onStage(context, async (stage) => {
      const { servers } = stage;
      const dataset = await named('readings');
      const entries = readings(dataset, ENTRIES, STATIONS);
      const work = await prepareWork(stage, dataset, entries);
      const batches: (readonly BatchCommitted[])[] = [];
      const rounds = await withLimit(work, (limit) =>
        takeTurns(stage, [
          byReplicator(stage, LOCKSTEP, work, { committed: (round) => batches.push(round) }),
          byMemory(servers, MEMORY_2, { work, limit, manner: best(2) }),
          byMemory(servers, MEMORY_1, { work, limit, manner: best(1) }),
          oneByOne(servers, ONE_BY_ONE, work, ROWS_ONE_BY_ONE),
          rawConsume(servers.brokers, RAW, work),
        ]),
      );
      const sides = [LOCKSTEP, MEMORY_2, MEMORY_1];
      const applying = [...sides, ONE_BY_ONE];
      return [
        ratio(rounds, LOCKSTEP, MEMORY_2, 0.85),
        ratio(rounds, LOCKSTEP, MEMORY_1),
        ratio(rounds, MEMORY_2, MEMORY_1),
        ratio(rounds, LOCKSTEP, ONE_BY_ONE, 60),
        {
          ...between(
            rounds,
            `WAL bytes per event, ${LOCKSTEP} / ${MEMORY_2}`,
            [LOCKSTEP, MEMORY_2],
            (sample) => countOf(sample, WAL_BYTES),
          ),
          goalMost: 1.05,
        },
        {
          ...between(rounds, `client time per event, ${LOCKSTEP} / ${RAW}`, [LOCKSTEP, RAW], clientTimeOf),
          goalMost: 2,
        },
        ...[...applying, RAW].map((side) => rate(rounds, side, 'events/s')),
        ...applying.map((side) => counted(rounds, side, STATEMENTS, 'event')),
        ...applying.map((side) => counted(rounds, side, WAL_BYTES, 'event')),
        {
          name: `bytes in Kafka (an entry's text is ${meanBytes(entries)}), no compression, one replica`,
          unit: 'per event',
          ...spread([servers.logBytes(topicOf(dataset.table.dataset)) / work.events]),
        },
        ...inBatches(rounds, batches),
        ...[...sides, RAW].flatMap((side) => cost(rounds, side, 'event')),
        memory(rounds, LOCKSTEP),
        disturbance(rounds),
      ];
    }),
};

/** @param batches what each round committed, the warm-up first. */
function inBatches(rounds: Rounds, batches: readonly (readonly BatchCommitted[])[]): readonly Figure[] {
  const watches = rounds.get(LOCKSTEP)!.map(({ watch }) => watch);
  const measured = batches.slice(1);
  const shareOf = (part: 'foldMs' | 'commitMs'): readonly number[] =>
    measured.map(
      (round, index) => round.reduce((sum, batch) => sum + batch[part], 0) / (10 * watches[index]!.seconds),
    );
  return [
    {
      name: `${LOCKSTEP}: events per commit`,
      unit: 'events',
      ...spread(measured.flat().map(({ events }) => events)),
    },
    { name: `${LOCKSTEP}: time in commits`, unit: '%', ...spread(shareOf('commitMs')) },
    { name: `${LOCKSTEP}: time in the fold`, unit: '%', ...spread(shareOf('foldMs')) },
  ];
}

export const applyOneShard: Benchmark = {
  name: 'apply-one-shard',
  profile: `${READINGS} in one shard. ${SERVERS} ${MEMORY}`,
  run: (context) =>
    onStage(context, async (stage) => {
      const dataset = oneShard(await named('readings'), 'readings_one');
      const work = await prepareWork(stage, dataset, readings(dataset, ENTRIES, STATIONS));
      const rounds = await withLimit(work, (limit) =>
        takeTurns(stage, [
          byReplicator(stage, LOCKSTEP, work),
          byMemory(stage.servers, MEMORY_1, { work, limit, manner: best(1) }),
        ]),
      );
      return [
        ratio(rounds, LOCKSTEP, MEMORY_1, 0.85),
        ...[LOCKSTEP, MEMORY_1].map((side) => rate(rounds, side, 'events/s')),
        ...[LOCKSTEP, MEMORY_1].flatMap((side) => cost(rounds, side, 'event')),
        disturbance(rounds),
      ];
    }),
};

const SINGLE_READINGS = 'readings, one an entry';
const ORDERS = 'orders, one an entry, minted keys';
const ACCOUNTS = 'accounts, one an entry, minted keys, guards';

const DATASETS = [LOCKSTEP, SINGLE_READINGS, ORDERS, ACCOUNTS];
const OF_DATASETS = `${SINGLE_ENTRIES} entries of one event each: readings over 12 shards and ${SINGLE_ENTRIES / 5} keys without idempotency \
keys; orders over 6 shards, placed, paid, shipped; accounts over 6 shards, opened and four times credited, the balance guarded by \
the fold; both under minted keys. Beside them ${BESIDE_ENTRIES} entries of ${EVENTS_PER_ENTRY} readings. ${SERVERS}`;

async function datasetSides(stage: Stage): Promise<readonly Side[]> {
  const dataset = await named('readings');
  const single = renamed(dataset, 'readings_single');
  const [ordersDataset, accountsDataset] = [await named('orders'), await named('accounts')];
  const side = async (name: string, of: typeof dataset, entries: Work['entries']): Promise<Side> =>
    byReplicator(stage, name, await prepareWork(stage, of, entries));
  return [
    await side(LOCKSTEP, dataset, readings(dataset, BESIDE_ENTRIES, STATIONS)),
    await side(SINGLE_READINGS, single, singleReadings(single, SINGLE_ENTRIES, SINGLE_ENTRIES / 5)),
    await side(ORDERS, ordersDataset, orders(ordersDataset, SINGLE_ENTRIES)),
    await side(ACCOUNTS, accountsDataset, accounts(accountsDataset, SINGLE_ENTRIES)),
  ];
}

export const applyDatasets: Benchmark = {
  name: 'apply-datasets',
  profile: OF_DATASETS,
  run: (context) =>
    onStage(context, async (stage) => {
      const rounds = await takeTurns(stage, await datasetSides(stage));
      return [
        ratio(rounds, ORDERS, SINGLE_READINGS, 0.6),
        ratio(rounds, ACCOUNTS, SINGLE_READINGS, 0.5),
        ratio(rounds, ORDERS, LOCKSTEP),
        ratio(rounds, ACCOUNTS, LOCKSTEP),
        ratio(rounds, SINGLE_READINGS, LOCKSTEP),
        ...DATASETS.map((side) => rate(rounds, side, 'events/s')),
        ...DATASETS.map((side) => counted(rounds, side, WAL_BYTES, 'event')),
        ...DATASETS.flatMap((side) => cost(rounds, side, 'event')),
        disturbance(rounds),
      ];
    }),
};

const ROUNDS_AT_LENGTH = 56;

/** Both connections of a lane, for so long that what seldom happens between them (a deadlock) would. */
export const applyAtLength: Benchmark = {
  name: 'apply-at-length',
  profile: `As \`apply-datasets\`, ${ROUNDS_AT_LENGTH} rounds. Whatever fails in a replicator, a deadlock too, ends the run. ${OF_DATASETS}`,
  run: (context) =>
    onStage(context, async (stage) => {
      const { processes } = stage.servers;
      const sides = await datasetSides(stage);
      const rounds = await inTurns({ say: stage.say, processes, sides, rounds: ROUNDS_AT_LENGTH });
      const events = DATASETS.flatMap((side) => rounds.get(side)!).reduce(
        (sum, { amount }) => sum + amount,
        0,
      );
      return [
        { name: 'events applied without a failure', unit: 'events', ...spread([events]), goal: 10_000_000 },
        ...DATASETS.map((side) => rate(rounds, side, 'events/s')),
        disturbance(rounds),
      ];
    }),
};

const HOT = 'nine of ten events on 100 keys';

export const applyHotKeys: Benchmark = {
  name: 'apply-hot-keys',
  profile: `${READINGS} in 12 shards, drawn uniformly, and as many of which nine of ten are of ${HOT_STATIONS * EVENTS_PER_ENTRY} \
keys in ${HOT_STATIONS} shards. ${SERVERS}`,
  run: (context) =>
    onStage(context, async (stage) => {
      const dataset = await named('readings');
      const hot = renamed(dataset, 'readings_hot');
      const rounds = await takeTurns(stage, [
        byReplicator(
          stage,
          HOT,
          await prepareWork(stage, hot, readings(hot, ENTRIES, STATIONS, HOT_STATIONS)),
        ),
        byReplicator(
          stage,
          LOCKSTEP,
          await prepareWork(stage, dataset, readings(dataset, ENTRIES, STATIONS)),
        ),
      ]);
      return [
        ratio(rounds, HOT, LOCKSTEP, 1.5),
        ...[HOT, LOCKSTEP].map((side) => rate(rounds, side, 'events/s')),
        ...[HOT, LOCKSTEP].map((side) => counted(rounds, side, WAL_BYTES, 'event')),
        ...[HOT, LOCKSTEP].flatMap((side) => cost(rounds, side, 'event')),
        disturbance(rounds),
      ];
    }),
};

const SHAPES: readonly Manner[] = [
  best(2),
  { ...best(2), ahead: false },
  { ...best(2), rows: 500 },
  { ...best(2), rows: 5_000 },
  { ...best(2), shape: 'unnest' },
  { ...best(2), shape: 'json' },
  { ...best(2), shape: 'values' },
  best(1),
  { ...best(1), ahead: false },
];

const shapeName = ({ shape, rows, connections, ahead }: Manner): string =>
  `${shape}, ${rows} rows, ${connections === 1 ? 'one connection' : 'two connections'}${ahead ? '' : ', built between statements'}`;

export const limit: Benchmark = {
  name: 'limit',
  profile: `How the limit is best reached from memory: ${LIMIT_ENTRIES} entries of ${EVENTS_PER_ENTRY} readings in 12 shards, every shape with the cursors in the same statement, \
named. ${SERVERS}`,
  run: (context) =>
    onStage(context, async (stage) => {
      const dataset = await named('readings');
      const work = await prepareWork(stage, dataset, readings(dataset, LIMIT_ENTRIES, STATIONS));
      const rounds = await withLimit(work, (memoryLimit) =>
        takeTurns(
          stage,
          SHAPES.map((manner) =>
            byMemory(stage.servers, shapeName(manner), { work, limit: memoryLimit, manner }),
          ),
        ),
      );
      const names = SHAPES.map(shapeName);
      return [
        ...names.slice(1).map((name) => ratio(rounds, name, names[0]!)),
        ...names.map((name) => rate(rounds, name, 'events/s')),
        ...names.map((name) => counted(rounds, name, WAL_BYTES, 'event')),
        disturbance(rounds),
      ];
    }),
};
