/** Who gives way when a gateway has more to do than it can (I17). */
import { describe, expect, test } from '@jest/globals';
import {
  LATE_MS,
  LIMIT_MAX,
  LIMIT_MIN,
  nextLimit,
  passesByItself,
  refusalBy,
  retryAfterSeconds,
} from './admission.js';
import type { Pressure } from './admission.js';

const CLASSES = ['bulk', 'standard', 'critical'] as const;
/** Unless said otherwise all that is under way is of the class that knocks. */
const pressure = (changes: Partial<Pressure>): Pressure => ({
  underWay: 0,
  underWayOfClass: changes.underWay ?? 0,
  limit: LIMIT_MAX,
  lagRecords: 0,
  ...changes,
});
const refused = (changes: Partial<Pressure>, forwarded = false): readonly string[] =>
  CLASSES.filter((datasetClass) => refusalBy({ datasetClass, forwarded }, pressure(changes)) !== null);
const after = (rounds: number, from: number, delayMs: number): number =>
  Array.from({ length: rounds }).reduce<number>((limit) => nextLimit(limit, delayMs), from);

describe('a gateway', () => {
  test.each<[string, Partial<Pressure>, readonly string[]]>([
    ['with nothing to do takes everything', {}, []],
    ['that was always late still takes everything once', { limit: LIMIT_MIN }, []],
    ['lets bulk wait beyond its quarter', { limit: 40, underWay: 40, underWayOfClass: 10 }, ['bulk']],
    [
      'takes bulk within its quarter, whatever the others do',
      { limit: 40, underWay: 99, underWayOfClass: 9 },
      [],
    ],
    ['takes bulk beyond it while there is room', { limit: 40, underWay: 39, underWayOfClass: 39 }, []],
    ['lets standard wait beyond the limit', { limit: 40, underWay: 40 }, ['bulk', 'standard']],
    ['takes eight times as much of what is critical', { limit: 40, underWay: 319 }, ['bulk', 'standard']],
    ['refuses even that beyond', { limit: 40, underWay: 320 }, ['bulk', 'standard', 'critical']],
    ['whose region is far behind lets bulk wait', { lagRecords: 20_001 }, ['bulk']],
    ['that does not know how far its region is refuses nobody for it', { lagRecords: null }, []],
  ])('%s', (_, changes, classes) => {
    expect(refused(changes)).toEqual(classes);
  });

  test('takes twice as much of what another gateway has taken', () => {
    expect(refused({ limit: 40, underWay: 79 }, true)).toEqual([]);
    expect(refused({ limit: 40, underWay: 80, underWayOfClass: 19 }, true)).toEqual([]);
    expect(refused({ limit: 40, underWay: 80, underWayOfClass: 20 }, true)).toEqual(['bulk']);
    expect(refused({ limit: 40, underWay: 80 }, true)).toEqual(['bulk', 'standard']);
  });

  test('says why it refuses', () => {
    const knock = { datasetClass: 'bulk', forwarded: false } as const;
    expect(refusalBy(knock, pressure({ underWay: 10_000 }))).toMatch(/class bulk give way/);
    expect(refusalBy(knock, pressure({ lagRecords: 30_000 }))).toMatch(/30000 records behind/);
  });

  test('sends those away that it refuses together, to come back one after the other', () => {
    expect([0, 1, 2, 3, 4].map(retryAfterSeconds)).toEqual([1, 2, 3, 1, 2]);
  });
});

describe('what it takes at a time', () => {
  test('shrinks by one late round a little, and to the least by a dozen', () => {
    expect(after(1, LIMIT_MAX, LATE_MS + 1)).toBeGreaterThan(LIMIT_MAX / 2);
    expect(after(12, LIMIT_MAX, LATE_MS + 1)).toBe(LIMIT_MIN);
  });

  test('grows back by little, so that what it took is felt before it takes more', () => {
    expect(after(4, LIMIT_MIN, LATE_MS)).toBe(LIMIT_MIN + 2);
    expect(after(500, LIMIT_MIN, LATE_MS)).toBe(LIMIT_MAX);
  });
});

test.each([
  [429, {}, true],
  [503, { 'Content-Type': 'application/problem+json' }, true],
  // Another gateway has said it already.
  [503, { 'retry-after': '3' }, false],
  [429, { 'Retry-After': '2' }, false],
  [200, {}, false],
  [202, {}, false],
  [421, {}, false],
  [500, {}, false],
])('of a %i with headers %j it is to be said when to come back: %s', (status, headers, isToBeSaid) => {
  expect(passesByItself({ status, headers })).toBe(isToBeSaid);
});
