/**
 * Many seeds of one profile in a spec: none may break a promise, and none may be smaller than a seed must be. They run in
 * a process of their own, on what was built: inside of jest's sandbox they take twice as long.
 */
import { expect } from '@jest/globals';
import { drawProfile, type ProfileName } from '@lockstep/testing/simulation';
import { median } from './campaign.js';
import { SeedWorkers } from './seed-workers.js';

export async function expectSeeds(name: ProfileName, from: number, to: number): Promise<void> {
  const workers = new SeedWorkers(1);
  const failed: string[] = [];
  const entries: number[] = [];
  const faults: number[] = [];
  const restarts: number[] = [];
  const cells = new Set<string>();
  const tooSmall: number[] = [];
  for (let seed = from; seed <= to; seed += 1) {
    const profile = drawProfile(name, seed);
    const result = await workers.run(profile);
    const { counts } = result;
    for (const { code, examples } of result.violations)
      failed.push(`${name} ${seed}: ${code} ${JSON.stringify(examples[0]).slice(0, 300)}`);
    const isSmall =
      profile.regions.length < 3 ||
      profile.datasets.length * profile.regions.length * profile.shardsPerGroup < 2 ||
      counts.protocolEvents < 2_000 ||
      profile.faults.length < 4 ||
      new Set(profile.faults.map(({ kind }) => kind)).size < 2;
    if (isSmall) tooSmall.push(seed);
    entries.push(counts.entries);
    faults.push(counts.faults);
    restarts.push(counts.restarts);
    for (const cell of Object.keys(result.cells)) cells.add(cell);
  }
  workers.close();
  console.log(
    `${name} ${from}..${to}: of one seed, median, ${median(entries)} entries, ${median(faults)} faults, ` +
      `${median(restarts)} restarts; ${cells.size} cells of fault and step`,
  );
  expect(failed).toEqual([]);
  expect(tooSmall).toEqual([]);
}
