import { test } from '@jest/globals';
import { expectSeeds } from './seed-range.js';

test('seeds 461 to 700 keep every promise under faults of all kinds, and make progress when they are repaired', async () => {
  await expectSeeds('mixed', 461, 700);
}, 300_000);
