/** What rules demand of a shard, and when they cannot be met. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RegionName, Sequence } from '../identity/identity.js';
import { demandsOf, disjointQuorum, highestMet, meets, type Demand, type Electorate } from './demand.js';
import { parseRule, type Rule } from './rule.js';

const names = (text: string): readonly RegionName[] =>
  text === '' ? [] : (text.split(' ') as readonly string[] as readonly RegionName[]);
const [EU, US, AP] = names('eu us ap') as readonly [RegionName, RegionName, RegionName];
const place = (provider: string, zone: string, jurisdiction: string) => ({ provider, zone, jurisdiction });
/** Two regions in one zone, two providers, two laws. */
const LABELS: Electorate['labels'] = {
  eu: place('aws', 'ireland', 'EU'),
  de: place('aws', 'frankfurt', 'EU'),
  nl: place('aws', 'frankfurt', 'EU'),
  us: place('gcp', 'iowa', 'US'),
};

const read = (text: string): Rule => {
  const parsed = parseRule(text);
  if (parsed.kind === 'refused') throw new Error(parsed.reason);
  return parsed.rule;
};
const demanded = (text: string, electorate: Partial<Electorate> = {}): ReturnType<typeof demandsOf> =>
  demandsOf(read(text), { members: names('eu us ap'), home: EU, labels: {}, withdrawn: [], ...electorate });
const demands = (text: string, electorate?: Partial<Electorate>): readonly Demand[] => {
  const found = demanded(text, electorate);
  if (found.kind === 'refused') throw new Error(found.reason);
  return found.demands;
};
const inZones = { members: names('eu de nl us'), labels: LABELS };

describe('what a rule demands', () => {
  test.each<[string, Partial<Electorate>, string]>([
    ['majority', {}, '2 of eu | us | ap'],
    ['majority', { members: names('eu us') }, '2 of eu | us'],
    ['majority', { members: [EU] }, '1 of eu'],
    ['all', {}, '3 of eu | us | ap'],
    ['home', {}, '1 of eu'],
    ['any 1 of [us, ap]', {}, '1 of us | ap'],
    // Two regions of one zone are lost together and count once.
    ['majority', inZones, '2 of eu | de nl | us'],
    ['any 2 of [de, nl, us]', inZones, '2 of de nl | us'],
    ['all', inZones, '4 of eu | de | nl | us'],
    ['each [aws: any 2, gcp: any 1]', inZones, '2 of eu | de nl, 1 of us'],
    ['each [EU: any 1, iowa: any 1]', inZones, '1 of eu | de nl, 1 of us'],
    ['majority', { withdrawn: [US] }, '2 of eu | ap'],
    ['any 1 of [de, us]', { ...inZones, withdrawn: names('nl de') }, '1 of us'],
  ])('%s of %j is %s', (text, electorate, expected) => {
    const found = demands(text, electorate).map(
      ({ needed, domains }) => `${needed} of ${domains.map((domain) => domain.join(' ')).join(' | ')}`,
    );
    expect(found.join(', ')).toBe(expected);
  });
});

describe('rules that cannot be met, with the counterexample', () => {
  test.each<[string, Partial<Electorate>, RegExp]>([
    ['any 1 of [eu, mars]', {}, /^mars may not hold this shard: only eu, us, ap may/],
    ['home', { home: null }, /^home needs 1 fault domain and has 0 \(none\)$/],
    [
      'any 2 of [de, nl]',
      inZones,
      /^any needs 2 fault domains and has 1 \(de, nl\); de, nl share aws\/frankfurt$/,
    ],
    ['each [azure: any 1]', inZones, /^azure needs 1 fault domain and has 0 \(none\)$/],
    ['each [gcp: any 2]', inZones, /^gcp needs 2 fault domains and has 1 \(us\)$/],
    ['all', { withdrawn: [AP] }, /^all needs 3 fault domains and has 2 \(eu or us\); ap withdrawn$/],
    [
      'majority',
      { withdrawn: [US, AP] },
      /^majority needs 2 fault domains and has 1 \(eu\); us, ap withdrawn$/,
    ],
    ['all', { members: names('a b c d e f g h i j k l m') }, /^13 regions are more than the 12/],
  ])('%s of %j', (text, electorate, reason) => {
    expect(demanded(text, electorate)).toEqual({
      kind: 'refused',
      reason: expect.stringMatching(reason),
    });
  });
});

test('nothing demanded is met by nobody', () => {
  expect(meets([], [EU, US, AP])).toBe(false);
  expect(highestMet([], new Map([[EU, 9n as Sequence]]))).toBe(0n);
});

const REGIONS = names('a b c d e');
/** Regions in domains, and how many of the domains are needed; one to three such demands. */
const someDemands: fc.Arbitrary<readonly Demand[]> = fc.array(
  fc.subarray([...REGIONS], { minLength: 1 }).chain((of) =>
    fc.array(fc.nat(2), { minLength: of.length, maxLength: of.length }).chain((at) => {
      const domains = [0, 1, 2]
        .map((domain) => of.filter((_, index) => at[index] === domain))
        .filter((domain) => domain.length > 0);
      return fc.integer({ min: 1, max: domains.length }).map((needed) => ({ needed, domains }));
    }),
  ),
  { minLength: 1, maxLength: 3 },
);

test('the highest position that is met is met by those who hold it, and the next one is not', () => {
  const committed = fc.array(fc.option(fc.bigInt(1n, 9n)), { minLength: 5, maxLength: 5 });
  let reached = 0;
  fc.assert(
    fc.property(someDemands, committed, (all, at) => {
      const places = new Map(
        REGIONS.flatMap((region, index) => {
          const place = at[index];
          return place === null || place === undefined ? [] : [[region, place as Sequence] as const];
        }),
      );
      const holding = (place: bigint): readonly RegionName[] =>
        [...places].filter(([, one]) => one >= place).map(([region]) => region);
      const highest = highestMet(all, places);
      if (highest > 0n) {
        reached += 1;
        expect(meets(all, holding(highest))).toBe(true);
      }
      expect(meets(all, holding(highest + 1n))).toBe(false);
    }),
    { numRuns: 500, seed: 5 },
  );
  expect(reached).toBeGreaterThan(100);
});

describe('quorums without a region in common', () => {
  test.each<[string, string, string | null]>([
    ['majority', 'majority', null],
    ['majority', 'all', null],
    ['majority', 'any 1 of [ap]', 'eu us'],
    ['any 1 of [eu, us]', 'any 1 of [eu, us]', 'eu'],
    ['any 2 of [eu, us]', 'any 2 of [us, ap]', null],
    ['home', 'any 1 of [eu]', null],
  ])('%s and %s: %s', (one, other, expected) => {
    const found = disjointQuorum(demands(one), demands(other));
    expect(found?.join(' ') ?? null).toBe(expected);
  });

  test('are found exactly where two sets without a common region meet both', () => {
    const sets = Array.from({ length: 32 }, (_, set) =>
      REGIONS.filter((_one, bit) => (set & (1 << bit)) !== 0),
    );
    fc.assert(
      fc.property(someDemands, someDemands, (one, other) => {
        const byHand = sets.some(
          (mine) =>
            meets(one, mine) &&
            sets.some((theirs) => theirs.every((region) => !mine.includes(region)) && meets(other, theirs)),
        );
        expect(disjointQuorum(one, other) !== null).toBe(byHand);
      }),
      { numRuns: 200 },
    );
  });
});
