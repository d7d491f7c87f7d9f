/**
 * Laws of the fold: batches, restarts and crashes change nothing (I3, I11), and no log however mad makes it throw.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { FoldConfiguration } from '../configuration/fold-configuration.js';
import { endsBatch, type DecodedEntry } from './decoded-entry.js';
import { AGGREGATE, FoldedRegion, LogBuilder, ROWS } from './fold.fixture.js';
import { build, durable, logs } from './random-log.fixture.js';
import { coalesce } from './row-operation.js';
import type { Session, ShardState } from './state.js';
import { VERDICTS } from './verdict.js';

/** Sessions in memory, but for those that are forgotten: whether they were dropped yet is nobody's business. */
const remembered = ({ cursor, sessions }: ShardState): readonly Session[] =>
  [...sessions.values()]
    .filter((session) => session.logTimeMs >= cursor.sessionsSinceMs)
    .sort((x, y) => (x.publisher < y.publisher ? -1 : 1));

test.each([
  ['an aggregate', AGGREGATE],
  ['rows', ROWS],
])(
  '%s: one by one, in random batches, and through restarts and crashes, the same verdicts, hashes and rows',
  (_, projection) => {
    fc.assert(
      fc.property(
        logs,
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        fc.array(fc.constantFrom('none', 'none', 'none', 'before-commit', 'after-commit', 'restart')),
        (steps, sizes, faults) => {
          const entries = build(steps, projection);
          const alone = new FoldedRegion().applyAll(entries);
          const batched = new FoldedRegion().applyAll(entries, [...sizes, ...sizes, ...sizes]);
          const harassed = new FoldedRegion();
          let done = 0;
          for (let round = 0; done < entries.length; round += 1) {
            const fault = faults[round] ?? 'none';
            if (fault === 'restart') harassed.restart();
            const size = sizes[round % sizes.length]!;
            done += harassed.apply(entries.slice(done, done + size), fault === 'restart' ? 'none' : fault);
          }
          expect(durable(batched)).toEqual(durable(alone));
          expect(durable(harassed)).toEqual(durable(alone));
        },
      ),
      { numRuns: 100 },
    );
  },
);

/** A log that stands just before a mark, so that random batches pass it. */
function justBeforeMark(projection: FoldConfiguration): string {
  const log = new LogBuilder().genesis(projection);
  for (let i = 0; i < 245; i += 1) log.control({ kind: 'probe' }).pass(-1_000);
  return new FoldedRegion().applyAll(log.entries(), [1, 245]).stored(false);
}
const JUST_BEFORE_MARK = new Map([AGGREGATE, ROWS].map((one) => [one, justBeforeMark(one)] as const));

test('folding all at once, and folding the beginning and then the rest, give the same states, effects and marks', () => {
  fc.assert(
    fc.property(logs, fc.nat(), fc.nat(), fc.constantFrom(AGGREGATE, ROWS), (steps, from, at, projection) => {
      const entries = build(steps, projection).slice(1);
      const begin = from % (entries.length + 1);
      const region = FoldedRegion.load(JUST_BEFORE_MARK.get(projection)!).applyAll(entries.slice(0, begin));
      const rest = entries.slice(begin);
      const last = rest.findIndex(endsBatch);
      const batch = last < 0 ? rest : rest.slice(0, last + 1);
      const cut = at % (batch.length + 1);

      const whole = region.fold(batch);
      const first = region.fold(batch.slice(0, cut));
      region.commit(first.result);
      const second = region.fold(batch.slice(cut));

      expect(second.result.state.cursor).toEqual(whole.result.state.cursor);
      expect(remembered(second.result.state)).toEqual(remembered(whole.result.state));
      expect([...first.folded, ...second.folded]).toEqual(whole.folded);
      expect([...first.result.marks, ...second.result.marks]).toEqual(whole.result.marks);
      const newest = <T>(all: readonly T[], keyOf: (one: T) => string): unknown =>
        new Map(all.map((one) => [keyOf(one), one] as const));
      const { outcomes, rows, sessions } = whole.result;
      expect(newest([...first.result.outcomes, ...second.result.outcomes], (one) => one.key)).toEqual(
        newest(outcomes, (one) => one.key),
      );
      expect(newest([...first.result.sessions, ...second.result.sessions], (one) => one.publisher)).toEqual(
        newest(sessions, (one) => one.publisher),
      );
      expect(coalesce([...first.result.rows, ...second.result.rows])).toEqual(rows);
    }),
    { numRuns: 100 },
  );
});

