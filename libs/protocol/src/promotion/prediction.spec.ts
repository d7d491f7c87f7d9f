/** What a move is said to cost, and what it did, by example. */
import { describe, expect, test } from '@jest/globals';
import { AP, EU, US } from '../control/control.fixture.js';
import { sequence, type RegionName } from '../identity/identity.js';
import type { RuleInForce } from '../quorum/rule-in-force.js';
import {
  gapOf,
  lossOf,
  predictMove,
  scoreMove,
  whyNoGap,
  type Foreseen,
  type PastMove,
} from './prediction.js';
import { seenShard, TOLD, type Told } from './promotion.fixture.js';
import type { MoveStage } from './promotion-machine.js';
import type { SeenRegion, SeenShard } from './seen-shard.js';

const passed = (...stages: readonly (readonly [MoveStage, number])[]): PastMove['passed'] =>
  stages.map(([stage, atMs]) => ({ stage, atMs }));
const switchover = (holdMs: number, fenceMs: number): PastMove => ({
  move: 'switchover',
  outcome: 'done',
  passed: passed(
    ['decided', 0],
    ['parked', 100],
    ['fencing', 100 + holdMs],
    ['folded', 100 + holdMs + 1],
    ['open', 100 + holdMs + fenceMs],
  ),
});
const failover = (fenceMs: number): PastMove => ({
  move: 'failover',
  outcome: 'done',
  passed: passed(['fencing', 50], ['folded', 51], ['open', 50 + fenceMs]),
});
const MAJORITY: RuleInForce = {
  from: sequence(1n),
  text: 'majority',
  withdrawn: [],
  demands: [{ needed: 2, domains: [[EU], [US], [AP]] }],
  jointly: [],
};

/** eu, us and ap have folded so far; the log ends at 100. */
function three(folded: readonly [number, number, number], change: Partial<Told> = {}): SeenShard {
  const region = (name: RegionName, at: number): SeenRegion => ({
    region: name,
    isConnected: true,
    differs: false,
    told: { ...TOLD, sequence: sequence(BigInt(at)), lagRecords: 100 - at, ...change },
  });
  const [eu, us, ap] = folded;
  return {
    ...seenShard(),
    legal: [EU, US, AP],
    regions: [region(EU, eu), region(US, us), region(AP, ap)],
  };
}
const away = (seen: SeenShard, name: RegionName): SeenShard => ({
  ...seen,
  regions: seen.regions.map((one) => (one.region === name ? { ...one, isConnected: false } : one)),
});
const predict = (change: Partial<Foreseen> = {}) =>
  predictMove({
    move: 'failover',
    to: AP,
    seen: three([100, 90, 70]),
    rules: [MAJORITY],
    foldRecordsPerSecond: 60,
    past: [failover(200)],
    ...change,
  });

describe('what is at risk', () => {
  test('is what the candidate lacks, by what callers may have been told; the move itself loses nothing of it', () => {
    expect(predict()).toMatchObject({
      lostEntries: 0,
      atRisk: { logged: 30, accepted: 30, quorum: 20 },
    });
    expect(predict({ seen: three([95, 90, 70]) }).atRisk).toEqual({ logged: 30, accepted: 25, quorum: 20 });
  });

  test('of a home that is not heard, everything in the log may have been promised', () => {
    const seen = away(three([80, 75, 70]), EU);
    expect(predict({ seen }).atRisk).toEqual({ logged: 30, accepted: 30, quorum: 30 });
    const caughtUp = away(three([80, 100, 100]), EU);
    expect(predict({ seen: caughtUp }).atRisk).toEqual({ logged: 0, accepted: 0, quorum: 0 });
  });

  test('is not known where nobody who is heard knows the end of the log, and neither is the loss', () => {
    const seen = away(three([80, 75, 70], { lagRecords: null }), EU);
    expect(predict({ seen })).toMatchObject({
      lostEntries: null,
      atRisk: { logged: null, accepted: null, quorum: null },
      gapMs: null,
    });
    expect(predict({ seen: three([80, 75, 70], { lagRecords: null }) }).atRisk).toEqual({
      logged: null,
      accepted: 10,
      quorum: 5,
    });
  });

  test('of a candidate whose store is not known to be right is not known', () => {
    const unknown = { logged: null, accepted: null, quorum: null };
    const differing = three([100, 90, 70]);
    const regions = differing.regions.map((one) => (one.region === AP ? { ...one, differs: true } : one));
    expect(predict({ seen: { ...differing, regions } }).atRisk).toEqual(unknown);
    expect(predict({ seen: three([100, 90, 70], { withheld: 'diverged' }) }).atRisk).toEqual(unknown);
    expect(predict({ to: 'mars' as RegionName }).atRisk).toEqual(unknown);
  });

  test('at a position of an older, weaker rule is not judged by the newer one', () => {
    const weak = { ...MAJORITY, text: 'any 1 of [eu]', demands: [{ needed: 1, domains: [[EU]] }] };
    const rules = [weak, { ...MAJORITY, from: sequence(96n) }];
    expect(predict({ rules }).atRisk.quorum).toBe(25);
    expect(predict({ rules: rules.slice(1) }).atRisk.quorum).toBe(25);
    expect(predict({ rules: [] }).atRisk.quorum).toBe(30);
  });
});

