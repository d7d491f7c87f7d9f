import { test } from '@jest/globals';
import { expectSeeds } from './seed-range.js';

test('seeds 401 to 600 keep every promise under faults of all kinds, and make progress when they are repaired', async () => {
  await expectSeeds('mixed', 401, 600);
}, 300_000);