test.each([
  ['an aggregate', AGGREGATE],
  ['rows', ROWS],
])(
  '%s: what a store gives back, cleaned or not, folds the rest as if it had folded everything',
  (_, projection) => {
    fc.assert(
      fc.property(logs, fc.nat(), fc.boolean(), (steps, at, cleaned) => {
        const entries = build(steps, projection);
        const cut = at % (entries.length + 1);
        const everything = new FoldedRegion().applyAll(entries);
        const until = new FoldedRegion().applyAll(entries.slice(0, cut));
        const loaded = FoldedRegion.load(until.stored(cleaned)).applyAll(entries.slice(cut));
        expect(loaded.folded).toEqual(everything.folded.slice(cut));
        expect(loaded.stored(true)).toEqual(everything.stored(true));
      }),
      { numRuns: 100 },
    );
  },
);

test('a key that is bound keeps its answer for as long as it is remembered (I9, I10)', () => {
  let asked = 0;
  fc.assert(
    fc.property(logs, (steps) => {
      const region = new FoldedRegion();
      for (const entry of build(steps)) {
        const before = new Map(region.outcomes);
        region.apply([entry]);
        const since = region.cursor.outcomesSinceMs;
        for (const [key, outcome] of before) {
          if (outcome.logTimeMs >= since) expect(region.outcomes.get(key)).toBe(outcome);
        }
        const folded = region.folded.at(-1)!;
        if (folded.verdict !== 'repeated' && folded.verdict !== 'key-reused') continue;
        const { idempotency } = entry.header!;
        const bound = before.get(idempotency!.key)!;
        const isSame = bound.fingerprint === null || bound.fingerprint === idempotency!.fingerprint;
        expect(folded.verdict).toBe(isSame ? 'repeated' : 'key-reused');
        expect(folded.first).toBe(isSame ? bound : null);
        expect(bound.logTimeMs).toBeGreaterThanOrEqual(since);
        asked += 1;
      }
    }),
    { numRuns: 100, seed: 5 },
  );
  expect(asked).toBeGreaterThan(100);
});

test('a log that differs in one bit has another input hash, and equal logs have equal ones', () => {
  fc.assert(
    fc.property(logs, fc.nat(), fc.nat(), (steps, which, bit) => {
      const entries = build(steps);
      const index = which % entries.length;
      const other = build(steps);
      const { digest } = other[index]!.record;
      const flipped = { ...digest, a: (digest.a ^ (1 << (bit % 32))) >>> 0 };
      const changed = other.map((entry, at) =>
        at === index ? ({ ...entry, record: { ...entry.record, digest: flipped } } as DecodedEntry) : entry,
      );
      const hashOf = (folded: readonly DecodedEntry[]): unknown =>
        new FoldedRegion().applyAll(folded).cursor.inputHash;
      expect(hashOf(build(steps))).toEqual(hashOf(entries));
      expect(hashOf(changed)).not.toEqual(hashOf(entries));
    }),
    { numRuns: 60 },
  );
});

test('the random logs above reach every verdict that needs neither keys nor several writers', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(logs, (steps) => {
      for (const verdict of new FoldedRegion().applyAll(build(steps)).verdicts) seen.add(verdict);
    }),
    { numRuns: 150, seed: 7 },
  );
  expect(VERDICTS.filter((verdict) => !seen.has(verdict))).toEqual(['forged', 'policy']);
});
