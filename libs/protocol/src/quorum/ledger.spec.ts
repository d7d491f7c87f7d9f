/** The ledger: who has committed how far, and who does not count (I7, I11, I12). */
import { describe, expect, test } from '@jest/globals';
import type { RegionName, Sequence, StoreIncarnation } from '../identity/identity.js';
import { demandsOf, highestMet } from './demand.js';
import {
  EMPTY_LEDGER,
  holders as holdersOf,
  reachedRanges,
  recordWatermark,
  tallyOf,
  type ShardLedger,
} from './ledger.js';
import { AP, EU, log, LOG, store, US, watermark, type Told } from './ledger.fixture.js';
import type { RuleInForce } from './rule-in-force.js';
import type { Rule } from './rule.js';

const MEMBERS = [EU, US, AP];
const NO_DEMANDS: RuleInForce['jointly'] = [];
const ledgerOf = (...told: readonly Told[]): ShardLedger =>
  told.map(watermark).reduce(recordWatermark, EMPTY_LEDGER);
const reached = (ledger: ShardLedger, rule: Rule = { kind: 'majority' }): Sequence => {
  const demanded = demandsOf(rule, { members: MEMBERS, home: EU, labels: {}, withdrawn: [] });
  if (demanded.kind === 'refused') throw new Error(demanded.reason);
  return highestMet(demanded.demands, tallyOf(ledger, LOG).committed);
};
const holders = (ledger: ShardLedger, at: bigint): readonly RegionName[] =>
  holdersOf(tallyOf(ledger, LOG), at as Sequence);
const differing = (ledger: ShardLedger): readonly RegionName[] => [...tallyOf(ledger, LOG).differing].sort();

describe('counting', () => {
  const ledger = ledgerOf({ region: EU, at: 30 }, { region: US, at: 20 }, { region: AP, at: 10 });

  test.each<[string, Rule, bigint]>([
    ['majority: the second highest of three', { kind: 'majority' }, 20n],
    ['all: the lowest', { kind: 'all' }, 10n],
    ['home', { kind: 'home' }, 30n],
    ['any of two listed: the higher one', { kind: 'any', count: 1, of: [US, AP] }, 20n],
    ['both of two listed', { kind: 'any', count: 2, of: [US, AP] }, 10n],
  ])('%s', (_, rule, sequence) => {
    expect(reached(ledger, rule)).toBe(sequence);
  });

  test('nothing is reached before anybody told anything', () => {
    expect(reached(EMPTY_LEDGER)).toBe(0n);
  });

  test('one region that tells twice is one region (B41)', () => {
    expect(reached(ledgerOf({ region: EU, at: 5 }, { region: EU, at: 9 }, { region: EU, at: 9 }))).toBe(0n);
  });

  test('holders are the regions at or beyond a position, by name', () => {
    expect(holders(ledger, 20n)).toEqual([EU, US]);
    expect(holders(ledger, 21n)).toEqual([EU]);
    expect(holders(ledger, 1n)).toEqual([AP, EU, US]);
  });

  test('a watermark that was overtaken changes nothing: the ledger stays the same object', () => {
    const overtaken = recordWatermark(ledger, watermark({ region: EU, at: 29 }));
    expect(overtaken).toBe(ledger);
  });

  test('recording leaves the ledger before as it was', () => {
    const before = ledgerOf({ region: EU, at: 1 }, { region: US, at: 1 });
    recordWatermark(before, watermark({ region: US, at: 99 }));
    expect(holders(before, 2n)).toEqual([]);
  });
});

