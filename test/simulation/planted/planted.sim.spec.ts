/**
 * Positive controls, the short ones: what the judge finds in every `npm test` when a bug is planted. All others are hunted by
 * `npm run sim -- --planted`; here they must at least still fit the code. Workers run what was built.
 */
import { describe, expect, test } from '@jest/globals';
import { drawProfile } from '@lockstep/testing/simulation';
import { SeedWorkers } from '../seed-workers.js';
import { names } from './hunt.js';
import { pageText, readPage } from './page.js';
import { checkFit, fileOf, mayShow, spoilt } from './planted-bug.js';
import { plantedBug, PLANTED_BUGS } from './planted-bugs.js';

/** More than one, so that a change of the world that shifts what a seed draws does not hide a bug. */
const SEEDS_MAX = 8;

const QUICK = [
  'told-before-commit',
  'poison-skipped-here',
  'restored-store-votes',
  'half-an-entry',
  'half-is-a-majority',
  'accepted-when-logged',
  'undo-in-the-wrong-order',
];

test.each(QUICK)(
  '%s is found by name, and the same seed keeps every promise without it',
  async (name) => {
    const bug = plantedBug(name);
    const spoiltWorker = new SeedWorkers(1, name);
    const worker = new SeedWorkers(1);
    try {
      for (let seed = 1, runs = 0; runs < SEEDS_MAX; seed += 1) {
        const profile = drawProfile(bug.profile, seed);
        if (!mayShow(bug, profile)) continue;
        runs += 1;
        const { violations } = await spoiltWorker.run(profile);
        if (!violations.some((violation) => names(bug, violation))) continue;
        expect((await worker.run(profile)).violations).toEqual([]);
        return;
      }
    } finally {
      spoiltWorker.close();
      worker.close();
    }
    throw new Error(`${SEEDS_MAX} seeds of ${bug.profile} do not name ${bug.breaks}`);
  },
  60_000,
);

describe('every planted bug', () => {
  test.each(PLANTED_BUGS.map((bug) => [bug.name, bug] as const))('%s fits what was built', (_name, bug) => {
    expect(() => checkFit(bug)).not.toThrow();
  });

  test('has a name of its own', () => {
    expect(new Set(PLANTED_BUGS.map(({ name }) => name)).size).toBe(PLANTED_BUGS.length);
  });

  test('stands on the page that is written of it', () => {
    expect(readPage()).toBe(pageText());
  });
});

test.each([
  ['gone', 'something else'],
  ['there twice', 'a text; a text'],
])('a bug whose text is %s is refused, with its name and file', (_how, source) => {
  const edit = { module: 'engine/apply/lane', text: 'a text', becomes: 'another' };
  const bug = { ...PLANTED_BUGS[0]!, name: 'old', edits: [edit] };
  expect(() => spoilt(bug, fileOf(edit), source)).toThrow(/planted bug "old".*engine\/dist\/apply\/lane\.js/);
});
