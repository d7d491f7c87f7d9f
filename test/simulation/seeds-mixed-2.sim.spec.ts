import { test } from '@jest/globals';
import { expectSeeds } from './seed-range.js';

test('seeds 201 to 400 keep every promise under faults of all kinds, and make progress when they are repaired', async () => {
  await expectSeeds('mixed', 201, 400);
}, 300_000);
