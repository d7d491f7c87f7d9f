import { test } from '@jest/globals';
import { expectSeeds } from './seed-range.js';

test('seeds 601 to 800 keep every promise under faults of all kinds, and make progress when they are repaired', async () => {
  await expectSeeds('mixed', 601, 800);
}, 300_000);
