/**
 * Days of a cluster that nothing is wrong with, but for what every cluster knows: a region stands still for a moment, a process
 * is restarted, an observer sleeps, a link is down, the log answers nobody. Each disturbance alone stays below what makes
 * a region unfit, and whatever comes of it, no home may move (I14).
 *
 * The real engine runs as in every seed. What lies between two disturbances is leapt over: clocks go on, and with them log
 * time, retention, votes and cool-downs, and nothing else happens (decision 0080). So a day costs what happens in it.
 */
import type { GatewayDataset } from '@lockstep/engine';
import { CONTROL_TOPIC, type DatasetName, type RegionName } from '@lockstep/protocol';
import { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { controlHistoryOf } from '../history/control-history.js';
import { START_MS, World } from '../world/world.js';
import type { Chance } from '../world/chance.js';
import { Chaos } from './chaos.js';
import { type Fault, type FaultKind } from './fault.js';
import { shardsIn } from './judge-cluster.js';
import { violationsOf, type Violation } from './violation.js';

const REGIONS = ['eu', 'us', 'ap'] as const;
const DAY_MS = 86_400_000;
const EPISODES_PER_DAY = 12;
/** What an episode's blips have so long to begin, and so long to be over with all that they bring about. */
const BEGUN_WITHIN_MS = 2_000;
const EPISODE_MS = 15_000;
const LED_WITHIN_MS = 15_000;
const LOG_AWAY_MS_MAX = 60_000;
/** One episode in so many takes the log away from everybody. */
const LOG_AWAY_ONCE_IN = 50;
/** In one of so many of the others streams are late, everywhere. */
const STREAMS_LATE_ONCE_IN = 7;
const STREAMS_LATE_MS_MAX = 3_000;
const SETTLED_MS_MAX = 60_000;

/**
 * How long each may last: at most four fifths of what makes a region unfit, or, where one observer alone is disturbed,
 * far longer.
 */
const BLIPS_MS_MAX = {
  /** Every process of a region at once; canaries without a word count after 800 ms. */
  'region-stands-still': 640,
  /** Its gateway says so itself, which counts after 5 s. */
  'replicator-stands-still': 4_000,
  'gateway-stands-still': 4_000,
  'coordinator-stands-still': 10_000,
  'process-restarts': 1_000,
  'log-unreachable': 640,
} as const;
/** Two regions do not reach each other: each of them is one observer. */
const LINK_DOWN_MS_MAX = 10_000;
/** Of the messages of streams. */
const LATE_SHARE = 0.2;
type BlipKind = keyof typeof BLIPS_MS_MAX | 'streams-late' | 'link-down' | 'log-away';
const BLIP_KINDS = Object.keys(BLIPS_MS_MAX) as (keyof typeof BLIPS_MS_MAX)[];

export interface Episode {
  readonly blips: readonly { readonly kind: BlipKind; readonly faults: readonly Fault[] }[];
  readonly ms: number;
}

export interface NoiseResult {
  readonly seed: number;
  readonly days: number;
  readonly blips: { readonly [kind: string]: number };
  /** In the control log; of votes only those that found a region unfit. */
  readonly said: {
    readonly votes: number;
    readonly held: number;
    readonly terms: number;
    readonly failovers: number;
  };
  /** Not leapt over. */
  readonly workedMs: number;
  readonly violations: readonly Violation[];
  readonly traceHash: string;
}

export const drawNoise = (seed: number, days: number): readonly Episode[] => {
  const chance = new World(seed, 'hash').branch('noise');
  return Array.from({ length: days * EPISODES_PER_DAY }, () => drawEpisode(chance));
};

function drawEpisode(chance: Chance): Episode {
  if (chance.below(LOG_AWAY_ONCE_IN) === 0) {
    const forMs = 1_000 + chance.below(LOG_AWAY_MS_MAX - 1_000);
    const faults = REGIONS.map((region) => fault('cut-both-ways', 0, forMs, `${region}=log`));
    return { blips: [{ kind: 'log-away', faults }], ms: forMs + EPISODE_MS };
  }
  if (chance.below(STREAMS_LATE_ONCE_IN) === 0) return { blips: [drawStreamsLate(chance)], ms: EPISODE_MS };
  // Two at once in one region would be a region that fails, and one that two others do not reach is cut off.
  const drawn = REGIONS.filter(() => chance.below(2) === 0);
  const struck = drawn.length === 0 ? [chance.pick(REGIONS)] : drawn;
  const blips = struck.map((region) => drawBlip(region, chance));
  return { blips: chance.below(3) === 0 ? [...blips, drawLinkDown(chance)] : blips, ms: EPISODE_MS };
}

type Blip = Episode['blips'][number];

const lengthOf = (mostMs: number, chance: Chance): number =>
  Math.round(mostMs / 8 + chance.below((mostMs * 7) / 8));

/** Alone, because every region has it: one whose gateway stands still as well is neither heard nor answers. */
function drawStreamsLate(chance: Chance): Blip {
  const atMs = chance.below(BEGUN_WITHIN_MS);
  const late = fault('frames-delayed', atMs, lengthOf(STREAMS_LATE_MS_MAX, chance), '');
  return { kind: 'streams-late', faults: [{ ...late, strength: LATE_SHARE }] };
}

function drawLinkDown(chance: Chance): Blip {
  const one = chance.pick(REGIONS);
  const other = chance.pick(REGIONS.filter((region) => region !== one));
  const atMs = chance.below(BEGUN_WITHIN_MS);
  const forMs = lengthOf(LINK_DOWN_MS_MAX, chance);
  return { kind: 'link-down', faults: [fault('cut-both-ways', atMs, forMs, `${one}=${other}`)] };
}

function drawBlip(region: string, chance: Chance): Blip {
  const kind = chance.pick(BLIP_KINDS);
  const atMs = chance.below(BEGUN_WITHIN_MS);
  const forMs = lengthOf(BLIPS_MS_MAX[kind], chance);
  const processes = ['gateway', 'coordinator', 'replicator-0'] as const;
  const paused = (name: string): Fault => fault('pause', atMs, forMs, `${region}/${name}`);
  switch (kind) {
    case 'region-stands-still':
      return { kind, faults: processes.map(paused) };
    case 'replicator-stands-still':
      return { kind, faults: [paused('replicator-0')] };
    case 'gateway-stands-still':
      return { kind, faults: [paused('gateway')] };
    case 'coordinator-stands-still':
      return { kind, faults: [paused('coordinator')] };
    case 'process-restarts':
      return { kind, faults: [fault('crash', atMs, forMs, `${region}/${chance.pick(processes)}`)] };
    case 'log-unreachable':
      return { kind, faults: [fault('cut-both-ways', atMs, forMs, `${region}=log`)] };
  }
}

const fault = (kind: FaultKind, atMs: number, forMs: number, target: string): Fault => ({
  ...{ kind, atMs, forMs, target },
  strength: 0,
});

/**
 * @param dataset of which each region is home of a group, and all hold all.
 * @param episodes others than the seed draws.
 */
export async function runNoise(
  seed: number,
  days: number,
  dataset: readonly [DatasetName, GatewayDataset],
  episodes = drawNoise(seed, days),
): Promise<NoiseResult> {
  const world = new World(seed, 'hash');
  const starts = startsOf(episodes);
  const chaos = new Chaos(
    world,
    episodes.flatMap(({ blips }, index) =>
      blips.flatMap(({ faults }) => faults.map((one) => ({ ...one, atMs: starts[index]! + one.atMs }))),
    ),
  );
  const cluster = new SimulatedCluster({
    world,
    regions: REGIONS as unknown as readonly RegionName[],
    datasets: new Map([dataset]),
    ...chaos.callFaults(),
    roles: 'apart',
    failover: 'automatic',
  });
  const violations: Violation[] = [];
  try {
    await cluster.start();
    await world.elapse(LED_WITHIN_MS);
    chaos.begin(cluster);
    for (const { ms } of episodes) {
      await world.elapse(ms);
      world.leap(DAY_MS / EPISODES_PER_DAY - ms);
    }
    chaos.heal(cluster);
    await world.runUntil(() => cluster.isReady(), SETTLED_MS_MAX);
  } catch (error) {
    violations.push(stopped(error));
  }
  const { commands } = controlHistoryOf(
    cluster.log.records(CONTROL_TOPIC, 0),
    () => 0,
    () => null,
  );
  const accepted = commands.filter(({ verdict }) => verdict === 'accepted');
  const count = (kind: string): number => accepted.filter(({ command }) => command.kind === kind).length;
  const decided = accepted.filter(({ command }) => ['fail-over', 'decision'].includes(command.kind));
  const moved = [
    ...decided.map(
      ({ appendTimeMs, command }) =>
        `${command.kind} on day ${((appendTimeMs - START_MS) / DAY_MS).toFixed(3)}`,
    ),
    ...movedHomes(cluster),
  ];
  const sentence = 'A home moved though no region had failed.';
  violations.push(...violationsOf({ invariant: 'I14', code: 'moved-by-noise', sentence }, moved));
  return {
    seed,
    days,
    blips: counted(episodes.flatMap(({ blips }) => blips.map(({ kind }) => kind))),
    said: {
      votes: accepted.filter(({ command }) => command.kind === 'vote' && command.opinion === 'unfit').length,
      held: count('held'),
      terms: count('claim'),
      failovers: count('fail-over'),
    },
    workedMs: Math.round(world.elapsedMs()),
    violations,
    traceHash: world.traceHash(),
  };
}

function startsOf(episodes: readonly Episode[]): readonly number[] {
  let at = 0;
  return episodes.map(({ ms }) => (at += ms) - ms);
}

const movedHomes = (cluster: SimulatedCluster): readonly string[] =>
  shardsIn(cluster).flatMap((shard) =>
    [...cluster.regions.values()].flatMap(({ database, region }) => {
      const cursor = database.cursor(shard);
      return cursor?.epoch === 1n ? [] : [`${region}: ${shard} has epoch ${cursor?.epoch ?? 'none'}`];
    }),
  );

const stopped = (error: unknown): Violation => ({
  ...{ invariant: 'I20', code: 'world-stopped', sentence: 'The run could not be carried to its end.' },
  ...{ count: 1, examples: [String((error as Error).stack ?? error)] },
});

function counted(names: readonly string[]): { readonly [name: string]: number } {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
