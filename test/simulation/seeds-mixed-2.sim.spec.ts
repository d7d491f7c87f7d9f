import { test } from '@jest/globals';
import { expectSeeds } from './seed-range.js';

test('seeds 231 to 380 keep every promise under faults of all kinds, and make progress when they are repaired', async () => {
  await expectSeeds('mixed', 231, 380);
}, 300_000);
