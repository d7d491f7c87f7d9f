/**
 * One seed, one run: a cluster of the real engine under a profile's load and faults, then repaired, then judged.
 *
 *   rest    in some runs before it: work without faults, then days without work, so that keys and sessions are forgotten
 *   chaos   faults come and go; only safety counts
 *   heal    everything is repaired
 *   quiet   every client is answered, every region reaches the end of the log, new writes are taken: progress (I20)
 *
 * The same profile gives the same run, to the last completion: its trace has one hash.
 */
import type { Fact, GatewayDataset } from '@lockstep/engine';
import {
  canonicalJson,
  decodeHeader,
  hashToHex,
  parseShardName,
  RECORD_HEADER,
  recordDigest,
  topicOf,
  utf8,
  type ConfigurationContent,
  type ConfigurationHash,
  type DatasetName,
  type GroupName,
  type LogRecord,
  type RegionName,
} from '@lockstep/protocol';
import { SimulatedCluster, type SimulatedRegion } from '../cluster/simulated-cluster.js';
import { openWrites, readRun, type AskedAgain, type Finding, type HistoryLine } from '../history/index.js';
import type { ProcessClock } from '../world/process.js';
import { World } from '../world/world.js';
import { isBeyond, violationsBeyond } from './beyond.js';
import { Chaos } from './chaos.js';
import { Drills } from './drills.js';
import { faultText } from './fault.js';
import { judgeCluster, shardsIn } from './judge-cluster.js';
import { withoutCoordinators } from './leaderless.js';
import { Load, RUN } from './load.js';
import { RegionalOutage } from './outage.js';
import { OwnershipMoves } from './ownership-moves.js';
import { BROKERS, type Profile } from './profile.js';
import { RuleChanges } from './rule-changes.js';
import { Services } from './services.js';
import { Tally } from './tally.js';
import { violationsOf, type Violation } from './violation.js';

const DAY_MS = 86_400_000;
const PROTOCOL_EVENTS_MIN = 2_000;
const CHAOS_MS_MAX = 60_000;
/** After everything was repaired, progress must have happened within this. */
const QUIET_MS_MAX = 60_000;
const ASKED_MS_MAX = 120_000;
/** Where more was taken than was promised, nothing need move; within this every halt must have been told. */
const NAMED_MS_MAX = 25_000;

export interface SeedResult {
  readonly seed: number;
  readonly profile: Profile;
  readonly violations: readonly Violation[];
  readonly traceHash: string;
  readonly counts: {
    readonly operations: number;
    /** Entries in the logs of all shards, whatever their verdicts. */
    readonly entries: number;
    readonly faults: number;
    readonly faultKinds: number;
    readonly restarts: number;
    /** Completions of ports, but for those that only wait or keep alive. */
    readonly protocolEvents: number;
    readonly virtualMs: number;
    /** Of services: committed, and what stands undone in quarantines at the end. */
    readonly transactions: number;
    readonly undone: number;
  };
  /** How often a fault met a step of the protocol: `fault x step`. */
  readonly cells: { readonly [cell: string]: number };
  readonly verdicts: { readonly [code: string]: number };
  /** What was under way in a process when it was killed: `role x step`. */
  readonly crashPoints: { readonly [point: string]: number };
  /** Halts and withheld votes that were told, by their codes. */
  readonly named: { readonly [code: string]: number };
  /** Refusals that clients were told, by their codes. */
  readonly problems: { readonly [code: string]: number };
  /** How often checkers that seldom have something to judge had it, and what they passed over. */
  readonly judged: { readonly [what: string]: number };
  /** Of each shard whose home was gone alone: until its writes were open elsewhere. */
  readonly failoverMs: readonly number[];
  /** One line per completion, in the order in which they happened; none where only the hash was wanted. */
  readonly trace: readonly string[];
}

/**
 * @param sample the datasets of the sample catalogue; groups and shards are those of the profile.
 * @param keeps whether the lines of the trace are wanted, or only their hash.
 */
