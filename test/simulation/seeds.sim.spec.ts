/** The thousand seeds of `npm test`, in as few processes as there are cores: each has to become warm first. */
import { test } from '@jest/globals';
import { drawProfile, type Profile } from '@lockstep/testing/simulation';
import { expectSeeds, profilesOf } from './seed-range.js';

const MIXED = 800;

/** Worlds of four and five regions take two and three times as long, and what comes behind the quiet half of a run: a quarter of them; campaigns run them all. */
function mixed(): readonly Profile[] {
  const profiles: Profile[] = [];
  for (let seed = 1; profiles.length < MIXED; seed += 1) {
    const profile = drawProfile('mixed', seed);
    const { leaderlessMs, outage, regions } = profile;
    const isLong = regions.length > 3 || outage !== null || leaderlessMs !== null;
    if (!isLong || seed % 4 === 0) profiles.push(profile);
  }
  return profiles;
}

test('a thousand seeds keep every promise under faults, or halt by name beyond what was promised; a hundred give equal traces in two processes', async () => {
  const focused = (['process', 'network', 'stream', 'log', 'store'] as const).flatMap((name) =>
    profilesOf(name, 1, 20),
  );
  await expectSeeds([...mixed(), ...focused, ...profilesOf('beyond', 1, 100)], 100);
}, 900_000);
