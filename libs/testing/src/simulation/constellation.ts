/**
 * Faults that harm together what each of them leaves alone: a few about one moment, at places that have to do with each other.
 * Drawn one by one they meet like this once in thousands of seeds.
 */
import type { Chance } from '../world/chance.js';
import { type Fault, type FaultKind } from './fault.js';

interface Moment {
  readonly atMs: number;
  readonly region: string;
  readonly other: string;
  /** One of the region's replicators. */
  readonly replicator: string;
  readonly chance: Chance;
}

interface Constellation {
  readonly kinds: readonly FaultKind[];
  readonly faults: (moment: Moment) => readonly Fault[];
}

const EVERYWHERE = '';
const MOST = 0.9;
/** The slow copy goes out once a second: a store that goes back by less may not be recognised, and SPEC says so. */
const RESTORED_MS_MIN = 3_500;
/** Most of what is written is written in this part of the chaos. */
const BUSY_SHARE = 0.6;

const CONSTELLATIONS: readonly Constellation[] = [
  {
    // Entries stand twice, and who waits hears of the copy and not of the first one.
    kinds: ['append-answer-lost', 'frames-verdicts-dropped'],
    faults: ({ atMs, chance }) => {
      const forMs = 1_000 + chance.below(2_000);
      return [
        fault('append-answer-lost', atMs, forMs, EVERYWHERE, chance.pick([0.5, MOST])),
        fault('frames-verdicts-dropped', atMs, forMs, EVERYWHERE, MOST),
      ];
    },
  },
  {
    // A commit comes to stand behind the back of whoever has read its cursor again and waits for the log.
    kinds: ['commit-late', 'fetch-slow'],
    faults: ({ atMs, chance, region }) => {
      const forMs = 1_500 + chance.below(3_000);
      return [
        fault('commit-late', atMs, forMs, region, chance.pick([0.2, 0.5])),
        fault('fetch-slow', atMs, forMs, EVERYWHERE, chance.pick([0.2, 0.5])),
      ];
    },
  },
  {
    // A commit reaches a database that has been put back meanwhile.
    kinds: ['commit-late', 'store-restored'],
    faults: ({ atMs, chance, region }) => {
      const backAtMs = Math.max(atMs, RESTORED_MS_MIN);
      return [
        fault('store-restored', backAtMs - RESTORED_MS_MIN, RESTORED_MS_MIN, region, 1),
        fault('commit-late', backAtMs - 1_500, 1_600, region, chance.pick([0.5, MOST])),
      ];
    },
  },
  {
    // A store goes back, and an instance that cannot reach it tells whoever connects again of its former life.
    kinds: ['store-restored', 'cut-both-ways', 'frames-broken', 'slow-flush'],
    faults: ({ atMs, chance, other, region, replicator }) => {
      const backAtMs = Math.max(atMs, RESTORED_MS_MIN);
      const laterMs = 500 + chance.below(2_000);
      return [
        fault('store-restored', backAtMs - RESTORED_MS_MIN, RESTORED_MS_MIN, region, 1),
        fault('store-restored', backAtMs - RESTORED_MS_MIN, RESTORED_MS_MIN + laterMs, region, 1),
        fault('cut-both-ways', backAtMs - 300, 4_000, `${region}/${replicator}=${region}/store`, 0),
        fault('frames-broken', backAtMs, 4_000, EVERYWHERE, chance.pick([0.05, 0.2, 0.5])),
        fault('slow-flush', backAtMs - 1_000, 3_500, region, chance.pick([0.2, 0.5])),
        fault('slow-flush', backAtMs - 1_500, 4_000, other, MOST),
      ];
    },
  },
  {
    // A lease expires and is taken over while a commit under it hangs.
    kinds: ['slow-flush', 'pause'],
    faults: ({ atMs, chance, region, replicator }) => [
      fault('slow-flush', atMs, 2_500, region, MOST),
      fault('pause', atMs + chance.below(1_000), 1_100 + chance.below(2_000), `${region}/${replicator}`, 0),
    ],
  },
];

const fault = (kind: FaultKind, atMs: number, forMs: number, target: string, strength: number): Fault => ({
  kind,
  atMs: Math.max(0, atMs),
  forMs,
  target,
  strength,
});

/** None where no constellation consists of these kinds. */
export function drawConstellation(
  kinds: readonly FaultKind[],
  chance: Chance,
  scene: { readonly regions: readonly string[]; readonly replicators: number; readonly chaosMs: number },
): readonly Fault[] {
  const possible = CONSTELLATIONS.filter((one) => one.kinds.every((kind) => kinds.includes(kind)));
  if (possible.length === 0) return [];
  const region = chance.pick(scene.regions);
  const moment = {
    atMs: 500 + chance.below(BUSY_SHARE * scene.chaosMs),
    region,
    other: chance.pick(scene.regions.filter((each) => each !== region)),
    replicator: `replicator-${chance.below(scene.replicators)}`,
    chance,
  };
  return chance.pick(possible).faults(moment);
}
