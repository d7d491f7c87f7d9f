/** Laws of the ledger: it agrees with counting by hand, forgets no progress, and does not care in which order it hears. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { sameHash } from '../entry/digest.js';
import { sequence, type RegionName, type Sequence } from '../identity/identity.js';
import type { Mark } from '../fold/state.js';
import type { Watermark } from '../position/watermark.js';
import { demandsOf, highestMet, type Demand } from './demand.js';
import {
  addMarks,
  EMPTY_LEDGER,
  holders as holdersOf,
  isRetold,
  recordWatermark,
  tallyOf,
  type ShardLedger,
} from './ledger.js';
import { AP, EU, log, LOG, store, US, watermark } from './ledger.fixture.js';
import type { Rule } from './rule.js';

const SA = 'sa' as RegionName;
const REGIONS = [EU, US, AP, SA];
const rules: fc.Arbitrary<Rule> = fc.oneof(
  fc.constantFrom<Rule>({ kind: 'majority' }, { kind: 'all' }, { kind: 'home' }),
  fc
    .subarray(REGIONS, { minLength: 1 })
    .chain((of) => fc.integer({ min: 1, max: of.length }).map((count): Rule => ({ kind: 'any', count, of }))),
);
/** Few places, near and at marks; fewer marks than the ledger keeps. */
const places = fc
  .tuple(fc.nat(4), fc.constantFrom(0, 1, 2, 100, 255))
  .map(([mark, beyond]) => mark * 256 + beyond);

const told = fc.record({
  region: fc.constantFrom(...REGIONS),
  at: places,
  store: fc.constantFrom(store('1'), store('1'), store('1'), store('2'), store('3')),
  log: fc.constantFrom(LOG, LOG, LOG, LOG, LOG, log('b')),
  history: fc.constantFrom('same', 'same', 'same', 'same', 'other'),
  differs: fc.constantFrom('input' as const, 'effects' as const),
});

const demanded = (rule: Rule): readonly Demand[] => {
  const demands = demandsOf(rule, { members: REGIONS, home: EU, labels: {}, withdrawn: [] });
  if (demands.kind === 'refused') throw new Error(demands.reason);
  return demands.demands;
};
const reachedIn = (ledger: ShardLedger, rule: Rule): Sequence =>
  highestMet(demanded(rule), tallyOf(ledger, LOG).committed);
const holders = (ledger: ShardLedger, at: Sequence): readonly RegionName[] =>
  holdersOf(tallyOf(ledger, LOG), at);
const differingIn = (ledger: ShardLedger): readonly RegionName[] =>
  [...tallyOf(ledger, LOG).differing].sort();
const record = (watermarks: readonly Watermark[]): ShardLedger =>
  watermarks.reduce(recordWatermark, EMPTY_LEDGER);

/** What a region's watermarks, in the order they were heard, leave valid: those of its newest life and last log. */
function inForce(heard: readonly Watermark[], region: RegionName): readonly Watermark[] {
  const own = heard.filter((one) => one.region === region);
  const newest = own
    .map((one) => one.storeIncarnation)
    .sort()
    .at(-1);
  const ofStore = own.filter((one) => one.storeIncarnation === newest);
  const change = ofStore.findLastIndex(
    (one, index) => one.logIncarnation !== ofStore[index - 1]?.logIncarnation,
  );
  let highest = -1n;
  return ofStore.slice(Math.max(0, change)).filter((one) => {
    if (one.sequence < highest) return false;
    highest = one.sequence;
    return true;
  });
}

/** The same by hand: from everything heard, each time anew. */
function countByHand(heard: readonly Watermark[]): {
  readonly at: ReadonlyMap<RegionName, bigint>;
  readonly differing: readonly RegionName[];
} {
  const lines = new Map(
    REGIONS.map(
      (region) => [region, inForce(heard, region).filter((one) => one.logIncarnation === LOG)] as const,
    ),
  );
  const markOf = (region: RegionName, at: bigint): Mark | null =>
    lines
      .get(region)!
      .flatMap((one) => one.marks)
      .find((mark) => mark.sequence === at) ?? null;
  const differing = new Set<RegionName>();
  let undecided = false;
  for (const at of new Set(heard.flatMap((one) => one.marks.map((mark) => mark.sequence)))) {
    const witnesses = REGIONS.filter((region) => markOf(region, at) !== null);
    const agreeWith = (region: RegionName): number => {
      const mine = markOf(region, at)!;
      return witnesses.filter((other) => {
        const theirs = markOf(other, at)!;
        return sameHash(mine.inputHash, theirs.inputHash) && sameHash(mine.effectsHash, theirs.effectsHash);
      }).length;
    };
    const minority = witnesses.filter((region) => agreeWith(region) * 2 <= witnesses.length);
    for (const region of minority) differing.add(region);
    if (witnesses.length > 0 && minority.length === witnesses.length) undecided = true;
  }
  const counting = undecided
    ? []
    : REGIONS.filter((region) => lines.get(region)!.length > 0 && !differing.has(region));
  return {
    at: new Map(counting.map((region) => [region, lines.get(region)!.at(-1)!.sequence])),
    differing: [...differing].sort(),
  };
}

