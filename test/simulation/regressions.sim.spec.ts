/** Runs that once failed, as small as they could be made; their stories stand in the files. */
import { expect, test } from '@jest/globals';
import { runSeed, type Profile } from '@lockstep/testing/simulation';
import { readRegressions, type Regression } from './regressions.js';
import { sampleDatasets } from './sample-datasets.js';

const those = (wanted: Regression['state']): readonly (readonly [string, Profile])[] =>
  readRegressions().flatMap(({ file, profile, state }) =>
    state === wanted ? [[file, profile] as const] : [],
  );

const expectNothing = async (profile: Profile): Promise<void> =>
  expect((await runSeed(profile, await sampleDatasets())).violations).toEqual([]);

test.each(those('mended'))('%s does not fail again', (_file, profile) => expectNothing(profile));

// Mending one makes this fail: then its state is changed.
test.failing.each(those('open'))('%s is open and still fails', (_file, profile) => expectNothing(profile));
