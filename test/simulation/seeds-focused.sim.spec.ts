import { test } from '@jest/globals';
import { expectSeeds } from './seed-range.js';

test.each(['process', 'network', 'stream', 'log', 'store'] as const)(
  'twenty seeds keep every promise under faults of one kind, close together: %s',
  async (name) => {
    await expectSeeds(name, 1, 20);
  },
  300_000,
);