export async function runSeed(
  profile: Profile,
  sample: ReadonlyMap<DatasetName, GatewayDataset>,
  keeps: 'trace' | 'hash' = 'hash',
): Promise<SeedResult> {
  const world = new World(profile.seed, keeps);
  const chaos = new Chaos(world, profile.faults);
  const cluster = new SimulatedCluster({
    world,
    regions: profile.regions as readonly RegionName[],
    datasets: datasetsOf(profile, sample),
    ...chaos.callFaults(),
    clockOf: clocksOf(profile, world),
    replicators: profile.replicators,
    roles: profile.roles,
    applyEventsMax: profile.applyEventsMax,
    brokers: BROKERS,
    failover: profile.failover,
  });
  const load = new Load(cluster, profile);
  const services = new Services(cluster, profile);
  const rules = new RuleChanges(cluster, profile);
  const tally = new Tally();
  const drills = new Drills(tally);
  const moves = new OwnershipMoves(cluster, profile, drills);
  const violations: Violation[] = [];
  const unrest: string[] = [];
  try {
    await cluster.start();
    if (profile.rest !== null)
      await workAndRest(profile.rest, profile.chaosMs, { world, cluster, load, services });
    world.note('chaos');
    chaos.begin(cluster);
    rules.begin();
    moves.begin();
    if (profile.rest === null) {
      load.begin();
      services.begin();
    } else {
      load.goOn();
      services.goOn();
    }
    await world.elapse(profile.chaosMs);
    // Where faults kept the load from getting on, it goes on until something has happened.
    await world.runUntil(() => world.protocolEvents >= PROTOCOL_EVENTS_MIN || load.isDone, CHAOS_MS_MAX);
    world.note('heal');
    chaos.heal(cluster);
    for (const fault of chaos.done) load.noteFault(fault.kind, faultText(fault));
    if (isBeyond(profile.faults)) {
      load.stop();
      await world.runUntil(() => load.isDone, QUIET_MS_MAX);
      await world.elapse(NAMED_MS_MAX);
    } else {
      if (profile.outage !== null)
        violations.push(
          ...(await new RegionalOutage(cluster, profile, profile.outage, { load, services, tally }).run()),
        );
      unrest.push(...(await quiet(world, cluster, load, profile, { moves, rules, services })));
      await askAgain(world, load);
      unrest.push(...(await untilFolded(world, cluster)));
      if (profile.leaderlessMs !== null) {
        const forMs = profile.leaderlessMs;
        const saving = profile.services > 0 ? services : null;
        violations.push(...(await withoutCoordinators(cluster, { forMs, load, services: saving, tally })));
        unrest.push(...(await untilSettled(world, moves)), ...(await untilFolded(world, cluster)));
      }
      violations.push(...unresolved(cluster));
      tally.add('waits', cluster.waits.count);
    }
  } catch (error) {
    violations.push(stopped(error));
  }
  const { findings, log, outbox } = judgeCluster({
    cluster,
    run: RUN,
    lines: load.lines,
    asked: load.asked,
    unrest,
    keyHash: (key) => load.keyHash(key),
    told: services.told,
  });
  const found = findings.map(violationOf);
  violations.push(
    ...(isBeyond(profile.faults) ? violationsBeyond(cluster, log, found) : found),
    ...outbox,
    ...goneOnAsBefore(cluster),
    ...defects(cluster),
    ...undecided(moves),
    ...drills.violations(cluster),
  );
  const verdicts = new Map<string, number>();
  let entries = 0;
  for (const shard of log.shards.values()) {
    for (const [verdict, count] of shard.verdicts) {
      add(verdicts, verdict, count);
      entries += count;
    }
  }
  for (const [shard, { sequence, inputHash, effectsHash }] of log.shards)
    world.note(`${shard} ${sequence} ${inputHash} ${effectsHash}`);
  return {
    seed: profile.seed,
    profile,
    violations,
    traceHash: world.traceHash(),
    counts: {
      operations: load.lines.filter(({ type }) => type === 'invoke').length,
      entries,
      faults: chaos.done.length,
      faultKinds: new Set(chaos.done.map(({ kind }) => kind)).size,
      restarts: chaos.restarts,
      protocolEvents: world.protocolEvents,
      virtualMs: world.elapsedMs(),
      transactions: sumOf(cluster, ({ stored }) => stored.length),
      undone: sumOf(cluster, ({ database }) => database.outbox().undone.length),
    },
    cells: Object.fromEntries([...world.cells].sort(([x], [y]) => (x < y ? -1 : 1))),
    verdicts: Object.fromEntries(verdicts),
    crashPoints: Object.fromEntries(world.crashPoints),
    named: Object.fromEntries(namedIn(cluster)),
    problems: Object.fromEntries(problemsIn(load.lines, load.asked.values())),
    judged: tally.all(),
    failoverMs: tally.failoverMs,
    trace: world.trace,
  };
}