describe('incarnations', () => {
  test('a watermark of another life of the log does not count', () => {
    const ledger = ledgerOf(
      { region: EU, at: 30 },
      { region: US, at: 90, log: log('b') },
      { region: AP, at: 90, log: null },
    );
    expect(reached(ledger)).toBe(0n);
    expect(holders(ledger, 1n)).toEqual([EU]);
  });

  test('a region that comes over to the log counts from what it told of it', () => {
    const ledger = ledgerOf(
      { region: EU, at: 30 },
      { region: US, at: 90, log: log('b') },
      { region: US, at: 2 },
    );
    expect(reached(ledger)).toBe(2n);
  });

  test('a store that was replaced never counts again, however high its late watermarks (I12)', () => {
    const ledger = ledgerOf(
      { region: EU, at: 50 },
      { region: US, at: 50, store: store('1') },
      { region: US, at: 7, store: store('2') },
      { region: US, at: 99, store: store('1') },
    );
    expect(reached(ledger)).toBe(7n);
    expect(holders(ledger, 8n)).toEqual([EU]);
  });

  test('a region that withholds its vote does not count until it gives it again (I12)', () => {
    const withheld = { code: 'unverified', detail: 'went back' } as const;
    const before = ledgerOf({ region: EU, at: 50 }, { region: US, at: 50, withheld });
    expect(reached(before)).toBe(0n);
    expect(holders(before, 1n)).toEqual([EU]);
    const after = recordWatermark(before, watermark({ region: US, at: 50 }));
    expect(reached(after)).toBe(50n);
  });

  test('a late watermark from before genesis takes no vote away', () => {
    const ledger = ledgerOf({ region: EU, at: 5 }, { region: EU, at: 2, log: null });
    expect(holders(ledger, 5n)).toEqual([EU]);
  });

  test('of several lives of a store the newest one counts, in whatever order its streams are heard (I12)', () => {
    const lives = ['0', '1', '2'].map((digit) => ({
      region: EU,
      at: 5 + Number(digit),
      store: store(digit),
    }));
    for (const heard of [lives, lives.toReversed(), [lives[2]!, lives[0]!, lives[1]!, lives[2]!]])
      expect(holders(ledgerOf(...heard), 7n)).toEqual([EU]);
  });

  test('of two lives of one generation the one that is heard last counts: the other one is no more', () => {
    const [first, second] = ['a', 'b'].map((digit) => `00000000${digit.repeat(24)}` as StoreIncarnation);
    const ledger = ledgerOf({ region: EU, at: 9, store: second! }, { region: EU, at: 3, store: first! });
    expect(holders(ledger, 3n)).toEqual([EU]);
    expect(holders(ledger, 4n)).toEqual([]);
  });

  test('marks of a store that was replaced accuse nobody', () => {
    const ledger = ledgerOf(
      { region: EU, at: 256 },
      { region: US, at: 256, store: store('1'), history: 'other' },
      { region: US, at: 300, store: store('2') },
    );
    expect(differing(ledger)).toEqual([]);
    expect(reached(ledger)).toBe(256n);
  });
});

describe('hashes that disagree (I11)', () => {
  test.each(['input', 'effects'] as const)(
    'one region against two does not count, and is named: %s',
    (differs) => {
      const ledger = ledgerOf(
        { region: EU, at: 300 },
        { region: US, at: 290 },
        { region: AP, at: 280, history: 'other', differs },
      );
      expect(differing(ledger)).toEqual([AP]);
      expect(reached(ledger)).toBe(290n);
      expect(reached(ledger, { kind: 'all' })).toBe(0n);
      expect(reached(ledger, { kind: 'any', count: 1, of: [AP] })).toBe(0n);
      expect(holders(ledger, 1n)).toEqual([EU, US]);
    },
  );

  test('one against one: there is no majority, and nobody counts', () => {
    const ledger = ledgerOf({ region: EU, at: 300 }, { region: US, at: 300, history: 'other' });
    expect(differing(ledger)).toEqual([EU, US]);
    expect(reached(ledger, { kind: 'home' })).toBe(0n);
    expect(holders(ledger, 1n)).toEqual([]);
  });

  test('not even a third region counts that has not told the mark yet, until it breaks the tie', () => {
    const tied = ledgerOf(
      { region: EU, at: 300 },
      { region: US, at: 300, history: 'other' },
      { region: AP, at: 200 },
    );
    expect(differing(tied)).toEqual([EU, US]);
    expect(holders(tied, 1n)).toEqual([]);
    const broken = recordWatermark(tied, watermark({ region: AP, at: 260 }));
    expect(differing(broken)).toEqual([US]);
    expect(reached(broken)).toBe(260n);
  });

  test('three that all differ: nobody counts', () => {
    const ledger = ledgerOf(
      { region: EU, at: 300, history: 'x' },
      { region: US, at: 300, history: 'y' },
      { region: AP, at: 300, history: 'z' },
    );
    expect(differing(ledger)).toHaveLength(3);
    expect(holders(ledger, 1n)).toEqual([]);
  });

  test('a region that ran ahead is still compared at the marks it told on its way', () => {
    const ahead = ledgerOf(
      { region: EU, at: 256 },
      { region: EU, at: 512 },
      { region: EU, at: 768 },
      { region: AP, at: 300 },
    );
    const ledger = recordWatermark(ahead, watermark({ region: US, at: 300, history: 'other' }));
    expect(differing(ledger)).toEqual([US]);
  });

  test('regions that commit different batches are compared at every mark that their batches passed', () => {
    const [quarter, half, whole] = [256, 512, 1024].map((at) => watermark({ region: EU, at }).marks[0]!);
    const eu = { ...watermark({ region: EU, at: 1024 }), marks: [quarter!, half!, whole!] };
    const us = watermark({ region: US, at: 700, history: 'other' });
    const ledger = [eu, us].reduce(recordWatermark, EMPTY_LEDGER);
    expect(differing(ledger)).toEqual([EU, US]);
  });

  test('what a region told first of a mark stays: by telling another hash it cannot take its word back', () => {
    const ledger = ledgerOf(
      { region: EU, at: 256 },
      { region: US, at: 256, history: 'other' },
      { region: US, at: 300 },
      { region: AP, at: 256 },
    );
    expect(differing(ledger)).toEqual([US]);
  });

  test('regions in different places are not compared: no mark of one is a mark of the other', () => {
    const ledger = ledgerOf({ region: EU, at: 256 }, { region: US, at: 512, history: 'other' });
    expect(differing(ledger)).toEqual([]);
  });

  test('a mark of another life of the log accuses nobody', () => {
    const ledger = ledgerOf(
      { region: EU, at: 256 },
      { region: US, at: 256, log: log('b'), history: 'other' },
    );
    expect(differing(ledger)).toEqual([]);
  });

  test('marks are bounded: the sixteen newest are kept (I17)', () => {
    const told = Array.from({ length: 40 }, (_, i) => ({ region: EU, at: (i + 1) * 256 }));
    const ledger = ledgerOf(...told);
    const others = (at: number): readonly RegionName[] =>
      differing(recordWatermark(ledger, watermark({ region: US, at, history: 'other' })));
    expect(others(24 * 256)).toEqual([]);
    expect(others(25 * 256)).toEqual([EU, US]);
    expect(others(40 * 256)).toEqual([EU, US]);
  });
});

