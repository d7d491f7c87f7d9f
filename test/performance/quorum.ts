/**
 * Critical writes over a wide area: how long one takes, how many there are at once, beside what Postgres does by itself
 * over the same distance; where the log lies in three regions (`stretched`) or in the home alone.
 */
import type { LocalCluster } from '../e2e/local-cluster.ts';
import { readFileSync } from 'node:fs';
import { spread, Stopwatch, type Benchmark, type Context, type Figure } from './benchmark.ts';
import type { WatchedProcesses } from './processor-time.ts';
import {
  Accounts,
  atPace,
  manyAtOnce,
  oneAfterAnother,
  quantile,
  type Load,
  type PacedLoad,
  type Way,
} from './critical-writes.ts';
import { REMOTE_APPLY, SynchronousStandbys } from './synchronous-standbys.ts';

export const DELAY_MS = 20;
export const HOME = 'eu';
const ROUNDS = 5;
const WRITES = 100;
const CALLERS = 128;
const SECONDS = 4;
const COMMITS = 20;
/** How much more than its distance and one commit a quorum write may take, alone and at half of the load. */
const ALONE_MOST = 1.15;
const HALF_LOAD_MOST = 1.6;
const P99_MOST = 1.6;
const SUCCESS_LEAST = 0.95;
const QUORUM = 'ack quorum';

type Placement = 'stretched' | 'home';

export const STRETCHED = ['--brokers', '3', '--wan', String(DELAY_MS)];
export const AT_HOME = [...STRETCHED, '--brokers-in', HOME];

export const quorum = overWideArea('quorum', 'stretched');
export const quorumHome = overWideArea('quorum-home', 'home');

function overWideArea(name: string, placement: Placement): Benchmark {
  const brokers =
    placement === 'stretched'
      ? "three brokers, one in each region, the shards' leader at home"
      : 'three brokers, all in the home region';
  return {
    name,
    profile: `Three regions with ${DELAY_MS} ms one way between them, ${brokers}, replication factor 3, min.insync.replicas 2, three \
databases, all roles, all on one machine. Latency: ${WRITES} credits one after the other from a client beside the home's gateway, \
quorum majority. Throughput: ${CALLERS} callers with an account each, ${SECONDS} s. Half load: half as many a second as those \
${CALLERS} were answered in the same round, in an open loop, ${SECONDS} s, from when a write was due. A commit: of Postgres at home, waiting for nobody, after a pause as long as a round trip. ${REMOTE_APPLY}: the update of the row alone, a \
Postgres 18 at home, ANY 1 of two standbys over such links, a connection a caller. fsync everywhere. The ways take turns, ${ROUNDS} rounds.`,
    run: async ({ cluster, ends, say }) =>
      measure(
        say,
        placement,
        ...(await Promise.all([
          cluster(placement === 'stretched' ? STRETCHED : AT_HOME),
          ends(SynchronousStandbys.start(DELAY_MS, CALLERS)),
        ])),
      ),
  };
}

interface Round {
  readonly roundTripMs: readonly number[];
  readonly latency: Readonly<Record<string, readonly number[]>>;
  readonly loads: Readonly<Record<string, Load>>;
  readonly commitMs: readonly number[];
  /** Quorum writes, at half of the rate at which so many callers were answered. */
  readonly half: PacedLoad;
  /** What other programs took of a processor meanwhile. */
  readonly othersPercent: number;
}

async function measure(
  say: Context['say'],
  placement: Placement,
  cluster: LocalCluster,
  standbys: SynchronousStandbys,
): Promise<readonly Figure[]> {
  const accounts = new Accounts(cluster.gateway(HOME), HOME);
  try {
    say('opening accounts');
    await accounts.open(CALLERS);
    const alone = [accounts.way('quorum'), standbys.way];
    const loaded = [
      ...(['quorum', 'accepted', 'logged'] as const).map((ack) => accounts.way(ack)),
      standbys.way,
    ];
    const rounds: Round[] = [];
    // The first round warms compilers and caches.
    for (let count = 0; count <= ROUNDS; count += 1) {
      const watch = new Stopwatch(processesOf(cluster, standbys));
      watch.start();
      const measured = await oneRound(alone, loaded, standbys);
      watch.stop();
      const round = { ...measured, othersPercent: (100 * watch.processor['others']!) / watch.seconds };
      if (count > 0) rounds.push(round);
      say(`${count === 0 ? 'warm-up' : `round ${count}/${ROUNDS}`}  ${told(round)}`);
    }
    return figures(rounds, placement);
  } finally {
    accounts.close();
  }
}

async function oneRound(
  alone: readonly Way[],
  loaded: readonly Way[],
  standbys: SynchronousStandbys,
): Promise<Omit<Round, 'othersPercent'>> {
  const far: Way = { name: 'round trip', write: () => standbys.roundTrip(), settle: async () => undefined };
  const roundTripMs = await oneAfterAnother(far, 20);
  const commitMs = await standbys.commitsMs(COMMITS);
  const latency: Record<string, readonly number[]> = {};
  for (const way of alone) latency[way.name] = await oneAfterAnother(way, WRITES);
  const loads: Record<string, Load> = {};
  for (const way of loaded) {
    loads[way.name] = await manyAtOnce(way, CALLERS, SECONDS);
    await way.settle();
  }
  const [critical] = alone;
  const half = await atPace(critical!, CALLERS, loads[QUORUM]!.rate / 2, SECONDS);
  await critical!.settle();
  return { roundTripMs, commitMs, latency, loads, half };
}

