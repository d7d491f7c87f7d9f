/**
 * What a seed is run with: cluster, load and faults, all drawn from the seed before anything runs, and all that is needed
 * to run it again. A profile's name says from which faults it draws.
 */
import type { FailoverMode } from '@lockstep/protocol';
import { Chance } from '../world/chance.js';
import { drawConstellation } from './constellation.js';
import { FAULTS, faultKinds, faultText, type Fault, type FaultKind } from './fault.js';

export const PROFILE_NAMES = [
  'mixed',
  'outbox',
  'process',
  'network',
  'stream',
  'log',
  'store',
  'beyond',
  'calm',
  'outage',
] as const;

export type ProfileName = (typeof PROFILE_NAMES)[number];

/** Those that draw from all faults that must be survived. */
const MIXED: ReadonlySet<ProfileName> = new Set(['mixed', 'outbox', 'outage']);

export interface Profile {
  readonly name: ProfileName;
  readonly seed: number;
  readonly regions: readonly string[];
  /** Datasets of the sample, each with so many shards at home in each region. */
  readonly datasets: readonly string[];
  readonly shardsPerGroup: number;
  readonly replicators: 1 | 2;
  readonly roles: 'together' | 'apart';
  /** So few that batches are full where something has piled up, and the next one is folded ahead. */
  readonly applyEventsMax: number;
  readonly clients: number;
  /** Who read all the time, with all that any client was told. */
  readonly readers: number;
  /** Who ask all the time for the receipts of what any client was told accepted. */
  readonly askers: number;
  /** How often an operator changes the rule of a dataset during the chaos. */
  readonly ruleChanges: number;
  /** How often somebody fences a shard during the chaos, to any region that may be its home. */
  readonly moves: number;
  /**
   * Who save orders in each region, which has an outbox for them then; none where clients write orders by gateways, or the
   * run has no orders.
   */
  readonly services: number;
  /** Whether regions watch each other, and a home that failed is replaced without a person. */
  readonly failover: FailoverMode;
  /** Per cent of the keys that a new home takes writes of first; null: all at once. */
  readonly openFirst: number | null;
  /** Whether writes are acknowledged below their rule when it is not met in time. */
  readonly degrades: boolean;
  readonly load: {
    readonly accountEntries: number;
    readonly orderEvents: number;
    readonly readingEvents: number;
    readonly repeatedPercent: number;
    readonly wrongVersionsPercent: number;
    readonly shortDeadlinesPercent: number;
    /** Of the writes that were told accepted: so many are followed by a read. */
    readonly readsPercent: number;
    /** Of all operations: keys that are taken for another payload. */
    readonly reusedPercent: number;
    /** Of the single writes with a key: so many are asked of two regions at once. */
    readonly doubledPercent: number;
    /** Of the writes with a key that end unknown: so many are asked for at once, in the midst of the faults. */
    readonly receiptsPercent: number;
  };
  /** Regions whose groups the rows belong to; one that is named more often has more of them. */
  readonly groups: readonly string[];
  /** Between two calls of a client. */
  readonly thinkMsMax: number;
  /** How far the clocks of processes are off from the start, and how much they drift at most. */
  readonly clockOffsetMsMax: number;
  readonly clockDriftMax: number;
  readonly chaosMs: number;
  readonly faults: readonly Fault[];
  /** Before the faults: work, and then so long without any that keys, or keys and sessions, are forgotten. */
  readonly rest: {
    readonly afterMs: number;
    readonly days: number;
    /** Records from before that come to stand in the log once more, at any time after it. */
    readonly lateCopies: number;
  } | null;
  /** Behind the faults: all is repaired but one region, until what can do without it has gone on. */
  readonly outage: Outage | null;
  /** When all has come to rest: for so long there is no coordinator before new writes are asked for; null where they stay. */
  readonly leaderlessMs: number | null;
}

/** `killed`: no process of the region is there. `paused`: they stand still. `cut`: it reaches neither the log nor others. */
export interface Outage {
  readonly region: string;
  readonly how: 'killed' | 'paused' | 'cut';
}

