/**
 * libs/protocol/SPEC.md lists the invariants, one table row each: `| I4 | sentence | enforced |`. A row that says
 * `enforced` is a promise that some spec attacks it and cites its number; a number that SPEC.md does not know is a typo
 * or a leftover.
 */
import { describe, expect, test } from '@jest/globals';
import { isSpec, read, trackedFiles } from './repository.js';

const row = /^\|\s*\**(I\d+)\**\s*\|(.*)\|\s*$/;

const invariants = read('libs/protocol/SPEC.md')
  .split('\n')
  .map((line) => row.exec(line))
  .filter((match) => match !== null)
  .map(([, id = '', rest = '']) => ({ id, isEnforced: /\|\s*enforced\b/.test(`|${rest}|`) }));

const known = new Set(invariants.map(({ id }) => id));

const citationsIn = (path: string): readonly string[] =>
  [...read(path).matchAll(/\bI\d{1,2}\b/g)].map(([id]) => id);

const here = 'test/architecture/invariants.spec.ts';
const specs = trackedFiles.filter((path) => isSpec(path) && path !== here);

describe('the invariants in SPEC.md', () => {
  test('are numbered I1 to I20 at least, without gap or repetition', () => {
    expect(invariants.length).toBeGreaterThanOrEqual(20);
    expect(invariants.map(({ id }) => id)).toEqual(invariants.map((_, n) => `I${n + 1}`));
  });

  test('are cited by a spec wherever SPEC.md says that they are enforced', () => {
    const cited = new Set(specs.flatMap(citationsIn));
    const enforced = invariants.filter(({ isEnforced }) => isEnforced).map(({ id }) => id);
    expect(enforced.length).toBeGreaterThan(0);
    expect(enforced.filter((id) => !cited.has(id))).toEqual([]);
  });

  test('are the only ones that sources and specs cite', () => {
    const texts = trackedFiles.filter((path) => /\.(ts|tsx|mjs|sql|md)$/.test(path) && path !== here);
    const unknown = texts.flatMap((path) =>
      citationsIn(path)
        .filter((id) => !known.has(id))
        .map((id) => `${path} ${id}`),
    );
    expect(unknown).toEqual([]);
  });
});