test('the ledger agrees with counting by hand, whatever it hears: restored stores, other logs, hashes that differ (I11, I12)', () => {
  let differed = 0;
  let counted = 0;
  fc.assert(
    fc.property(fc.array(told, { maxLength: 24, size: 'max' }), rules, (all, rule) => {
      const heard = all.map(watermark);
      const ledger = record(heard);
      const { at, differing } = countByHand(heard);
      expect(differingIn(ledger)).toEqual(differing);
      const [{ domains, needed }] = demanded(rule) as [Demand];
      const regions = domains.flat();
      const enough = (place: bigint): boolean =>
        regions.filter((region) => (at.get(region) ?? -1n) >= place).length >= needed;
      const byHand = [...at.values()].filter(enough).reduce((x, y) => (x > y ? x : y), 0n);
      const reached = reachedIn(ledger, rule);
      expect(reached).toBe(byHand);
      for (const place of [1n, reached, reached + 1n] as Sequence[]) {
        expect(holders(ledger, place)).toEqual(
          [...at]
            .filter(([, committed]) => committed >= place)
            .map(([region]) => region)
            .sort(),
        );
      }
      if (differing.length > 0) differed += 1;
      if (reached > 0n) counted += 1;
    }),
    { numRuns: 600, seed: 3 },
  );
  expect(differed).toBeGreaterThan(60);
  expect(counted).toBeGreaterThan(60);
});

test('a watermark that is told again leaves the tally as it was', () => {
  const withheld = fc.constantFrom(null, null, null, { code: 'unverified', detail: '' } as const);
  let retold = 0;
  fc.assert(
    fc.property(fc.array(fc.tuple(told, withheld, fc.boolean()), { maxLength: 24, size: 'max' }), (all) => {
      let ledger = EMPTY_LEDGER;
      for (const [one, vote, twice] of all) {
        const next = watermark({ ...one, withheld: vote });
        for (const again of twice ? [next, { ...next, caughtUpAtMs: 7, lagRecords: 0 }] : [next]) {
          const after = recordWatermark(ledger, again);
          if (isRetold(ledger, after, again.region)) {
            expect(tallyOf(after, LOG)).toEqual(tallyOf(ledger, LOG));
            if (after !== ledger) retold += 1;
          }
          ledger = after;
        }
      }
    }),
    { numRuns: 600, seed: 5 },
  );
  expect(retold).toBeGreaterThan(600);
});

test('while nobody is restored and nobody differs, what was reached stays reached (I7)', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ region: fc.constantFrom(...REGIONS), at: places }), {
        maxLength: 24,
        size: 'max',
      }),
      rules,
      (all, rule) => {
        let ledger = EMPTY_LEDGER;
        let before = 0n;
        for (const one of all) {
          ledger = recordWatermark(ledger, watermark(one));
          const reached = reachedIn(ledger, rule);
          expect(reached).toBeGreaterThanOrEqual(before);
          before = reached;
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('order and repetition of what is heard do not matter', () => {
  const heard = fc.array(fc.record({ region: fc.constantFrom(...REGIONS), at: places }), {
    minLength: 1,
    maxLength: 12,
    size: 'max',
  });
  fc.assert(
    fc.property(
      heard.chain((all) =>
        fc.tuple(fc.constant(all), fc.shuffledSubarray([...all, ...all], { minLength: all.length * 2 })),
      ),
      rules,
      ([all, again], rule) => {
        const one = reachedIn(record(all.map(watermark)), rule);
        expect(reachedIn(record(again.map(watermark)), rule)).toBe(one);
      },
    ),
    { numRuns: 300 },
  );
});

test('in which order regions are heard does not matter, whatever each of them tells: only the order of one region does', () => {
  const withheld = fc.constantFrom(null, null, null, { code: 'unverified', detail: '' } as const);
  const heard = fc.array(fc.tuple(told, withheld), { maxLength: 24, size: 'max' });
  let differed = 0;
  fc.assert(
    fc.property(heard, fc.array(fc.nat(), { minLength: 24, maxLength: 24 }), rules, (all, order, rule) => {
      const watermarks = all.map(([one, vote]) => watermark({ ...one, withheld: vote }));
      // Draws the next region to be heard; each region's own come in their order.
      const waiting = REGIONS.map((region) => watermarks.filter((one) => one.region === region));
      const merged = watermarks.map((_, index) => {
        const speaking = waiting.filter((own) => own.length > 0);
        return speaking[order[index]! % speaking.length]!.shift()!;
      });
      const [ledger, again] = [record(watermarks), record(merged)];
      expect(differingIn(again)).toEqual(differingIn(ledger));
      const reached = reachedIn(ledger, rule);
      expect(reachedIn(again, rule)).toBe(reached);
      for (const place of [1n, reached + 1n] as Sequence[])
        expect(holders(again, place)).toEqual(holders(ledger, place));
      if (differingIn(ledger).length > 0) differed += 1;
    }),
    { numRuns: 200, seed: 9 },
  );
  expect(differed).toBeGreaterThan(20);
});

test('marks are a set: in whatever order and parts they are told, each stands once, in order, and the newest are kept', () => {
  const marked = (at: number): Mark => watermark({ region: EU, at: at * 256 }).marks[0]!;
  const parts = fc.array(fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 12, size: 'max' }), {
    maxLength: 6,
  });
  fc.assert(
    fc.property(parts, (all) => {
      const kept = all.reduce(
        (before, part) => addMarks(before, [...new Set(part)].map(marked)),
        [] as readonly Mark[],
      );
      const expected = [...new Set(all.flat())].sort((x, y) => x - y).slice(-16);
      expect(kept.map((mark) => mark.sequence)).toEqual(expected.map((at) => sequence(BigInt(at * 256))));
      expect(kept).toEqual(expected.map(marked));
    }),
    { numRuns: 200 },
  );
});
