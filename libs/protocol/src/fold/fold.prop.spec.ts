/**
 * Laws of the fold: batches, restarts and crashes change nothing (I3, I11), and no log however mad makes it throw.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { entryNumber, epoch } from '../identity/identity.js';
import type { DecodedEntry } from './decoded-entry.js';
import {
  AGGREGATE,
  AP,
  credited,
  DAY_MS,
  debited,
  EU,
  FoldedRegion,
  header,
  keyOf,
  LogBuilder,
  opened,
  ROWS,
  session,
  START_MS,
  STRICTER,
  US,
} from './fold.fixture.js';
import { VERDICTS } from './verdict.js';

const KEYS = ['eu:a', 'eu:b', 'eu:c/d', 'us:x'];

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('data' as const),
      key: fc.constantFrom(...KEYS),
      events: fc.array(fc.constantFrom('opened', 'credited', 'debited'), { minLength: 1, maxLength: 5 }),
      amount: fc.integer({ min: -1, max: 9 }),
      expected: fc.option(fc.integer({ min: 0, max: 12 })),
      idempotencyKey: fc.option(fc.constantFrom('k1', 'k2', 'k3')),
      publisher: fc.constantFrom('b', 'c', 'd'),
      number: fc.option(fc.integer({ min: 1, max: 6 })),
      epoch: fc.constantFrom(1n, 1n, 1n, 2n, 3n),
      region: fc.constantFrom(EU, EU, US, AP),
      late: fc.constantFrom(false, false, false, true),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('fence' as const),
      expected: fc.constantFrom(1n, 2n),
      home: fc.constantFrom(EU, US),
      decision: fc.bigInt({ min: 0n, max: 4n }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('settle' as const), key: fc.constantFrom('k1', 'k2', 'k3') }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('configuration' as const),
      to: fc.constantFrom(AGGREGATE, STRICTER),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('time' as const),
      ms: fc.constantFrom(1, 60_000, DAY_MS, 8 * DAY_MS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('garbage' as const),
      text: fc.option(fc.string()),
      header: fc.option(fc.uint8Array({ maxLength: 130 })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('damaged' as const),
      at: fc.nat(99),
      bits: fc.integer({ min: 1, max: 255 }),
    }),
  },
);

function build(
  steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
  projection = AGGREGATE,
): readonly DecodedEntry[] {
  const log = new LogBuilder().genesis(projection);
  for (const one of steps) {
    switch (one.kind) {
      case 'data': {
        const make = {
          opened: () => opened(one.key),
          credited: () => credited(one.amount, one.key),
          debited: () => debited(one.amount, one.key),
        };
        const events = one.events.map((type) => ({
          ...make[type as keyof typeof make](),
          expectedVersion: one.expected === null ? null : (BigInt(one.expected) as never),
        }));
        log.data(events, {
          publisher: session(one.publisher),
          ...(one.number === null ? {} : { number: entryNumber(BigInt(one.number)) }),
          ...(one.idempotencyKey === null ? {} : { idempotencyKey: one.idempotencyKey }),
          epoch: epoch(one.epoch),
          region: one.region,
          ...(one.late ? { notAfterMs: START_MS - 1 } : {}),
        });
        break;
      }
      case 'fence':
        log.fence(one.expected, one.home, 1n, one.decision);
        break;
      case 'settle':
        log.control({ kind: 'settle', key: keyOf(one.key), deadlineMs: START_MS });
        break;
      case 'configuration':
        log.control({ kind: 'configuration', expected: AGGREGATE.hash, configuration: one.to.hash });
        break;
      case 'time':
        log.pass(one.ms);
        break;
      case 'garbage':
        log.record(one.text, one.header);
        break;
      case 'damaged':
        log.record(
          '[]',
          header().map((byte, at, all) => (at === one.at % all.length ? byte ^ one.bits : byte)),
        );
    }
  }
  return log.entries();
}

const logs = fc.array(step, { maxLength: 60 });

function durable(region: FoldedRegion): unknown {
  const { cursor, rows, sessions, outcomes, verdicts } = region;
  return {
    cursor,
    rows: [...rows].sort(),
    sessions: [...sessions].sort(),
    outcomes: [...outcomes].sort(),
    verdicts,
  };
}

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
      { numRuns: 300 },
    );
  },
);

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
    { numRuns: 200 },
  );
});

test('the random logs above reach every verdict that needs neither keys nor several writers', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(logs, (steps) => {
      for (const verdict of new FoldedRegion().applyAll(build(steps)).verdicts) seen.add(verdict);
    }),
    { numRuns: 1_000, seed: 7 },
  );
  expect(VERDICTS.filter((verdict) => !seen.has(verdict))).toEqual(['forged', 'policy']);
});
