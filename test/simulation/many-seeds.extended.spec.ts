/** Many more seeds than `npm test` runs; campaigns of any length are run by `npm run sim`. */
import { test } from '@jest/globals';
import { expectSeeds } from './seed-range.js';

test('seeds 10001 to 11500 keep every promise under faults of all kinds', async () => {
  await expectSeeds('mixed', 10_001, 11_500);
}, 900_000);

test('two hundred more seeds answer right or halt by name where more is lost than was promised', async () => {
  await expectSeeds('beyond', 10_001, 10_200);
}, 300_000);