/** Everybody stops, what is unknown is asked for while it is remembered, and days pass. */
async function workAndRest(
  { afterMs, days, lateCopies }: NonNullable<Profile['rest']>,
  chaosMs: number,
  run: {
    readonly world: World;
    readonly cluster: SimulatedCluster;
    readonly load: Load;
    readonly services: Services;
  },
): Promise<void> {
  const { cluster, load, services, world } = run;
  load.begin();
  services.begin();
  await world.elapse(afterMs);
  load.rest();
  services.rest();
  await world.runUntil(() => load.isIdle && services.isIdle, QUIET_MS_MAX);
  await askAgain(world, load);
  world.note(`rest of ${days} days`);
  world.leap(days * DAY_MS);
  const chance = world.branch('late copies');
  const records = shardsIn(cluster).flatMap((shard) => {
    const { dataset, partition } = parseShardName(shard)!;
    const topic = topicOf(dataset);
    return cluster.log.records(topic, partition).map((record) => ({ topic, partition, record }));
  });
  for (let copies = 0; copies < lateCopies; copies += 1) {
    // Only the first number of a session is looked at again where the session is forgotten: the others are holes.
    const isFirst = chance.next() < 0.5;
    const { partition, record, topic } = chance.pick(isFirst ? records.filter(beginsSession) : records);
    world.after(chance.below(chaosMs), `late copy ${topic}/${partition}`, () => {
      world.hit('late-copy', 'append');
      cluster.log.appendForeign(topic, partition, {
        key: record.key,
        value: record.valueText === null ? null : utf8(record.valueText),
        headers: record.header === null ? [] : [[RECORD_HEADER, record.header]],
      });
    });
  }
}

const beginsSession = ({ record: { header } }: { readonly record: LogRecord }): boolean =>
  header !== null && decodeHeader(header)?.number === 1n;

async function quiet(
  world: World,
  cluster: SimulatedCluster,
  load: Load,
  profile: Profile,
  {
    moves,
    rules,
    services,
  }: { readonly moves: OwnershipMoves; readonly rules: RuleChanges; readonly services: Services },
): Promise<readonly string[]> {
  const unrest: string[] = [];
  const reach = async (what: string, holds: () => boolean): Promise<void> => {
    try {
      await world.runUntil(holds, QUIET_MS_MAX);
    } catch (error) {
      unrest.push(`${what}: ${(error as Error).message}`);
    }
  };
  load.stop();
  services.stop();
  await reach('clients are not answered', () => load.isDone && services.isDone);
  await reach('a gateway does not know every home', () => cluster.isReady());
  await reach('a decision is open', () => moves.isSettled());
  let isRestored = false;
  void rules.restore().then(() => (isRestored = true));
  await reach('rules are not restored', () => isRestored);
  let probing = 0;
  for (const region of profile.regions) {
    for (const dataset of profile.datasets) {
      if (profile.services > 0 && dataset === 'orders') continue;
      probing += 1;
      // No row of the run: the judge knows of it only what the log says.
      void load.probe(region, dataset as DatasetName, `${region}:probe-${dataset}`).then((refused) => {
        probing -= 1;
        if (refused !== null) unrest.push(`${region} does not take a write to ${dataset}: ${refused}`);
      });
    }
  }
  if (profile.services > 0) {
    probing += 1;
    void services.probe().then((refused) => {
      probing -= 1;
      unrest.push(...refused);
    });
  }
  await reach('new writes are not answered', () => probing === 0);
  await reach('an outbox is not drained', () => services.undrained().length === 0);
  return unrest;
}

async function untilFolded(world: World, cluster: SimulatedCluster): Promise<readonly string[]> {
  const behind = (): readonly string[] =>
    shardsIn(cluster).flatMap((shard) => {
      const { dataset, partition } = parseShardName(shard)!;
      const last = cluster.log.records(topicOf(dataset), partition).at(-1)?.offset ?? -1n;
      return [...cluster.regions.values()].flatMap(({ database, region }) => {
        const offset = database.cursor(shard)?.offset ?? -1n;
        return offset >= last ? [] : [`${region} has folded ${shard} to ${offset} of ${last}`];
      });
    });
  try {
    await world.runUntil(() => behind().length === 0, QUIET_MS_MAX);
    return [];
  } catch {
    return behind();
  }
}

async function untilSettled(world: World, moves: OwnershipMoves): Promise<readonly string[]> {
  try {
    await world.runUntil(() => moves.isSettled(), QUIET_MS_MAX);
    return [];
  } catch (error) {
    return [`coordinators do not come back: ${(error as Error).message}`];
  }
}

async function askAgain(world: World, load: Load): Promise<void> {
  let isOver = false;
  void load.askForAll(openWrites(readRun(load.lines).writes)).then(() => (isOver = true));
  await world.runUntil(() => isOver, ASKED_MS_MAX);
}

