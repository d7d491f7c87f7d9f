/**
 * Catch-up: how fast a region drains what came while its replicator stood still, beside the limit from memory on the same
 * database server, and whether critical writes suffer from it.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { shardsOf } from '@lockstep/engine';
import type { LocalCluster, Region } from '../e2e/local-cluster.ts';
import { best } from './apply.ts';
import { spread, Stopwatch, type Benchmark, type Context, type Figure } from './benchmark.ts';
import { processesOf } from './cluster-processes.ts';
import { Accounts, atPaceUntil, quantile, type PacedLoad, type Way } from './critical-writes.ts';
import { MemoryLimit } from './memory-limit.ts';
import { READINGS_ENTRIES, READINGS_LOAD, READINGS_STATIONS, ReadingsLoad } from './readings-load.ts';
import { EVENTS_PER_ENTRY, readings, readingsDataset } from './sample-writes.ts';
import { administrate, createDatabase, type Database } from './servers.ts';
import { prepareTables } from './work.ts';

const EVENTS_PER_SECOND = 10_000;
const ROUNDS = 3;
const WARM_UP_MS = 30_000;
const BEFORE_MS = 30_000;
const STOP_MS = 60_000;
const LIMIT_RUNS = 3;
/** No more than that is missing: half a second of the load, which is usual while nothing is stopped. */
const LAG_ENTRIES = EVENTS_PER_SECOND / EVENTS_PER_ENTRY / 2;
const LOOK_EVERY_MS = 100;
const HOME = 'eu';
const STOPPED: Region = 'us';
const CALLERS = 16;
const CRITICAL_PER_SECOND = 20;

export const catchUp: Benchmark = {
  name: 'catch-up',
  profile: `Three regions, one broker, three databases and nine roles on one machine, ${EVENTS_PER_SECOND} events a second. ${READINGS_LOAD} \
Credits of accounts from a client beside the home's gateway, ${CRITICAL_PER_SECOND} a second in an open loop, ack quorum, rule majority, from \
when a write was due. ${ROUNDS} rounds: ${BEFORE_MS / 1_000} s as usual; the replicator of ${STOPPED}, which is not the accounts' home, is \
stopped (SIGSTOP) for ${STOP_MS / 1_000} s and goes on. Drain: events that ${STOPPED} applies a second, those among them that come \
meanwhile, from the signal until half a second of the load is missing. mem2: ${READINGS_ENTRIES} such entries from memory as \`apply\` does it, on the same \
database server while its replicator stands still and all else goes on, into a table that holds their rows already, median of ${LIMIT_RUNS}.`,
  run: async ({ cluster, say }) => {
    const dataset = await readingsDataset();
    const limit = new MemoryLimit({
      shards: shardsOf(dataset.table.dataset, dataset.partitions),
      entries: readings(dataset, READINGS_ENTRIES, READINGS_STATIONS),
    });
    try {
      return await measure(await cluster(), limit, say);
    } finally {
      await limit.close();
    }
  },
};

/** What was applied so long after the signal. */
interface Look {
  readonly seconds: number;
  readonly events: number;
}

interface Round {
  readonly before: PacedLoad;
  readonly during: PacedLoad;
  /** Events a second, in each run. */
  readonly memory: readonly number[];
  readonly backlogEvents: number;
  readonly drain: Stopwatch;
  readonly looks: readonly Look[];
}

async function measure(
  cluster: LocalCluster,
  limit: MemoryLimit,
  say: Context['say'],
): Promise<readonly Figure[]> {
  const accounts = new Accounts(cluster.gateway(HOME), HOME);
  try {
    await accounts.open(CALLERS);
    const template = await filledTemplate(cluster.file.regions[STOPPED]!.postgres, limit);
    const load = await ReadingsLoad.start(cluster, EVENTS_PER_SECOND);
    const startMs = performance.now();
    say('warming up');
    await criticalFor(accounts.way('quorum'), WARM_UP_MS);
    const rounds: Round[] = [];
    for (let count = 1; count <= ROUNDS; count += 1) {
      const round = await oneRound(cluster, accounts.way('quorum'), load, () => memoryRate(limit, template));
      rounds.push(round);
      say(`round ${count}/${ROUNDS}  ${told(round)}; ${load.failed} entries failed ${load.lastFailure}`);
    }
    const seconds = (performance.now() - startMs) / 1_000;
    await load.stop();
    await load.settle();
    return [
      ...figures(rounds),
      {
        name: 'events logged, and applied in every region',
        unit: 'events/s',
        ...spread([(load.logged * EVENTS_PER_ENTRY) / seconds]),
      },
      { name: 'entries that were due and were not logged', unit: 'entries', ...spread([load.failed]) },
    ];
  } finally {
    accounts.close();
  }
}