const REGIONS = ['eu', 'us', 'ap', 'sa', 'af'] as const;
const CHAOS_MS_MIN = 6_000;
const CHAOS_MS_MAX = 11_000;
const FAULTS_MIN = 5;
const FAULTS_MAX = 14;
const KINDS_MIN = 3;
const KINDS_MAX = 7;
const LEASE_MS = 1_000;
export const BROKERS = 3;
const REST_AFTER_MS = 2_000;
const LATE_COPIES_MAX = 8;
const REST_SHARE = 0.25;
const CONSTELLATION_SHARE = 0.5;
/** Of the runs with orders: about a fifth of all. */
const OUTBOX_SHARE = 1 / 3;
/** Of the runs in which regions watch each other, and of the others. */
const OUTAGE_SHARES = { automatic: 0.3, manual: 0.04 } as const;
/** Of the runs whose coordinators have processes of their own. */
const LEADERLESS_SHARE = 0.5;
const LEADERLESS_MS_MAX = 8_000;
const DATASETS = [
  ['accounts', 'orders'],
  ['accounts', 'readings'],
  ['orders', 'readings'],
  ['accounts'],
  ['accounts', 'orders', 'readings'],
] as const;
const DATASETS_WITH_ORDERS = DATASETS.filter((names) => names.includes('orders' as never));

export function drawProfile(name: ProfileName, seed: number): Profile {
  const chance = new Chance(seed).branch(`profile ${name}`);
  const misuse = new Chance(seed).branch(`misuse ${name}`);
  const draw = (from: number, to: number): number => from + chance.below(to - from + 1);
  const rested = new Chance(seed).branch(`rest ${name}`);
  const ruled = new Chance(seed).branch(`rules ${name}`);
  const moved = new Chance(seed).branch(`moves ${name}`);
  const watched = new Chance(seed).branch(`failover ${name}`);
  const opened = new Chance(seed).branch(`opening ${name}`);
  const applied = new Chance(seed).branch(`applied ${name}`);
  const served = new Chance(seed).branch(`outbox ${name}`);
  const ended = new Chance(seed).branch(`ends ${name}`);
  const regions = REGIONS.slice(0, chance.pick([3, 3, 3, 3, 3, 3, 4, 5]));
  const datasets = chance.pick(name === 'outbox' ? DATASETS_WITH_ORDERS : DATASETS);
  const hasOrders = datasets.includes('orders' as never);
  const hasOutbox = name === 'outbox' || (name !== 'beyond' && hasOrders && served.next() < OUTBOX_SHARE);
  const entries = draw(55, 95);
  // More than the time allows: the load ends with the chaos.
  const share = Math.ceil((3 * entries) / datasets.length);
  const favourite = chance.pick(regions);
  const skew = chance.pick([0, 0, 4]);
  const kinds = name === 'calm' ? [] : drawKinds(name, chance);
  const replicators = chance.pick([1, 2] as const);
  const roles = chance.pick(['together', 'together', 'together', 'apart'] as const);
  const chaosMs = draw(CHAOS_MS_MIN, CHAOS_MS_MAX);
  const clients = draw(3, 8);
  const scene = { regions, replicators, roles, chaosMs, datasets };
  const failover = drawFailover(name, watched);
  const joint = new Chance(seed).branch(`constellation ${name}`);
  const isJoint = joint.next() < CONSTELLATION_SHARE;
  // So long that the load lasts about as long as the chaos; sometimes it comes in one rush.
  const thinkMsMax = Math.round(((2 * chaosMs * clients) / entries) * chance.pick([0.2, 0.7, 1]));
  return {
    name,
    seed,
    regions,
    datasets,
    shardsPerGroup: draw(1, 2),
    replicators,
    roles,
    applyEventsMax: applied.pick([2_000, 1, 3, 8]),
    clients,
    readers: misuse.pick([0, 1, 1]),
    askers: ruled.pick([0, 1, 1]),
    ruleChanges: name === 'beyond' ? 0 : ruled.pick([0, 0, 2, 5]),
    moves: name === 'beyond' ? 0 : moved.pick([0, 0, 3, 12]),
    services: hasOutbox ? served.pick([1, 1, 2]) : 0,
    failover,
    openFirst: opened.pick([null, null, null, 10, 50]),
    degrades: ruled.below(4) === 0,
    load: {
      accountEntries: datasets.includes('accounts' as never) ? share : 0,
      orderEvents: hasOrders && !hasOutbox ? share : 0,
      readingEvents: datasets.includes('readings' as never) ? share * 10 : 0,
      repeatedPercent: chance.pick([2, 5, 10]),
      wrongVersionsPercent: chance.pick([0, 5]),
      shortDeadlinesPercent: chance.pick([0, 3, 10]),
      readsPercent: misuse.pick([20, 40]),
      reusedPercent: misuse.pick([0, 2, 5]),
      doubledPercent: misuse.pick([0, 3, 10]),
      receiptsPercent: misuse.pick([0, 50, 100]),
    },
    groups: [...regions, ...Array.from({ length: skew }, () => favourite)],
    thinkMsMax,
    clockOffsetMsMax: chance.pick([0, 50, 5_000]),
    clockDriftMax: chance.pick([0, 0.001, 0.02]),
    chaosMs,
    rest:
      name === 'beyond' || rested.next() >= REST_SHARE
        ? null
        : {
            afterMs: REST_AFTER_MS,
            days: rested.pick([2, 8]),
            lateCopies: rested.below(LATE_COPIES_MAX + 1),
          },
    faults:
      kinds.length === 0
        ? []
        : byTime([
            ...drawFaults(kinds, chance, scene),
            ...(isJoint ? drawConstellation(poolOf(name), joint, scene) : []),
          ]),
    outage: drawOutage(name, failover, regions, ended),
    leaderlessMs: drawLeaderlessMs(name, roles, ended),
  };
}

