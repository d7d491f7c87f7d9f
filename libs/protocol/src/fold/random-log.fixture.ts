/** Random logs, sane and mad: what the laws of the fold are tried on. */
import fc from 'fast-check';
import type { FoldConfiguration } from '../configuration/fold-configuration.js';
import { entryNumber, epoch, sequence, type RegionName } from '../identity/identity.js';
import type { DecodedEntry } from './decoded-entry.js';
import {
  AGGREGATE,
  AP,
  credited,
  DAY_MS,
  debited,
  EU,
  type FoldedRegion,
  header,
  keyOf,
  LogBuilder,
  opened,
  session,
  START_MS,
  STRICTER,
  US,
} from './fold.fixture.js';

export type Step =
  | {
      readonly kind: 'data';
      readonly key: string;
      readonly events: readonly string[];
      readonly amount: number;
      readonly expected: number | null;
      readonly idempotencyKey: string | null;
      readonly publisher: string;
      readonly number: number | null;
      readonly epoch: bigint;
      readonly region: RegionName;
      readonly late: boolean;
    }
  | {
      readonly kind: 'fence';
      readonly expected: bigint;
      readonly home: RegionName;
      readonly decision: bigint;
    }
  | { readonly kind: 'term'; readonly term: bigint; readonly decision: bigint }
  | { readonly kind: 'settle'; readonly key: string }
  | { readonly kind: 'degrade'; readonly key: string; readonly at: number }
  | { readonly kind: 'configuration'; readonly to: FoldConfiguration }
  | {
      readonly kind: 'rule';
      readonly expected: bigint;
      readonly rule: string;
      readonly withdrawn: readonly RegionName[];
    }
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'garbage'; readonly text: string | null; readonly header: Uint8Array | null }
  /** A header of which one byte was changed. */
  | { readonly kind: 'damaged'; readonly at: number; readonly bits: number };

/** Mostly null, so that most entries are what a writer means to write. */
const seldom = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 7, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: value });

const KEYS = ['eu:a', 'eu:b', 'eu:c/d', 'us:x'];

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('data' as const),
      key: fc.constantFrom(...KEYS),
      events: fc.array(fc.constantFrom('opened', 'credited', 'debited'), { minLength: 1, maxLength: 5 }),
      amount: fc.integer({ min: -1, max: 9 }),
      expected: seldom(fc.integer({ min: 0, max: 12 })),
      idempotencyKey: fc.option(fc.constantFrom('k1', 'k2', 'k3'), { freq: 2 }),
      publisher: fc.constantFrom('b', 'c', 'd', 'e', 'f'),
      number: seldom(fc.integer({ min: 1, max: 6 })),
      epoch: fc.constantFrom(1n, 1n, 1n, 1n, 1n, 2n, 2n, 3n),
      region: fc.constantFrom(EU, EU, EU, EU, US, US, AP),
      late: seldom(fc.constant(true)).map((late) => late === true),
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
    arbitrary: fc.record({
      kind: fc.constant('term' as const),
      term: fc.constantFrom(0n, 1n, 1n, 2n),
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
      kind: fc.constant('degrade' as const),
      key: fc.constantFrom('k1', 'k2', 'k3'),
      at: fc.integer({ min: 1, max: 12 }),
    }),
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
      kind: fc.constant('rule' as const),
      expected: fc.bigInt({ min: 1n, max: 12n }),
      rule: fc.constantFrom('majority', 'all', 'home', 'any 1 of [us]', 'any 1 of [ap]'),
      withdrawn: fc.constantFrom([], [], [US]),
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
      header: fc.option(fc.uint8Array({ maxLength: 130, size: 'max' })),
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

export function build(steps: readonly Step[], projection = AGGREGATE): readonly DecodedEntry[] {
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
      case 'term':
        log.control(one);
        break;
      case 'settle':
        log.control({ kind: 'settle', key: keyOf(one.key), deadlineMs: START_MS });
        break;
      case 'degrade':
        log.control({ kind: 'degrade', key: keyOf(one.key), sequence: sequence(BigInt(one.at)) });
        break;
      case 'configuration':
        log.control({ kind: 'configuration', expected: AGGREGATE.hash, configuration: one.to.hash });
        break;
      case 'rule': {
        const { rule, withdrawn } = one;
        const expected = sequence(one.expected);
        log.control({ kind: 'rule', expected, rule, withdrawn, reason: '', actor: '' });
        break;
      }
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

/** `max`: by itself fast-check would keep to ten steps, however long a list may be. */
export const logs: fc.Arbitrary<readonly Step[]> = fc.array(step, { maxLength: 60, size: 'max' });

/** All that a region has committed and told. */
export function durable(region: FoldedRegion): unknown {
  const { cursor, rows, sessions, outcomes, verdicts } = region;
  return {
    cursor,
    rows: [...rows].sort(),
    sessions: [...sessions].sort(),
    outcomes: [...outcomes].sort(),
    verdicts,
  };
}
