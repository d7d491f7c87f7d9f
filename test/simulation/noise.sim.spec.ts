/**
 * A day of a cluster that nothing is wrong with: no home moves (P17, I14). And the same eye sees a home that moves when a
 * region stands still for longer than is borne. `npm run sim -- --noise` runs years of it.
 */
import { expect, test } from '@jest/globals';
import { drawNoise, runNoise, type Episode } from '@lockstep/testing/simulation';
import { noisyDataset } from './noise.js';

const dataset = await noisyDataset();

test('a day of noise moves no home, though regions complain of each other', async () => {
  const { blips, said, violations } = await runNoise(2, 1, dataset);
  expect(violations).toEqual([]);
  expect(Object.values(blips).reduce((all, one) => all + one, 0)).toBeGreaterThan(12);
  expect(said.votes).toBeGreaterThan(0);
}, 120_000);

test('a region that stands still for longer than is borne is found to have moved', async () => {
  const [first] = drawNoise(1, 1);
  const pauses = ['gateway', 'coordinator', 'replicator-0'].map(
    (name) => ({ kind: 'pause', atMs: 0, forMs: 8_000, target: `eu/${name}`, strength: 0 }) as const,
  );
  const broken: Episode = { ...first!, blips: [{ kind: 'region-stands-still', faults: pauses }] };
  const { said, violations } = await runNoise(1, 1, dataset, [broken]);
  expect(said.failovers).toBe(1);
  expect(violations).toMatchObject([{ invariant: 'I14', code: 'moved-by-noise' }]);
}, 60_000);