function drawFailover(name: ProfileName, watched: Chance): FailoverMode {
  if (name === 'beyond') return 'manual';
  return name === 'outage' || watched.below(4) === 0 ? 'automatic' : 'manual';
}

/** Every draw is made in every run, so that none shifts the next. */
function drawOutage(
  name: ProfileName,
  failover: FailoverMode,
  regions: readonly string[],
  ended: Chance,
): Outage | null {
  const isDrawn = ended.next() < OUTAGE_SHARES[failover];
  const outage = {
    region: ended.pick(regions),
    how: ended.pick(['killed', 'killed', 'paused', 'cut'] as const),
  };
  if (name === 'beyond') return null;
  return isDrawn || name === 'outage' ? outage : null;
}

function drawLeaderlessMs(name: ProfileName, roles: Profile['roles'], ended: Chance): number | null {
  const isDrawn = ended.next() < LEADERLESS_SHARE;
  const ms = ended.below(LEADERLESS_MS_MAX);
  return isDrawn && roles === 'apart' && name !== 'beyond' ? ms : null;
}

interface Scene {
  readonly regions: readonly string[];
  readonly replicators: 1 | 2;
  readonly roles: 'together' | 'apart';
  readonly chaosMs: number;
  readonly datasets: readonly string[];
}

function drawFaults(kinds: readonly FaultKind[], chance: Chance, scene: Scene): readonly Fault[] {
  const count = Math.max(kinds.length, FAULTS_MIN + chance.below(FAULTS_MAX - FAULTS_MIN + 1));
  // Faults that come together find what faults that come alone do not.
  const centres = Array.from({ length: 1 + chance.below(3) }, () => chance.below(scene.chaosMs));
  const isClustered = chance.next() < 0.5;
  const isBeyond = kinds.some((kind) => FAULTS[kind].is === 'beyond');
  const faults = Array.from({ length: count }, (_, index) => {
    const kind = index < kinds.length ? kinds[index]! : chance.pick(kinds);
    const near = chance.pick(centres) + chance.below(1_000) - 500;
    const anywhere = chance.below(scene.chaosMs);
    const atMs = Math.min(Math.max(0, isClustered ? near : anywhere), scene.chaosMs - 1_000);
    return drawFault(kind, atMs, chance, scene, isBeyond);
  });
  return faults;
}

const byTime = (faults: readonly Fault[]): readonly Fault[] => faults.toSorted((x, y) => x.atMs - y.atMs);

function poolOf(name: ProfileName): readonly FaultKind[] {
  const survivable = faultKinds().filter((kind) => FAULTS[kind].is === 'survivable');
  return MIXED.has(name) || name === 'beyond'
    ? survivable
    : survivable.filter((kind) => FAULTS[kind].of === name);
}

function drawKinds(name: ProfileName, chance: Chance): readonly FaultKind[] {
  const left = [...poolOf(name)];
  const kinds: FaultKind[] = [];
  const count = Math.min(left.length, KINDS_MIN + chance.below(KINDS_MAX - KINDS_MIN + 1));
  if (name === 'beyond') kinds.push(chance.pick(faultKinds().filter((kind) => FAULTS[kind].is === 'beyond')));
  // What finds most is a process that loses what it knew.
  if (MIXED.has(name)) kinds.push(...left.splice(left.indexOf('crash'), 1));
  while (kinds.length < count) kinds.push(left.splice(chance.below(left.length), 1)[0]!);
  return kinds;
}

