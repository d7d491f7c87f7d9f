/** Laws of copies: a record that stands again in the log, however late and however often, changes nothing (I8, I10). */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { DecodedEntry } from './decoded-entry.js';
import { AGGREGATE, configured, FoldedRegion, HOUR_MS, ROWS } from './fold.fixture.js';
import { build, logs, type Step } from './random-log.fixture.js';

/** Which data record is copied, and how many records later the copy stands. */
const copies = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat(3), fc.nat(40))), {
  minLength: 1,
  maxLength: 30,
  size: 'max',
});

/** A log with copies of data records, each stamped with the append time of the record before it. */
function withCopies(
  log: readonly DecodedEntry[],
  wanted: readonly (readonly [number, number])[],
): readonly { readonly entry: DecodedEntry; readonly copyOf: number | null }[] {
  const data = [...log.keys()].filter((index) => log[index]!.header?.kind === 'data');
  const all = log.map((entry, index) => ({ entry, copyOf: null as number | null, after: index }));
  for (const [which, later] of data.length === 0 ? [] : wanted) {
    const copyOf = data[which % data.length]!;
    const after = Math.min(copyOf + later, log.length - 1);
    const { appendTimeMs } = log[after]!.record;
    const entry = { ...log[copyOf]!, record: { ...log[copyOf]!.record, appendTimeMs } };
    all.push({ entry, copyOf, after });
  }
  // Stable: an original before its copies.
  return all.sort((x, y) => x.after - y.after);
}

/** Without what may differ: versions are sequences, and copies take sequences too; a copied control entry is another one. */
function plain(steps: readonly Step[], waits: (ms: number) => number): readonly Step[] {
  return steps
    .filter(({ kind }) => !['configuration', 'rule', 'degrade'].includes(kind))
    .map((one) =>
      one.kind === 'data'
        ? { ...one, expected: null }
        : one.kind === 'time'
          ? { ...one, ms: waits(one.ms) }
          : one,
    );
}

function effects(region: FoldedRegion): unknown {
  const rows = [...region.rows].map(([key, row]) => [key, row.columns]);
  const outcomes = [...region.outcomes.values()].map(({ key, fingerprint, verdict, eventKeys }) => [
    key,
    fingerprint,
    verdict,
    eventKeys,
  ]);
  return { rows: rows.sort(), outcomes: outcomes.sort() };
}

test.each([
  ['an aggregate', AGGREGATE],
  ['rows', ROWS],
])('%s: within the retention copies of data records change no verdict, row or outcome', (_, projection) => {
  let copied = 0;
  fc.assert(
    fc.property(logs, copies, fc.boolean(), (steps, wanted, inOne) => {
      const log = build(
        plain(steps, (ms) => Math.min(ms, 60_000)),
        projection,
      );
      const once = new FoldedRegion().applyAll(log);
      const all = withCopies(log, wanted);
      const entries = all.map(({ entry }) => entry);
      const again = new FoldedRegion().applyAll(entries, inOne ? entries.map(() => entries.length) : []);
      expect(again.verdicts.filter((__, index) => all[index]!.copyOf === null)).toEqual(once.verdicts);
      expect(effects(again)).toEqual(effects(once));
      for (const [index, { copyOf }] of all.entries()) {
        if (copyOf === null) continue;
        copied += 1;
        const { kind } = all[index]!.entry;
        const judgedAsItStands = kind === 'malformed' ? 'malformed' : 'duplicate';
        expect(again.verdicts[index]).toBe(once.verdicts[copyOf] === 'hole' ? 'hole' : judgedAsItStands);
      }
    }),
    { numRuns: 60, seed: 3 },
  );
  expect(copied).toBeGreaterThan(500);
});

test('a log that is copied as a whole, at whatever distance, accepts nothing twice, though sessions and keys are forgotten', () => {
  // The least that the catalogue admits: twice the reach of notAfter.
  const hasty = configured('7', { retention: { outcomesMs: 2 * HOUR_MS, sessionsMs: 2 * HOUR_MS } });
  const gaps = fc.constantFrom(0, HOUR_MS, 2 * HOUR_MS - 60_000, 2 * HOUR_MS, 3 * HOUR_MS);
  const told = new Set<string>();
  fc.assert(
    fc.property(logs, gaps, (steps, ms) => {
      const later: readonly Step[] = [
        { kind: 'time', ms },
        { kind: 'settle', key: 'moves log time' },
      ];
      const log = build([...plain(steps, () => 60_000), ...later], hasty);
      const { verdicts } = new FoldedRegion([hasty]).applyAll(log);
      const accepted = log.filter(({ kind }, index) => kind === 'data' && verdicts[index] === 'accepted');
      const again = new FoldedRegion([hasty]).applyAll([...log, ...accepted]).verdicts.slice(log.length);
      expect(again).not.toContain('accepted');
      for (const verdict of again) told.add(verdict);
    }),
    { numRuns: 80, seed: 4 },
  );
  expect([...told]).toEqual(expect.arrayContaining(['duplicate', 'expired', 'hole']));
});
