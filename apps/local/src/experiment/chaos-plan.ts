/**
 * What a chaos run does, and when: orders to the supervisor at moments, a pure function of what is said here, so that a
 * seed repeats a run. Whatever a plan pauses it continues and whatever it cuts it heals, before its end.
 *
 * Disturbances overlap, but one process or one region's links are disturbed by one thing at a time: a second kill of a
 * process that is not back yet would kill nothing.
 */
import { Chance } from '@lockstep/testing/workload';
import type { RegionProcess } from '../cluster-file.js';
import type { Order, ProcessOrder, Target } from '../control.js';

export interface ChaosPlanOptions {
  readonly seed: number;
  readonly lengthMs: number;
  readonly regions: readonly string[];
  readonly brokers: number;
  readonly standbys: boolean;
  /** Cuts and swallowed responses need links. */
  readonly links: boolean;
  /** Exactly these kills and nothing else; `null`: whatever the seed says. */
  readonly kills: Kills | null;
}

export const killNames = ['replicator', 'standby', 'gateway', 'coordinator', 'postgres', 'broker'] as const;
type KillName = (typeof killNames)[number];
/** Of roles: how often each is killed. Of databases and brokers: how many kills, each of a random one. */
export type Kills = Readonly<Partial<Record<KillName, number>>>;

export interface ChaosStep {
  readonly atMs: number;
  readonly order: Order;
}

/** From kill to the next kill of the same process: the supervisor starts it again after one second. */
const KILL_GAP_MS = 4_000;
/** Between one disturbance and the next, of different things. */
const PACE_MS = { least: 500, most: 5_000 };
const PAUSE_MS = { least: 300, most: 3_000 };
const CUT_MS = { least: 1_000, most: 10_000 };
const RESPONSES_MAX = 5;

/** `null`: so many kills do not fit into the time. */
export function planChaos(options: ChaosPlanOptions): readonly ChaosStep[] | null {
  const steps =
    options.kills === null ? planDisturbances(options) : planKills({ ...options, kills: options.kills });
  return steps?.toSorted((x, y) => x.atMs - y.atMs) ?? null;
}

function planKills(options: ChaosPlanOptions & { readonly kills: Kills }): readonly ChaosStep[] | null {
  const chance = new Chance(options.seed).branch('kills');
  const targets = killNames.flatMap((name) => {
    const times = options.kills[name] ?? 0;
    const candidates = targetsOf(name, options);
    return name === 'postgres' || name === 'broker'
      ? Array.from({ length: times }, () => chance.pick(candidates))
      : candidates.flatMap((target) => Array.from({ length: times }, () => target));
  });
  const perTarget = Map.groupBy(targets, targetText);
  const steps: ChaosStep[] = [];
  for (const same of perTarget.values()) {
    const freeMs = options.lengthMs - (same.length - 1) * KILL_GAP_MS;
    if (freeMs < 0) return null;
    const moments = same.map(() => chance.next() * freeMs).toSorted((x, y) => x - y);
    for (const [index, target] of same.entries())
      steps.push({
        atMs: Math.floor(moments[index]! + index * KILL_GAP_MS),
        order: onProcess('kill', target),
      });
  }
  return steps;
}

type Disturbance = 'kill' | 'pause' | 'cut' | 'swallow';

function planDisturbances(options: ChaosPlanOptions): readonly ChaosStep[] {
  const chance = new Chance(options.seed).branch('disturbances');
  // As often as they stand here.
  const kinds: readonly Disturbance[] = [
    ...(['kill', 'kill', 'kill', 'pause', 'pause'] as const),
    ...(options.links ? (['cut', 'cut', 'swallow'] as const) : []),
  ];
  const busyUntilMs = new Map<string, number>();
  const steps: ChaosStep[] = [];
  for (let atMs = 0; ;) {
    atMs += between(chance, PACE_MS);
    if (atMs >= options.lengthMs) return steps;
    const disturbance = draw(chance, chance.pick(kinds), options);
    const { name, forMs } = disturbance;
    // Left out rather than shortened or shifted: what does not fit is no reason for a denser plan.
    if ((busyUntilMs.get(name) ?? 0) > atMs || atMs + forMs >= options.lengthMs) continue;
    busyUntilMs.set(name, atMs + forMs);
    steps.push({ atMs, order: disturbance.begin });
    if (disturbance.end !== null) steps.push({ atMs: atMs + forMs, order: disturbance.end });
  }
}

interface Drawn {
  /** What it disturbs. */
  readonly name: string;
  readonly forMs: number;
  readonly begin: Order;
  readonly end: Order | null;
}

function draw(chance: Chance, kind: Disturbance, options: ChaosPlanOptions): Drawn {
  switch (kind) {
    case 'kill': {
      const target = chance.pick(targetsOf(chance.pick(namesIn(options)), options));
      return { name: targetText(target), forMs: KILL_GAP_MS, begin: onProcess('kill', target), end: null };
    }
    case 'pause': {
      const target = chance.pick(targetsOf(chance.pick(namesIn(options)), options));
      return {
        name: targetText(target),
        forMs: between(chance, PAUSE_MS),
        begin: onProcess('pause', target),
        end: onProcess('continue', target),
      };
    }
    case 'cut': {
      const region = chance.pick(options.regions);
      return {
        name: `cut of ${region}`,
        forMs: between(chance, CUT_MS),
        begin: { kind: 'cut', region, lost: chance.next() < 0.5 ? 'sent' : 'both' },
        end: { kind: 'heal', region },
      };
    }
    case 'swallow': {
      const region = chance.pick(options.regions);
      return {
        name: `responses to ${region}`,
        forMs: 0,
        begin: { kind: 'swallow', region, responses: 1 + chance.below(RESPONSES_MAX) },
        end: null,
      };
    }
  }
}

const namesIn = ({ standbys }: ChaosPlanOptions): readonly KillName[] =>
  killNames.filter((name) => name !== 'standby' || standbys);

function targetsOf(name: KillName, { brokers, regions }: ChaosPlanOptions): readonly Target[] {
  return name === 'broker'
    ? Array.from({ length: brokers }, (_, index): Target => ({ kind: 'kafka', node: index + 1 }))
    : regions.map((region): Target => ({ kind: 'region', region, process: name satisfies RegionProcess }));
}

export const onProcess = (order: ProcessOrder, target: Target): Order => ({
  kind: 'process',
  order,
  target,
  stayDown: false,
});

/** A target as the command line names it. */
export function targetText(target: Target): string {
  return target.kind === 'kafka'
    ? `kafka ${target.node ?? 'all'}`
    : `${target.region} ${target.process ?? 'all'}`;
}

const between = (
  chance: Chance,
  { least, most }: { readonly least: number; readonly most: number },
): number => least + chance.below(most - least + 1);