describe('rules by position', () => {
  const one = (region: RegionName): RuleInForce['demands'] => [{ needed: 1, domains: [[region]] }];
  const rule = (from: number, demands: RuleInForce['demands'], jointly = NO_DEMANDS): RuleInForce => ({
    from: BigInt(from) as Sequence,
    text: 'any',
    withdrawn: [],
    demands,
    jointly,
  });

  test('each range is judged by its own rule, and a later one may be met further than an earlier one', () => {
    const rules = [rule(1, one(AP)), rule(10, one(EU))];
    const ledger = ledgerOf({ region: EU, at: 30, rules }, { region: AP, at: 7, rules: rules.slice(0, 1) });
    expect(reachedRanges(tallyOf(ledger, LOG))).toEqual([
      { from: 1n, reached: 7n },
      { from: 10n, reached: 30n },
    ]);
    for (const at of [10, 30]) {
      const caughtUp = recordWatermark(ledger, watermark({ region: AP, at, rules }));
      expect(reachedRanges(tallyOf(caughtUp, LOG))[0]).toEqual({ from: 1n, reached: 9n });
    }
  });

  test('a joint step demands what both rules demand', () => {
    const rules = [rule(1, one(EU)), rule(10, one(AP), one(EU))];
    const ledger = ledgerOf({ region: EU, at: 30, rules }, { region: AP, at: 12, rules });
    expect(reachedRanges(tallyOf(ledger, LOG))).toEqual([
      { from: 1n, reached: 9n },
      { from: 10n, reached: 12n },
    ]);
  });

  test('the rules are those of the region that counts and has folded furthest', () => {
    const rules = [rule(1, one(EU)), rule(10, one(AP))];
    const withheld = { code: 'unverified', detail: '' } as const;
    const ledger = ledgerOf(
      { region: EU, at: 12, rules },
      { region: US, at: 5, rules: rules.slice(0, 1) },
      { region: AP, at: 50, rules: [rule(1, one(US))], withheld },
    );
    expect(tallyOf(ledger, LOG).rules).toBe(rules);
    const heardLast = ledgerOf(
      { region: US, at: 5, rules: rules.slice(0, 1) },
      { region: EU, at: 12, rules },
    );
    expect(tallyOf(heardLast, LOG).rules).toBe(rules);
    expect(tallyOf(EMPTY_LEDGER, LOG)).toMatchObject({ rules: [], committed: new Map() });
    expect(reachedRanges(tallyOf(EMPTY_LEDGER, LOG))).toEqual([]);
  });

  test('a region that the rule in force withdraws does not count, for no position', () => {
    const rules = [rule(1, one(US)), { ...rule(10, one(EU)), withdrawn: [US] }];
    const ledger = ledgerOf({ region: EU, at: 30, rules }, { region: US, at: 30, rules });
    expect(holders(ledger, 1n)).toEqual([EU]);
    expect(reachedRanges(tallyOf(ledger, LOG))[0]).toEqual({ from: 1n, reached: 0n });
  });

  test('a region that an earlier rule withdrew counts again', () => {
    const rules = [
      { ...rule(1, one(EU)), withdrawn: [US] },
      { ...rule(5, one(EU)), withdrawn: [US] },
      rule(10, one(US)),
    ];
    const ledger = ledgerOf({ region: EU, at: 30, rules }, { region: US, at: 30, rules });
    expect(holders(ledger, 1n)).toEqual([EU, US]);
  });
});
