/** More is taken away than was promised: records that were acknowledged, a topic, what was flushed, what was not read yet. */
import { test } from '@jest/globals';
import { expectSeeds } from './seed-range.js';

test('a hundred seeds answer right or halt by name where more is lost than was promised', async () => {
  await expectSeeds('beyond', 1, 100);
}, 300_000);