function figures(rounds: readonly Round[], placement: Placement): readonly Figure[] {
  const each = (value: (round: Round) => number) => spread(rounds.map(value));
  const tripsNeeded = placement === 'stretched' ? 2 : 1;
  const took = (way: string, share: number) => (round: Round) => quantile(round.latency[way]!, share);
  const trip = (round: Round): number => quantile(round.roundTripMs, 0.5);
  const commit = (round: Round): number => quantile(round.commitMs, 0.5);
  const needed = (round: Round): number => tripsNeeded * trip(round) + commit(round);
  const half =
    (share: number) =>
    (round: Round): number =>
      quantile(round.half.tookMs, share);
  const neededName = `${tripsNeeded} round trip${tripsNeeded === 1 ? '' : 's'} and a commit`;
  const rate = (way: string) => (round: Round) => round.loads[way]!.rate;
  const over = (one: (round: Round) => number, other: (round: Round) => number) => (round: Round) =>
    one(round) / other(round);
  const all = (way: string): readonly number[] => rounds.flatMap((round) => round.latency[way]!);
  const ways = Object.keys(rounds[0]!.loads);
  return [
    ...[QUORUM, REMOTE_APPLY].flatMap((way) => [
      ...[0.5, 0.9, 0.99].map((share) => ({
        name: `${way}: p${share * 100} of a single write`,
        unit: 'ms',
        ...each(took(way, share)),
      })),
      {
        name: `${way}: p99 of a single write, all rounds`,
        unit: 'ms',
        ...spread([quantile(all(way), 0.99)]),
      },
    ]),
    { name: 'other programs on this machine', unit: '% of a core', ...each((round) => round.othersPercent) },
    { name: 'round trip of a link', unit: 'ms', ...each(trip) },
    { name: 'a commit', unit: 'ms', ...each(commit) },
    {
      name: `p50 of ${QUORUM} / ${neededName}`,
      unit: 'ratio',
      ...each((round) => took(QUORUM, 0.5)(round) / needed(round)),
      goalMost: ALONE_MOST,
    },
    {
      name: `p99 / p50 of ${QUORUM}`,
      unit: 'ratio',
      ...each((round) => took(QUORUM, 0.99)(round) / took(QUORUM, 0.5)(round)),
      goalMost: P99_MOST,
    },
    ...[0.5, 0.99].map((share) => ({
      name: `${QUORUM}: p${share * 100} at half of the load`,
      unit: 'ms',
      ...each(half(share)),
    })),
    {
      name: `p50 of ${QUORUM} at half of the load / ${neededName}`,
      unit: 'ratio',
      ...each((round) => half(0.5)(round) / needed(round)),
      goalMost: HALF_LOAD_MOST,
    },
    {
      name: `${QUORUM}: answered as asked at half of the load`,
      unit: 'share',
      ...each(({ half: { refused, tookMs } }) => tookMs.length / (tookMs.length + refused)),
      goal: SUCCESS_LEAST,
    },
    ...[0.5, 0.99].map((share) => ({
      name: `p${share * 100} of ${QUORUM} / ${REMOTE_APPLY}`,
      unit: 'ratio',
      ...each(over(took(QUORUM, share), took(REMOTE_APPLY, share))),
    })),
    ...ways.flatMap((way) => [
      {
        name: `${way}: processors of the machine busy`,
        unit: '%',
        ...each((round) => 100 * round.loads[way]!.busy),
      },
      { name: `${way}: ${CALLERS} callers`, unit: 'writes/s', ...each(rate(way)) },
      ...[0.5, 0.99].map((share) => ({
        name: `${way}: p${share * 100} of ${CALLERS} callers`,
        unit: 'ms',
        ...each((round) => quantile(round.loads[way]!.tookMs, share)),
      })),
    ]),
    {
      name: `${QUORUM} / ack logged`,
      unit: 'ratio',
      ...each(over(rate(QUORUM), rate('ack logged'))),
      goal: 0.9,
    },
    { name: `${QUORUM} / ack accepted`, unit: 'ratio', ...each(over(rate(QUORUM), rate('ack accepted'))) },
    { name: `${QUORUM} / ${REMOTE_APPLY}`, unit: 'ratio', ...each(over(rate(QUORUM), rate(REMOTE_APPLY))) },
  ];
}

/** A parent stands for its children: the supervisor for brokers, roles and links, a postmaster for its backends. */
function processesOf(cluster: LocalCluster, standbys: SynchronousStandbys): WatchedProcesses {
  const { kafka, regions } = cluster.file;
  const stat = readFileSync(`/proc/${kafka.pids[0]}/stat`, 'utf8');
  const supervisor = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  const databases = [...Object.values(regions).map(({ pids }) => pids.postgres!), ...standbys.pids];
  return {
    supervisor,
    ...Object.fromEntries(databases.map((pid, index) => [`database ${index}`, pid])),
  };
}

const told = ({ roundTripMs, commitMs, latency, loads, half, othersPercent }: Round): string =>
  [
    `others ${othersPercent.toFixed(0)} %`,
    `round trip ${quantile(roundTripMs, 0.5).toFixed(1)} ms`,
    `commit ${quantile(commitMs, 0.5).toFixed(1)} ms`,
    ...Object.entries(latency).map(
      ([way, ms]) => `${way} p50 ${quantile(ms, 0.5).toFixed(1)} p99 ${quantile(ms, 0.99).toFixed(1)} ms`,
    ),
    ...Object.entries(loads).map(
      ([way, { rate, tookMs }]) => `${way} ${rate.toFixed(0)}/s (p50 ${quantile(tookMs, 0.5).toFixed(0)} ms)`,
    ),
    `half load p50 ${quantile(half.tookMs, 0.5).toFixed(0)} p99 ${quantile(half.tookMs, 0.99).toFixed(0)} ms, ${half.refused} of ${half.tookMs.length + half.refused} refused`,
  ].join(', ');