describe('how long nobody takes writes', () => {
  test('is the median of what moves took, and the time to catch up', () => {
    const past = [failover(300), failover(200), failover(900)];
    expect(predict({ past })).toMatchObject({
      recordsToFold: 30,
      catchUpMs: 500,
      gapMs: 800,
      gapMsWorst: 1_400,
      measuredMoves: 3,
    });
  });

  test('holds the writes of a switchover too, as switchovers did', () => {
    const seen = three([100, 100, 100]);
    const past = [switchover(80, 200), failover(100)];
    expect(predict({ move: 'switchover', seen, past })).toMatchObject({ gapMs: 280, measuredMoves: 1 });
    const none = predict({ move: 'switchover', seen, past: [failover(100)] });
    expect([none.gapMs, whyNoGap(none)]).toEqual([null, 'no finished move tells how long one takes']);
  });

  test('is not known without a speed, a lag, or a move to go by', () => {
    const slow = predict({ foldRecordsPerSecond: null });
    expect([slow.gapMs, whyNoGap(slow)]).toEqual([null, 'how fast the candidate folds is not known']);
    const stalled = predict({ foldRecordsPerSecond: 0 });
    expect([stalled.gapMs, stalled.catchUpMs]).toEqual([null, null]);
    const blind = predict({ seen: three([100, 90, 70], { lagRecords: null }) });
    expect(whyNoGap(blind)).toBe('how far the candidate is behind is not known');
    const halted = predict({ seen: three([100, 100, 100], { halted: 'fold-failed' }) });
    expect(halted.catchUpMs).toBeNull();
    const first = predict({ past: [] });
    expect([first.gapMs, first.measuredMoves]).toEqual([null, 0]);
    expect(whyNoGap(predict())).toBeNull();
    // Nothing to fold needs no speed.
    const near = predict({ seen: three([100, 100, 100]), foldRecordsPerSecond: null });
    expect(near.gapMs).toBe(200);
  });

  test('is taken from the latest moves only', () => {
    const old = Array.from({ length: 16 }, () => failover(9_000));
    const past = [...old, ...Array.from({ length: 16 }, () => failover(100))];
    expect(predict({ past })).toMatchObject({ gapMs: 600, gapMsWorst: 600, measuredMoves: 16 });
  });
});

describe('a move that is over', () => {
  test('is measured from its last hold or its fence until its home was open', () => {
    expect(gapOf(switchover(80, 200))).toEqual({ holdMs: 80, fenceMs: 200 });
    expect(gapOf(failover(150))).toEqual({ holdMs: null, fenceMs: 150 });
    const twice = passed(['parked', 0], ['caught-up', 2_000], ['parked', 2_100], ['fencing', 2_150]);
    expect(gapOf({ move: 'switchover', passed: twice })).toBeNull();
    const opened = [...twice, ...passed(['open', 2_350])];
    expect(gapOf({ move: 'switchover', passed: opened })).toEqual({ holdMs: 50, fenceMs: 200 });
    expect(gapOf({ move: 'switchover', passed: passed(['fencing', 5], ['open', 9]) })).toBeNull();
  });

  test('is scored by what was said: longer is above zero, and no more was lost than was said', () => {
    const predicted = predict({ seen: three([100, 100, 100]) });
    expect(scoreMove(failover(250), predicted)).toEqual({
      gapMs: 250,
      gapErrorMs: 50,
      lostEntries: 0,
      isLossCovered: true,
    });
    expect(scoreMove(failover(250), null)).toEqual({
      gapMs: 250,
      gapErrorMs: null,
      lostEntries: 0,
      isLossCovered: null,
    });
  });

  test('that moved nothing lost nothing; of one that was overtaken nobody knows', () => {
    const ended = (outcome: PastMove['outcome']) =>
      scoreMove({ move: 'failover', outcome, passed: passed(['fencing', 5]) }, predict()).lostEntries;
    expect([ended('cancelled'), ended('lost'), ended('replaced')]).toEqual([0, null, null]);
  });

  test('says why nothing is lost', () => {
    expect(lossOf(predict(), false)).toBe(
      'Nothing is lost while the log survives: the next home folds every acknowledged write before it opens.',
    );
    expect(lossOf(predict(), true)).toContain('acceptLoss is not needed');
    expect(lossOf({ ...predict(), lostEntries: null }, true)).toContain('waits for it');
  });
});
