import { test } from '@jest/globals';
import { expectSeeds } from './seed-range.js';

test('seeds 461 to 610 keep every promise under faults of all kinds, and make progress when they are repaired', async () => {
  await expectSeeds('mixed', 461, 610);
}, 300_000);