/** The sample with the profile's groups: each region is home of one, and all regions hold all. */
function datasetsOf(
  { datasets, degrades, openFirst, regions, services, shardsPerGroup }: Profile,
  sample: ReadonlyMap<DatasetName, GatewayDataset>,
): ReadonlyMap<DatasetName, GatewayDataset> {
  const groups = regions.map((region, index) => ({
    name: region as GroupName,
    home: region as RegionName,
    firstShard: index * shardsPerGroup,
    shards: shardsPerGroup,
    regions: regions as readonly RegionName[],
  }));
  return new Map(
    datasets.map((name) => {
      const { configuration, table } = sample.get(name as DatasetName)!;
      const lenient = degrades ? ({ onTimeout: 'degrade' } as const) : {};
      const hasOutbox = services > 0 && name === 'orders';
      const served = hasOutbox ? ({ writers: 'outbox' } as const) : {};
      const content: ConfigurationContent = { ...configuration.content, ...lenient, ...served, groups };
      const text = canonicalJson(JSON.parse(JSON.stringify(content)));
      const hash = (hashOf(text) + hashOf(`${text} `)) as ConfigurationHash;
      const partitions = regions.length * shardsPerGroup;
      return [
        name as DatasetName,
        {
          configuration: { ...configuration, content, hash },
          table,
          partitions,
          openFirst: hasOutbox ? null : openFirst,
        },
      ];
    }),
  );
}

function clocksOf(
  { clockDriftMax, clockOffsetMsMax }: Profile,
  world: World,
): (place: string) => ProcessClock {
  const chance = world.branch('clocks');
  const around = (max: number): number => (chance.next() * 2 - 1) * max;
  return () => ({ offsetMs: Math.round(around(clockOffsetMsMax)), drift: around(clockDriftMax) });
}

/** A decision is what follows from its inputs, also later and elsewhere. */
function undecided(moves: OwnershipMoves): readonly Violation[] {
  const examples = moves.differences();
  const sentence = 'A decision does not follow from what was recorded with it.';
  return violationsOf({ invariant: 'I15', code: 'decision-differs', sentence }, examples);
}

/** At the end of a run nobody is under way any more: whoever is there answers by the time that it was given. */
function unresolved(cluster: SimulatedCluster): readonly Violation[] {
  const examples = cluster.waits.overdue(cluster.options.world.elapsedMs());
  const sentence = 'A gateway did not answer within the time that it was given.';
  return violationsOf({ invariant: null, code: 'wait-unresolved', sentence }, examples);
}

const stopped = (error: unknown): Violation => ({
  invariant: 'I20',
  code: 'world-stopped',
  sentence: 'The run could not be carried to its end.',
  count: 1,
  examples: [String((error as Error).stack ?? error)],
});

const violationOf = ({ code, count, examples, invariant, sentence }: Finding): Violation => ({
  invariant,
  code,
  sentence,
  count,
  examples,
});

/** A store that went back behind what the log has of it takes a new incarnation, so that its old votes count no more. */
function goneOnAsBefore(cluster: SimulatedCluster): readonly Violation[] {
  const examples = [...cluster.regions.values()].flatMap(({ database, lifeOver, region }) =>
    database.incarnation() === lifeOver ? [`${region}: ${database.incarnation()}`] : [],
  );
  if (examples.length === 0) return [];
  const sentence = 'A store went back to an earlier state and goes on under the incarnation that it had.';
  return [{ invariant: 'I12', code: 'life-not-ended', sentence, count: examples.length, examples }];
}

/** A loop that failed by anything but the world's failures: it is built anew, and the reason is a defect. */
function defects(cluster: SimulatedCluster): readonly Violation[] {
  const examples = factsOf(cluster).flatMap((fact) =>
    fact.kind === 'loop-failed' && fact.code === 'defect' ? [`${fact.loop}: ${fact.message}`] : [],
  );
  const sentence = 'A loop failed by a defect.';
  return violationsOf({ invariant: null, code: 'defect', sentence }, examples);
}

function namedIn(cluster: SimulatedCluster): ReadonlyMap<string, number> {
  const named = new Map<string, number>();
  for (const fact of factsOf(cluster)) {
    if (fact.kind === 'shard-halted') add(named, fact.halt.code, 1);
    if (fact.kind === 'vote' && fact.withheld !== null) add(named, fact.withheld.code, 1);
  }
  return named;
}

function problemsIn(
  lines: readonly HistoryLine[],
  askedAgain: Iterable<AskedAgain>,
): ReadonlyMap<string, number> {
  const told = new Map<string, number>();
  for (const line of lines)
    if ('status' in line && line.status !== null && line.code !== null) add(told, line.code, 1);
  for (const { kind } of askedAgain) if (kind === 'never') add(told, 'never-or-expired', 1);
  return told;
}

const sumOf = ({ regions }: SimulatedCluster, count: (region: SimulatedRegion) => number): number =>
  [...regions.values()].reduce((sum, region) => sum + count(region), 0);

const factsOf = ({ regions }: SimulatedCluster): readonly Fact[] =>
  [...regions.values()].flatMap(({ facts }) => facts);

const add = (counts: Map<string, number>, name: string, count: number): void =>
  void counts.set(name, (counts.get(name) ?? 0) + count);

const hashOf = (text: string): string =>
  hashToHex(recordDigest({ key: utf8(text), value: null, header: null, appendTimeMs: 0 }));
