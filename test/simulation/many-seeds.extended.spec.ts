/** Many more seeds than `npm test` runs; campaigns of any length are run by `npm run sim`. */
import { test } from '@jest/globals';
import { expectSeeds, profilesOf } from './seed-range.js';

test('seeds 10201 to 10600 keep every promise under faults of all kinds', async () => {
  await expectSeeds(profilesOf('mixed', 10_201, 10_600));
}, 600_000);

test('fifty more seeds answer right or halt by name where more is lost than was promised', async () => {
  await expectSeeds(profilesOf('beyond', 10_001, 10_050));
}, 300_000);