function drawFault(kind: FaultKind, atMs: number, chance: Chance, scene: Scene, isBeyond: boolean): Fault {
  const some = (from: number, to: number): number => from + chance.below(to - from + 1);
  const fault = { kind, atMs, forMs: some(500, 4_000), target: '', strength: 0 };
  const region = chance.pick(scene.regions);
  const roles = scene.roles === 'apart' ? ['gateway', 'coordinator'] : ['gateway'];
  const replicators = Array.from({ length: scene.replicators }, (_, instance) => `replicator-${instance}`);
  const place = `${region}/${chance.pick([...roles, ...replicators, ...replicators])}`;
  const share = chance.pick([0.05, 0.2, 0.5, 0.9]);
  switch (kind) {
    case 'crash':
      return { ...fault, target: place, forMs: some(10, 3_000) };
    case 'pause':
      return { ...fault, target: place, forMs: Math.round(LEASE_MS * chance.pick([0.3, 0.9, 1.1, 3, 5])) };
    case 'clock-jump':
      return {
        ...fault,
        target: place,
        strength: chance.pick([-3_600_000, -60_000, -500, 500, 60_000, 900_000, 4_500_000]),
      };
    case 'cut-one-way':
    case 'cut-both-ways': {
      const others = scene.regions.filter((each) => each !== region);
      const [from, to] = chance.pick([
        [region, chance.pick(others)],
        [region, 'log'],
        [place, 'log'],
        [place, `${region}/store`],
        [chance.pick(others), place],
        ['clients', region],
      ] as const);
      const turned = chance.next() < 0.5 ? `${from}>${to}` : `${to}>${from}`;
      return { ...fault, target: kind === 'cut-one-way' ? turned : `${from}=${to}` };
    }
    case 'broker-cut':
      return { ...fault, target: brokerCut(chance.pick([region, place]), chance) };
    case 'bridge': {
      const at = 1 + chance.below(scene.regions.length - 2);
      const sides = [scene.regions.slice(0, at), scene.regions.slice(at + 1)];
      return { ...fault, target: sides.join('|') };
    }
    case 'isolation':
    case 'store-crash':
    case 'flushing-off':
      return { ...fault, target: region };
    case 'store-restored':
    case 'restore-and-loss':
      // The slow copy goes out once a second: less than that is not recognised, and SPEC says so.
      return { ...fault, target: region, forMs: some(3_000, 6_000), strength: some(1, 5) };
    case 'leader-change':
    case 'in-sync-shrinks':
      return { ...fault, target: String(some(1, 3)), strength: some(50, 1_500) };
    case 'broker-clock':
      return {
        ...fault,
        target: String(some(1, 3)),
        strength: chance.pick([-600_000, -2_000, 2_000, 600_000]),
      };
    case 'unclean-election':
    case 'retention-overrun':
    case 'topic-replaced':
      return { ...fault, target: chance.pick(scene.datasets), strength: some(1, 5) };
    case 'offset-gaps':
      return { ...fault, strength: some(1, 3) };
    case 'retention':
      // Where a cursor stands just before the start of a log, another log cannot be told from it (SPEC, "Resuming").
      return { ...fault, strength: isBeyond ? 1 : 0 };
    case 'disk-full':
    case 'slow-flush':
    case 'store-slow':
    case 'store-conflict':
    case 'store-lost-before':
    case 'store-lost-after':
    case 'store-late':
    case 'commit-late':
      return { ...fault, target: region, strength: share };
    case 'append-refused':
    case 'append-answer-lost':
    case 'append-silent':
    case 'append-late':
    case 'append-lost':
    case 'append-unreplicated':
    case 'fetch-failed':
    case 'fetch-slow':
    case 'fetch-stuck':
    case 'frames-delayed':
    case 'frames-duplicated':
    case 'frames-reordered':
    case 'frames-verdicts-dropped':
    case 'frames-broken':
    case 'forward-refused':
    case 'forward-answer-lost':
      return { ...fault, strength: share };
  }
}

function brokerCut(place: string, chance: Chance): string {
  const broker = `log/${1 + chance.below(BROKERS)}`;
  return chance.pick([`${place}=${broker}`, `${place}>${broker}`, `${broker}>${place}`]);
}

export const profileText = (profile: Profile): readonly string[] => {
  const { faults, load, outage, rest, ...others } = profile;
  return [
    ...Object.entries({ ...others, ...load }).map(([name, value]) => `${name}: ${String(value)}`),
    `rest: ${rest === null ? 'none' : `${rest.days} days, then ${rest.lateCopies} late copies`}`,
    `outage: ${outage === null ? 'none' : `${outage.region} ${outage.how}`}`,
    `faults: ${faults.length}`,
    ...faults.map((fault) => `  ${faultText(fault)}`),
  ];
};
