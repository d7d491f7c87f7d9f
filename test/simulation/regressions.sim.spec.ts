/** Runs that once failed, as small as they could be made; their stories stand in the files. */
import { expect, test } from '@jest/globals';
import { runSeed } from '@lockstep/testing/simulation';
import { readRegressions } from './regressions.js';
import { sampleDatasets } from './sample-datasets.js';

test.each(readRegressions().map((regression) => [regression.file, regression] as const))(
  '%s does not fail again',
  async (_file, { profile }) => {
    const { violations } = await runSeed(profile, await sampleDatasets());
    expect(violations).toEqual([]);
  },
);
