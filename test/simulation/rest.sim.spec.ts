/**
 * A run that rests for days between its work and its faults: what publishers and keys were remembered by is gone, and copies
 * from before come once more (I8 within the stated retention). That it forgets at all is shown by the verdicts.
 */
import { expect, test } from '@jest/globals';
import { drawProfile, runSeed, type SeedResult } from '@lockstep/testing/simulation';
import { sampleDatasets } from './sample-datasets.js';

const rested = async (days: number, seed: number): Promise<SeedResult> => {
  const rest = { afterMs: 2_000, days, lateCopies: 30 };
  return runSeed({ ...drawProfile('calm', seed), moves: 0, rest }, await sampleDatasets());
};

test('after eight days publishers begin new sessions, and late copies take no effect: they are holes or expired', async () => {
  const { verdicts, violations } = await rested(8, 8);
  expect(violations).toEqual([]);
  expect(verdicts['hole']).toBeGreaterThan(5);
  expect(verdicts['expired']).toBeGreaterThan(0);
});

test('after two days keys are forgotten and sessions are not: late copies are duplicates', async () => {
  const { verdicts, violations } = await rested(2, 2);
  expect(violations).toEqual([]);
  expect(verdicts['duplicate']).toBeGreaterThan(5);
  expect(verdicts['hole']).toBeUndefined();
});
