/**
 * What is said to be at risk is never less than what is: against random logs, folds, rules and regions that are not heard, of which
 * the prediction is told only what watermarks tell. The truth is what the ledger would count if it saw every region, and the loss
 * that of a log that is lost whole, with every store but the candidate's.
 */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SHARD } from '../control/control.fixture.js';
import { epoch, sequence, type RegionName, type Sequence } from '../identity/identity.js';
import { demandsOf } from '../quorum/demand.js';
import { reachedRanges } from '../quorum/ledger.js';
import { changeRule, type RuleInForce } from '../quorum/rule-in-force.js';
import { parseRule } from '../quorum/rule.js';
import { predictMove, type AtRisk } from './prediction.js';
import { TOLD } from './promotion.fixture.js';
import type { SeenShard } from './seen-shard.js';

const LEGAL = ['eu', 'us', 'ap'] as RegionName[];
const RULES = ['majority', 'all', 'any 1 of [eu, us, ap]', 'any 1 of [eu]', 'any 2 of [us, ap]'];
const END_MAX = 60;

interface TrueRegion {
  /** Of the log, in thousandths. */
  readonly folded: number;
  /** Of what it folded, told last; all while it is connected. */
  readonly toldOf: number;
  readonly isConnected: boolean;
  readonly hasTold: boolean;
  readonly knowsEnd: boolean;
  readonly isHalted: boolean;
  readonly gaps: number;
}
const trueRegion = fc.record<TrueRegion>({
  folded: fc.integer({ min: 0, max: 1_000 }),
  toldOf: fc.integer({ min: 0, max: 1_000 }),
  isConnected: fc.boolean(),
  hasTold: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
  knowsEnd: fc.integer({ min: 0, max: 3 }).map((n) => n > 0),
  isHalted: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
  gaps: fc.integer({ min: 0, max: 3 }),
});
const trueRule = fc.record({
  from: fc.integer({ min: 2, max: END_MAX }),
  text: fc.constantFrom(...RULES),
});
const world = fc.record({
  end: fc.integer({ min: 1, max: END_MAX }),
  regions: fc.tuple(trueRegion, trueRegion, trueRegion),
  rules: fc.array(trueRule, { maxLength: 3 }),
  forgotten: fc.integer({ min: 0, max: 1 }),
  to: fc.constantFrom(...LEGAL),
});

const ruleOf = (text: string, from: number): Omit<RuleInForce, 'jointly'> => {
  const parsed = parseRule(text);
  if (parsed.kind === 'refused') throw new Error(parsed.reason);
  const electorate = { members: LEGAL, home: LEGAL[0]!, labels: {}, withdrawn: [] };
  const demanded = demandsOf(parsed.rule, electorate);
  if (demanded.kind === 'refused') throw new Error(demanded.reason);
  return { from: sequence(BigInt(from)), text, withdrawn: [], demands: demanded.demands };
};

const share = (of: number, thousandths: number): number => Math.floor((of * thousandths) / 1_000);

test('no stage is promised for more entries that the candidate lacks than were said to be at risk', () => {
  const met = { bound: 0, unknown: 0, positive: 0 };
  fc.assert(
    fc.property(world, ({ end, forgotten, regions, rules: changes, to }) => {
      const folded = regions.map((region) => share(end, region.folded));
      const told = regions.map(({ isConnected, toldOf }, index) =>
        isConnected ? folded[index]! : share(folded[index]!, toldOf),
      );
      const rules = changes
        .filter(({ from }) => from <= end)
        .sort((x, y) => x.from - y.from)
        .filter(({ from }, index, all) => from !== all[index - 1]?.from)
        .reduce<readonly RuleInForce[]>(
          (before, { from, text }) => changeRule(before, ruleOf(text, from)) ?? before,
          [{ ...ruleOf('majority', 1), jointly: [] }],
        );
      const isTelling = (index: number): boolean => regions[index]!.isConnected && regions[index]!.hasTold;
      const furthest = Math.max(0, ...LEGAL.flatMap((_, index) => (isTelling(index) ? [told[index]!] : [])));
      const seen: SeenShard = {
        shard: SHARD,
        legal: LEGAL,
        rule: null,
        regions: LEGAL.map((region, index) => {
          const { gaps, hasTold, isConnected, isHalted, knowsEnd } = regions[index]!;
          // Who is halted knows the end of when it still read.
          const lag = isHalted || !isConnected ? 0 : end - told[index]! + (told[index]! < end ? gaps : 0);
          return {
            region,
            isConnected,
            differs: false,
            told: hasTold
              ? {
                  ...TOLD,
                  epoch: epoch(1n),
                  sequence: sequence(BigInt(told[index]!)),
                  lagRecords: knowsEnd ? lag : null,
                  halted: isHalted ? 'fold-failed' : null,
                }
              : null,
          };
        }),
      };
      const known = rules.filter(({ from }) => from <= furthest).slice(forgotten);
      const predicted = predictMove({
        move: 'failover',
        to,
        seen,
        rules: known,
        foldRecordsPerSecond: null,
        past: [],
      });

      const held = folded[LEGAL.indexOf(to)]!;
      const committed = new Map<RegionName, Sequence>(
        LEGAL.map((region, index) => [region, sequence(BigInt(folded[index]!))]),
      );
      const reached = reachedRanges({ committed, rules })
        .filter(({ from, reached: last }) => last >= from)
        .map(({ reached: last }) => Number(last));
      const truth: { readonly [S in keyof AtRisk]: number } = {
        logged: end,
        accepted: Math.max(...folded),
        quorum: Math.max(0, ...reached),
      };
      for (const stage of ['logged', 'accepted', 'quorum'] as const) {
        const bound = predicted.atRisk[stage];
        const lost = Math.max(0, truth[stage] - held);
        if (bound === null) met.unknown += 1;
        else {
          met.bound += 1;
          if (lost > 0) met.positive += 1;
          expect(bound).toBeGreaterThanOrEqual(lost);
        }
      }
      // While the log is there the candidate folds up to its end: nothing is lost.
      expect([0, null]).toContain(predicted.lostEntries);
      if (predicted.lostEntries === null) expect(predicted.atRisk.logged).toBeNull();
    }),
    { numRuns: 5_000 },
  );
  expect(met.bound).toBeGreaterThan(1_000);
  expect(met.positive).toBeGreaterThan(500);
  expect(met.unknown).toBeGreaterThan(500);
});
