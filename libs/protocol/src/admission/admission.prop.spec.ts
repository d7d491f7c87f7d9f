/** Laws of admission: whoever is worth more is refused later, and the limit keeps its bounds (I17). */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LATE_MS, LIMIT_MAX, LIMIT_MIN, nextLimit, refusalBy } from './admission.js';

const WORTH = ['bulk', 'standard', 'critical'] as const;
const delays = fc.double({ min: 0, max: 10_000, noNaN: true });
const limits = fc
  .array(delays, { maxLength: 60, size: 'max' })
  .map((rounds) => rounds.reduce<number>(nextLimit, LIMIT_MAX));
const pressures = fc
  .record({
    underWayOfClass: fc.nat({ max: 3_000 }),
    others: fc.nat({ max: 3_000 }),
    limit: limits,
    lagRecords: fc.option(fc.nat({ max: 50_000 })),
  })
  .map(({ others, ...rest }) => ({ ...rest, underWay: rest.underWayOfClass + others }));

test('whatever is refused, nothing that is worth less or was not forwarded is taken in its place', () => {
  fc.assert(
    fc.property(pressures, fc.nat({ max: 2 }), fc.boolean(), (pressure, worth, forwarded) => {
      fc.pre(refusalBy({ datasetClass: WORTH[worth]!, forwarded }, pressure) !== null);
      for (const datasetClass of WORTH.slice(0, worth + 1))
        expect(refusalBy({ datasetClass, forwarded: false }, pressure)).not.toBeNull();
    }),
  );
});

test('less pressure refuses nobody who was taken under more', () => {
  fc.assert(
    fc.property(pressures, fc.nat({ max: 2 }), fc.boolean(), fc.nat(), (pressure, worth, forwarded, less) => {
      const knock = { datasetClass: WORTH[worth]!, forwarded };
      fc.pre(refusalBy(knock, pressure) === null);
      const { lagRecords, limit, underWay, underWayOfClass } = pressure;
      const eased = {
        underWay: Math.max(0, underWay - less),
        underWayOfClass: Math.max(0, underWayOfClass - less),
        limit: limit + less,
        lagRecords: lagRecords === null ? null : Math.max(0, lagRecords - less),
      };
      expect(refusalBy(knock, eased)).toBeNull();
    }),
  );
});

test('the limit keeps its bounds, falls when late and rises in time', () => {
  fc.assert(
    fc.property(limits, delays, (limit, delayMs) => {
      const next = nextLimit(limit, delayMs);
      expect(next).toBeGreaterThanOrEqual(LIMIT_MIN);
      expect(next).toBeLessThanOrEqual(LIMIT_MAX);
      if (delayMs > LATE_MS) expect(next).toBeLessThanOrEqual(limit);
      else expect(next).toBeGreaterThanOrEqual(limit);
    }),
  );
});

test('one of each class is always taken when none of it is under way', () => {
  fc.assert(
    fc.property(limits, fc.nat(), fc.constantFrom(...WORTH), (limit, underWay, datasetClass) => {
      const pressure = { underWay, underWayOfClass: 0, limit, lagRecords: 0 };
      expect(refusalBy({ datasetClass, forwarded: false }, pressure)).toBeNull();
    }),
  );
});
