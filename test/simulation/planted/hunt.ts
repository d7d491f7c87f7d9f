/**
 * Hunts planted bugs: seeds of the bug's profile, one after the other, until the promise that it breaks is named; then the
 * run is made smaller while the same violation stays. What was found is written down, so that the page can tell it.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawProfile, faultText, shrink, type Profile, type Violation } from '@lockstep/testing/simulation';
import type { SeedSummary } from '../seed-worker.ts';
import { SeedWorkers } from '../seed-workers.ts';
import { checkFit, mayShow, type PlantedBug } from './planted-bug.ts';

export const HUNTS = join(import.meta.dirname, 'hunts.jsonl');

/** Making a run smaller ends then, with the smallest so far. */
const SHRINK_MS_MAX = 15_000;

/** One hunt; of each bug the last one counts. */
export interface Hunt {
  readonly bug: string;
  readonly date: string;
  readonly commit: string;
  readonly profile: string;
  readonly from: number;
  /** Run until the bug was caught, or the bound was reached. */
  readonly seeds: number;
  readonly seconds: number;
  readonly caught: Caught | null;
}

interface Caught {
  readonly seed: number;
  /** What the judge named, those of the broken promise first. */
  readonly codes: readonly string[];
  readonly shrunk: {
    readonly faults: readonly string[];
    readonly operations: number;
    readonly clients: number;
    readonly regions: number;
    /** Runs that it took may have ended before nothing smaller was left. */
    readonly isSmallest: boolean;
  };
}

/** Null when it is interrupted. */
export async function hunt(
  bug: PlantedBug,
  seeds: { readonly from: number; readonly to: number },
  commit: string,
  isInterrupted: () => boolean,
): Promise<Hunt | null> {
  checkFit(bug);
  const worker = new SeedWorkers(1, bug.name);
  const begunMs = performance.now();
  const ended = (run: number, caught: Caught | null): Hunt => ({
    bug: bug.name,
    date: new Date().toISOString(),
    commit,
    profile: bug.profile,
    from: seeds.from,
    seeds: run,
    seconds: Math.round((performance.now() - begunMs) / 100) / 10,
    caught,
  });
  let run = 0;
  try {
    for (let seed = seeds.from; seed <= seeds.to; seed += 1) {
      if (isInterrupted()) return null;
      const profile = drawProfile(bug.profile, seed);
      if (!mayShow(bug, profile)) continue;
      run += 1;
      const result = await worker.run(profile);
      const named = result.violations.filter((violation) => names(bug, violation));
      if (named.length > 0) return ended(run, await smaller(bug, result, named, worker));
    }
    return ended(run, null);
  } finally {
    worker.close();
  }
}

/** Whether it is the promise that the bug breaks. */
export const names = ({ breaks }: PlantedBug, { code, invariant }: Violation): boolean =>
  breaks === (invariant ?? code);

async function smaller(
  bug: PlantedBug,
  { profile, violations }: SeedSummary,
  named: readonly Violation[],
  worker: SeedWorkers,
): Promise<Caught> {
  const wanted = named[0]!.code;
  const untilMs = performance.now() + SHRINK_MS_MAX;
  let isSmallest = true;
  const smallest = await shrink(profile, async (candidate: Profile) => {
    isSmallest = performance.now() < untilMs;
    return isSmallest && (await worker.run(candidate)).violations.some(({ code }) => code === wanted);
  });
  const { counts } = await worker.run(smallest);
  const others = violations.filter((violation) => !names(bug, violation));
  return {
    seed: profile.seed,
    codes: [...named, ...others].map(({ code }) => code),
    shrunk: {
      faults: smallest.faults.map(faultText),
      operations: counts.operations,
      clients: smallest.clients,
      regions: smallest.regions.length,
      isSmallest,
    },
  };
}

export const keepHunt = (hunted: Hunt): void => appendFileSync(HUNTS, `${JSON.stringify(hunted)}\n`);

/** By bug, the last one. */
export function readHunts(): ReadonlyMap<string, Hunt> {
  if (!existsSync(HUNTS)) return new Map();
  const lines = readFileSync(HUNTS, 'utf8').split('\n');
  const hunts = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Hunt);
  return new Map(hunts.map((one) => [one.bug, one]));
}
