/** The harassment of the simulation suite with many more seeds; a failing seed is run alone by `npm test`. */
import { expect, test } from '@jest/globals';
import { expectUnharmed, harass } from './harassed-cluster.js';

const FIRST_SEED = 1_000;
const SEEDS = 400;

test(`seeds ${FIRST_SEED} to ${FIRST_SEED + SEEDS - 1} leave every write answered once and all regions equal`, async () => {
  const failed: string[] = [];
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
    try {
      const { made, answers } = await harass(seed);
      await expectUnharmed(made, answers);
    } catch (error) {
      failed.push(`seed ${seed}: ${String(error).slice(0, 500)}`);
    }
  }
  expect(failed).toEqual([]);
}, 600_000);
