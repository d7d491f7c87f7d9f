/** Who gives way when a gateway has more to do than it can (I17). */
import { describe, expect, test } from '@jest/globals';
import { ADMISSION_LIMITS, refusalBy, type Pressure } from './admission.js';

const CLASSES = ['bulk', 'standard', 'critical'] as const;
const pressure = (changes: Partial<Pressure>): Pressure => ({
  underWay: 10_000,
  delayMs: 0,
  lagRecords: 0,
  ...changes,
});
const refused = (changes: Partial<Pressure>): readonly string[] =>
  CLASSES.filter((datasetClass) => refusalBy(datasetClass, pressure(changes)) !== null);

describe('a gateway', () => {
  test.each<[string, Partial<Pressure>, readonly string[]]>([
    ['that keeps up takes everything', {}, []],
    ['that is a little late lets bulk wait', { delayMs: 26 }, ['bulk']],
    ['that is later lets standard wait too', { delayMs: 51 }, ['bulk', 'standard']],
    ['that is very late lets everybody wait', { delayMs: 101 }, ['bulk', 'standard', 'critical']],
    ['with little under way refuses nobody, however late', { delayMs: 5_000, underWay: 7 }, []],
    ['whose region is far behind lets bulk wait', { lagRecords: 20_001, underWay: 0 }, ['bulk']],
    ['that does not know how far its region is refuses nobody for it', { lagRecords: null }, []],
  ])('%s', (_, changes, classes) => {
    expect(refused(changes)).toEqual(classes);
  });

  test('always takes more of what is worth more', () => {
    const least = CLASSES.map((datasetClass) => ADMISSION_LIMITS[datasetClass].underWayMin);
    expect(least).toEqual([...least].sort((x, y) => x - y));
    expect(new Set(least).size).toBe(CLASSES.length);
  });

  test('says why it refuses', () => {
    expect(refusalBy('bulk', pressure({ delayMs: 30 }))).toMatch(/class bulk give way/);
    expect(refusalBy('bulk', pressure({ lagRecords: 30_000 }))).toMatch(/30000 records behind/);
  });
});
