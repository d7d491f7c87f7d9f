/** Many more seeds than `npm test` runs; campaigns of any length are run by `npm run sim`. */
import { test } from '@jest/globals';
import { expectSeeds } from './seed-range.js';

test('seeds 10001 to 10400 keep every promise under faults of all kinds', async () => {
  await expectSeeds('mixed', 10_001, 10_400);
}, 600_000);

test('fifty more seeds answer right or halt by name where more is lost than was promised', async () => {
  await expectSeeds('beyond', 10_001, 10_050);
}, 300_000);
