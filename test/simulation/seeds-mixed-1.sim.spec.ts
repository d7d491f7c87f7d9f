import { test } from '@jest/globals';
import { expectSeeds } from './seed-range.js';

test('seeds 1 to 200 keep every promise under faults of all kinds, and make progress when they are repaired', async () => {
  await expectSeeds('mixed', 1, 200);
}, 300_000);