async function oneRound(
  cluster: LocalCluster,
  way: Way,
  load: ReadingsLoad,
  memoryRun: () => Promise<number>,
): Promise<Round> {
  const before = await criticalFor(way, BEFORE_MS);
  await cluster.orderProcess('pause', STOPPED, 'replicator');
  const memory: number[] = [];
  const stopped = criticalFor(way, STOP_MS);
  for (let run = 0; run < LIMIT_RUNS; run += 1) memory.push(await memoryRun());
  await stopped;
  const appliedBefore = await load.applied(STOPPED);
  const drain = new Stopwatch(processesOf(cluster));
  drain.start();
  const backlogEvents = (load.logged - appliedBefore) * EVENTS_PER_ENTRY;
  await cluster.orderProcess('continue', STOPPED, 'replicator');
  let isDrained = false;
  const writing = atPaceUntil(way, CALLERS, CRITICAL_PER_SECOND, () => isDrained);
  const startMs = performance.now();
  const looks: Look[] = [];
  let applied = appliedBefore;
  while (load.logged - applied > LAG_ENTRIES) {
    await pause(LOOK_EVERY_MS);
    applied = await load.applied(STOPPED);
    looks.push({
      seconds: (performance.now() - startMs) / 1_000,
      events: (applied - appliedBefore) * EVENTS_PER_ENTRY,
    });
  }
  drain.stop();
  isDrained = true;
  return { before, during: await writing, memory, backlogEvents, drain, looks };
}

function criticalFor(way: Way, ms: number): Promise<PacedLoad> {
  const untilMs = performance.now() + ms;
  return atPaceUntil(way, CALLERS, CRITICAL_PER_SECOND, () => performance.now() >= untilMs);
}

/** With all rows, each older than whatever is written; the first run warms the limit's thread besides. */
async function filledTemplate(server: string, limit: MemoryLimit): Promise<Database> {
  const template = await createDatabase(server, 'memory_limit');
  await prepareTables(template, await readingsDataset());
  await limit.run(best(2), template.url, new Stopwatch({}));
  await administrate(template.url, [
    'update readings set lockstep_version = 0',
    'update lockstep.cursor set sequence = 0, log_offset = -1',
    'vacuum full readings',
  ]);
  return template;
}

/** Events a second. */
async function memoryRate(limit: MemoryLimit, template: Database): Promise<number> {
  const database = await createDatabase(template.url, 'memory_limit_run', template);
  const watch = new Stopwatch({});
  await limit.run(best(2), database.url, watch);
  await database.drop();
  return (READINGS_ENTRIES * EVENTS_PER_ENTRY) / watch.seconds;
}

const rateOf = ({ drain, looks }: Round): number => looks.at(-1)!.events / drain.seconds;

/** Once half of it is applied: a region that goes on has to take its shards again first. */
function rateOfSecondHalf({ looks }: Round): number {
  const last = looks.at(-1)!;
  const half = looks.find(({ events }) => events >= last.events / 2)!;
  return (last.events - half.events) / (last.seconds - half.seconds);
}

const limitOf = ({ memory }: Round): number => quantile(memory, 0.5);

function figures(rounds: readonly Round[]): readonly Figure[] {
  const each = (name: string, unit: string, of: (round: Round) => number): Figure => ({
    name,
    unit,
    ...spread(rounds.map(of)),
  });
  const sides = [
    { name: 'before', of: ({ before }: Round) => before.tookMs },
    { name: 'during the drain', of: ({ during }: Round) => during.tookMs },
  ] as const;
  const pooled = (of: (round: Round) => readonly number[], share: number): number =>
    quantile(rounds.flatMap(of), share);
  const [before, during] = sides;
  return [
    { ...each('drain / mem2', 'ratio', (round) => rateOf(round) / limitOf(round)), goal: 0.85 },
    {
      ...each(
        'p99 of ack quorum, during the drain / before',
        'ratio',
        (round) => quantile(during.of(round), 0.99) / quantile(before.of(round), 0.99),
      ),
      median: pooled(during.of, 0.99) / pooled(before.of, 0.99),
      goalMost: 1.5,
    },
    each('drain', 'events/s', rateOf),
    each('drain, its second half', 'events/s', rateOfSecondHalf),
    each('mem2', 'events/s', limitOf),
    each('events that were missing', 'events', ({ backlogEvents }) => backlogEvents),
    each('until they were applied', 's', ({ drain }) => drain.seconds),
    ...sides.flatMap(({ name, of }) =>
      [0.5, 0.99].map((share) => ({
        ...each(`p${share * 100} of ack quorum, ${name}`, 'ms', (round) => quantile(of(round), share)),
        median: pooled(of, share),
      })),
    ),
    each('critical writes refused', 'writes', (round) => round.before.refused + round.during.refused),
    ...Object.keys(rounds[0]!.drain.processor).map((process) =>
      each(
        process === 'others' ? 'other programs on this machine' : `drain: processor time of ${process}`,
        '% of a core',
        ({ drain }) => (100 * drain.processor[process]!) / drain.seconds,
      ),
    ),
  ];
}

function told(round: Round): string {
  const { before, during, backlogEvents, drain } = round;
  const p99 = ({ tookMs }: PacedLoad): string => `${quantile(tookMs, 0.99).toFixed(0)} ms`;
  return `${backlogEvents} events missing, ${drain.seconds.toFixed(1)} s, drain ${rateOf(round).toFixed(0)}/s, second half ${rateOfSecondHalf(round).toFixed(0)}/s, \
mem2 ${round.memory.map((rate) => rate.toFixed(0)).join(' ')}/s, p99 ${p99(before)} before, ${p99(during)} during \
(${during.tookMs.length} writes, ${during.refused} refused)`;
}
