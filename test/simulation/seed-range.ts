/**
 * Many seeds in a spec: none may break a promise, and none may be smaller than a seed must be. They run in two processes of
 * their own, on what was built: inside of jest's sandbox they take twice as long.
 */
import { expect } from '@jest/globals';
import { drawProfile, type Profile, type ProfileName } from '@lockstep/testing/simulation';
import { median } from './campaign.js';
import type { SeedSummary } from './seed-worker.ts';
import { SeedWorkers } from './seed-workers.js';

export const profilesOf = (name: ProfileName, from: number, to: number): readonly Profile[] =>
  Array.from({ length: to - from + 1 }, (_, index) => drawProfile(name, from + index));

/** @param twice so many of the first are run in both processes: a world that is not deterministic is worse than none. */
export async function expectSeeds(profiles: readonly Profile[], twice = 0): Promise<void> {
  const results: SeedSummary[] = [];
  const others = profiles.slice(twice).values();
  const processes = [new SeedWorkers(1), new SeedWorkers(1)];
  try {
    const [first, second] = await Promise.all(
      processes.map(async (process) => {
        const both: SeedSummary[] = [];
        for (const profile of profiles.slice(0, twice)) both.push(await process.run(profile));
        for (const profile of others) results.push(await process.run(profile));
        return both;
      }),
    );
    expect(second!.map(traceOf)).toEqual(first!.map(traceOf));
    results.push(...first!);
  } finally {
    for (const process of processes) process.close();
  }
  tellOf(results);
  expect(results.flatMap(failuresOf)).toEqual([]);
  expect(results.filter(isTooSmall).map(nameOf)).toEqual([]);
  expect(results).toHaveLength(profiles.length);
}

const nameOf = ({ profile, seed }: SeedSummary): string => `${profile.name} ${seed}`;
const traceOf = (result: SeedSummary): string => `${nameOf(result)}: ${result.traceHash}`;

const failuresOf = (result: SeedSummary): readonly string[] =>
  result.violations.map(
    ({ code, examples }) => `${nameOf(result)}: ${code} ${JSON.stringify(examples[0]).slice(0, 300)}`,
  );

const isTooSmall = ({ counts, profile }: SeedSummary): boolean =>
  profile.regions.length < 3 ||
  profile.datasets.length * profile.regions.length * profile.shardsPerGroup < 2 ||
  counts.protocolEvents < 2_000 ||
  profile.faults.length < 4 ||
  new Set(profile.faults.map(({ kind }) => kind)).size < 2;

function tellOf(results: readonly SeedSummary[]): void {
  for (const [name, of] of Map.groupBy(results, ({ profile }) => profile.name)) {
    const medianOf = (count: keyof SeedSummary['counts']): number =>
      median(of.map(({ counts }) => counts[count]));
    console.log(
      `${of.length} of ${name}: of one seed, median, ${medianOf('entries')} entries, ${medianOf('faults')} faults, ` +
        `${medianOf('restarts')} restarts, ${medianOf('protocolEvents')} events; ` +
        `${new Set(of.flatMap(({ cells }) => Object.keys(cells))).size} cells of fault and step`,
    );
  }
}
