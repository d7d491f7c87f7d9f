/** Checks before a move: each refuses what it is there for, and nothing else (I14). */
import { describe, expect, test } from '@jest/globals';
import { AP, decision, EU, ledByEu, SHARD, US, type ControlLog } from '../control/control.fixture.js';
import { epoch, sequence, type ShardName } from '../identity/identity.js';
import { APPROVED_MS, lossSubjectOf, type ApprovedMove } from './approval.js';
import { predictMove } from './prediction.js';
import {
  considerMove,
  judgeMove,
  MOVE_CHECKS,
  moveInputs,
  moveInputsJson,
  preflight,
  readMoveInputs,
  type MoveCheck,
  type MoveInputs,
} from './preflight.js';
import { seenShard } from './promotion.fixture.js';
import type { SeenShard } from './seen-shard.js';

const asked = {
  move: 'switchover',
  shard: SHARD,
  from: EU,
  to: US,
  expectedEpoch: epoch(1n),
  acceptLoss: false,
  actor: 'anna',
} as const;
const inputs = (change: Partial<MoveInputs> = {}): MoveInputs => ({
  ...moveInputs(ledByEu().state, asked, seenShard()),
  ...change,
});
const refusedBy = (judged: MoveInputs): readonly string[] =>
  judgeMove(judged).flatMap(({ code, isMet }) => (isMet ? [] : [code]));

test('a move with nothing in its way passes every check, in their order', () => {
  expect([...judgeMove(inputs()).map(({ code }) => code), 'approval']).toEqual(MOVE_CHECKS);
  expect(refusedBy(inputs())).toEqual([]);
});

const without = (region: string): MoveInputs['seen'] => {
  const seen = seenShard();
  return {
    ...seen,
    regions: seen.regions.map((one) => (one.region === region ? { ...one, isConnected: false } : one)),
  };
};

test.each<[string, Partial<MoveInputs>, readonly string[]]>([
  ['a region that is none', { to: AP }, ['region', 'residency', 'candidate', 'lag']],
  ['a region that may not hold it', { seen: { ...seenShard(), legal: [EU] } }, ['residency']],
  ['the home itself', { to: EU }, ['already-home']],
  ['another epoch', { expectedEpoch: epoch(2n) }, ['epoch']],
  ['a candidate that is away', { seen: without(US) }, ['candidate']],
  ['a candidate that is halted', { seen: seenShard({}, { halted: 'fold-failed' }) }, ['candidate']],
  ['a candidate without a vote', { seen: seenShard({}, { withheld: 'diverged' }) }, ['candidate']],
  ['a lag that is too high', { seen: seenShard({}, { lagRecords: 10_001 }) }, ['lag']],
  ['a lag that is not known', { seen: seenShard({}, { lagRecords: null }) }, ['lag']],
  ['a home that is away', { seen: without(EU) }, ['home']],
  ['an open decision', { open: 7n }, ['open-decision']],
  ['a pause', { pause: 7n }, ['paused']],
])('%s is refused by name, with the next step', (_what, change, codes) => {
  const judged = inputs(change);
  expect(refusedBy(judged)).toEqual(codes);
  for (const { isMet, next } of judgeMove(judged)) expect(next === null).toBe(isMet);
});

test('a move with nothing in its way is told what was found, and nothing to do', () => {
  expect(judgeMove(inputs()).map(({ code, next, text }) => [code, text, next])).toEqual([
    ['region', 'us is a region', null],
    ['residency', 'eu, us may hold the shard', null],
    ['already-home', 'eu is home', null],
    ['epoch', 'eu owns epoch 1', null],
    ['candidate', 'us is connected, verified and going on', null],
    ['lag', 'us lags 0 records, at most 10000 are allowed', null],
    ['home', 'eu can hand over', null],
    ['open-decision', 'no decision is open on the shard', null],
    ['paused', 'nothing is paused here', null],
  ]);
  const [home] = judgeMove(inputs({ move: 'failover' })).filter(({ code }) => code === 'home');
  expect(home).toMatchObject({ text: 'a failover does not need the home', next: null });
});

const untold = { ...seenShard(), regions: seenShard().regions.map((one) => ({ ...one, told: null })) };
const differing = {
  ...seenShard(),
  regions: seenShard().regions.map((one) => (one.region === US ? { ...one, differs: true } : one)),
};

test.each<[string, Partial<MoveInputs>, string, string]>([
  ['region', { to: AP }, 'ap is not a region', 'name a region of the catalogue'],
  ['residency', { to: AP }, 'eu, us may hold the shard', 'name one of them; residency is never overridden'],
  ['already-home', { to: EU }, 'eu is home', 'nothing is to be done'],
  ['already-home', { from: AP, to: EU }, 'eu is home', 'nothing is to be done'],
  ['already-home', { to: EU, seen: untold }, 'no region is home', 'nothing is to be done'],
  ['epoch', { expectedEpoch: epoch(2n) }, 'eu owns epoch 1', 'look at the shard again and decide again'],
  ['epoch', { from: AP }, 'eu owns epoch 1', 'look at the shard again and decide again'],
  [
    'epoch',
    { seen: seenShard({ home: null }) },
    'no region owns epoch 1',
    'look at the shard again and decide again',
  ],
  ['epoch', { seen: untold }, 'nobody has told the epoch', 'look at the shard again and decide again'],
  ['candidate', { seen: without(US) }, 'us is not connected', 'start its replicator, or name another region'],
  [
    'candidate',
    { seen: untold },
    'us has told nothing of this shard',
    'await its first watermark, or name another region',
  ],
  [
    'candidate',
    { seen: seenShard({}, { halted: 'fold-failed' }) },
    'us is halted on this shard',
    'act on the reason in /v1/shards, or name another region',
  ],
  [
    'candidate',
    { seen: seenShard({}, { withheld: 'diverged' }) },
    'us withholds its vote',
    'await its verification, or name another region',
  ],
  [
    'candidate',
    { seen: differing },
    'us holds other data than the others',
    'rebuild it, or name another region',
  ],
  [
    'lag',
    { seen: seenShard({}, { lagRecords: 10_001 }) },
    'us lags 10001 records, at most 10000 are allowed',
    'wait until it has caught up',
  ],
  ['lag', { seen: untold }, 'the lag of us is not known', 'wait until it has caught up'],
  ['home', { seen: without(EU) }, 'eu is not connected', 'ask for a failover, which does not need the home'],
  ['open-decision', { open: 7n }, 'decision 7 is open on the shard', 'await or cancel it first'],
  ['paused', { pause: 8n }, 'pause 8 covers it', 'resume it, or wait until it ends'],
])('%s says what is in the way and what to do about it', (code, change, text, next) => {
  const check = judgeMove(inputs(change)).find((one) => one.code === code);
  expect(check).toEqual({ code, isMet: false, text, next });
});

test('a lag at its bound is allowed', () => {
  expect(refusedBy(inputs({ seen: seenShard({}, { lagRecords: 10_000 }) }))).toEqual([]);
});

test('a failover does not need the home', () => {
  expect(refusedBy(inputs({ move: 'failover', seen: without(EU) }))).toEqual([]);
});

const predicted = predictMove({
  ...asked,
  seen: seenShard(),
  rules: [],
  foldRecordsPerSecond: null,
  past: [],
});

test('the report says what it takes, what would refuse it, and why nothing is lost', () => {
  expect(preflight(inputs({ acceptLoss: true }), predicted)).toMatchObject({
    ...predicted,
    isAllowed: true,
    writesHeldMsMax: 2_000,
    gapUnknown: 'no finished move tells how long one takes',
    loss: expect.stringContaining('acceptLoss is not needed'),
  });
  expect(preflight(inputs({ pause: 1n }), predicted).isAllowed).toBe(false);
  expect(preflight(inputs({ move: 'failover' }), predicted).writesHeldMsMax).toBe(0);
});

test('inputs are read as they were recorded, with a prediction or without', () => {
  const without = inputs();
  expect(Object.keys(moveInputsJson(without))).not.toContain('predicted');
  expect(Object.keys(moveInputsJson(without))).not.toContain('approval');
  for (const recorded of [without, inputs({ predicted }), inputs({ approval: 7n })])
    expect(readMoveInputs(moveInputsJson(recorded))).toEqual({ kind: 'value', value: recorded });
});

test('a decision that is behind its fence stands in the way of everything but the further epoch', () => {
  const log = ledByEu();
  const other = 'accounts/1' as typeof SHARD;
  log.say(EU, decision({ shard: other }));
  expect(moveInputs(log.state, asked, seenShard()).open).toBeNull();
  const { at } = log.say(EU, decision({ move: 'failover' }));
  const further = { ...asked, expectedEpoch: epoch(2n) };
  for (const [from, event] of [
    ['decided', 'caught-up'],
    ['caught-up', 'fencing'],
  ])
    log.say(EU, { kind: 'stage', term: 1n, decision: at, from, event, evidence: '' } as never);
  expect(moveInputs(log.state, further, seenShard()).open).toBe(at);
  for (const [from, event] of [
    ['fencing', 'fenced'],
    ['fenced', 'folded'],
    ['folded', 'canary'],
    ['canary', 'open'],
    ['open', 'placed'],
  ]) {
    log.say(EU, { kind: 'stage', term: 1n, decision: at, from, event, evidence: '' } as never);
    expect(moveInputs(log.state, further, seenShard()).open).toBeNull();
    expect(moveInputs(log.state, asked, seenShard()).open).toBe(at);
  }
});

test('inputs name the open decision and the pause that stand in the way', () => {
  const log = ledByEu();
  log.say(EU, decision());
  expect(moveInputs(log.state, asked, seenShard())).toMatchObject({ at: 5n, open: 5n, pause: null });
  log.say(EU, {
    kind: 'pause',
    scope: 'region:us' as never,
    owner: 'a',
    reason: 'r',
    untilMs: log.nowMs + 1,
  });
  expect(moveInputs(log.state, asked, seenShard())).toMatchObject({ open: null, pause: 6n });
});

test('a wish is considered against the owner that is seen, and not while nobody has told it', () => {
  const { state } = ledByEu();
  const wish = { move: 'switchover', shard: SHARD, to: US, acceptLoss: false, actor: 'anna' } as const;
  const seen = seenShard({ home: AP, epoch: epoch(3n) });
  expect(considerMove(state, wish, seen)).toMatchObject({ from: AP, expectedEpoch: 3n, to: US });
  expect(considerMove(state, wish, seenShard({ home: null }))).toBeNull();
  expect(considerMove(state, wish, { ...seen, regions: [] })).toBeNull();
});

describe('a failover that accepts loss', () => {
  const lossy = { ...asked, move: 'failover', acceptLoss: true } as const;
  const behind = seenShard({ sequence: sequence(12n) }, { sequence: sequence(10n) });
  const checkOf = (log: ControlLog, seen: SeenShard, by = 'anna'): MoveCheck | undefined =>
    judgeMove(moveInputs(log.state, { ...lossy, actor: by }, seen)).find(({ code }) => code === 'approval');
  const approve = (log: ControlLog, by: string, change: Partial<ApprovedMove> = {}): bigint => {
    const subject = lossSubjectOf({ shard: SHARD, to: US, expectedEpoch: epoch(1n), ...change });
    const untilMs = log.state.logTimeMs + APPROVED_MS;
    return log.say(AP, { kind: 'approval', subject, reason: 'seen', actor: by, untilMs }).at;
  };

  test('needs nobody else where the next home is known to lack nothing', () => {
    expect(checkOf(ledByEu(), seenShard())).toMatchObject({ isMet: true, next: null });
  });

  test.each<[string, SeenShard, RegExp]>([
    ['lacks entries', behind, /us lacks 2 entries, and nobody else has approved/],
    ['may lack any number', seenShard({ lagRecords: null }), /us lacks an unknown number of entries/],
  ])('is refused without a second person where the next home %s, with the next step', (_, seen, text) => {
    const check = checkOf(ledByEu(), seen)!;
    expect(check).toMatchObject({ isMet: false, text: expect.stringMatching(text) });
    expect(check.next).toContain('lockstep approve accounts/0 us');
  });

  test('is allowed by the word of another person, and by nobody else’s', () => {
    const log = ledByEu();
    approve(log, 'anna');
    expect(checkOf(log, behind)).toMatchObject({ isMet: false });
    const at = approve(log, 'bob');
    expect(checkOf(log, behind)).toMatchObject({
      isMet: true,
      text: expect.stringContaining(`approval ${at}`),
    });
    expect(checkOf(log, behind, 'bob')).toMatchObject({ isMet: true });
    expect(moveInputs(log.state, { ...lossy, acceptLoss: false }, behind).approval).toBe(0n);
  });

  test.each<[string, Partial<ApprovedMove>]>([
    ['to another region', { to: AP }],
    ['of another shard', { shard: 'accounts/1' as ShardName }],
    ['of another epoch', { expectedEpoch: epoch(2n) }],
  ])('is not allowed by the approval of a move %s', (_, change) => {
    const log = ledByEu();
    approve(log, 'bob', change);
    expect(checkOf(log, behind)).toMatchObject({ isMet: false });
  });

  test('is not allowed any more once the approval has expired in log time', () => {
    const log = ledByEu();
    approve(log, 'bob');
    log.nowMs += APPROVED_MS;
    log.say(EU, { kind: 'heartbeat', term: 1n });
    expect(checkOf(log, behind)).toMatchObject({ isMet: true });
    log.nowMs += 1;
    log.say(EU, { kind: 'heartbeat', term: 1n });
    expect(checkOf(log, behind)).toMatchObject({ isMet: false });
  });
});

test('what asks for no loss to be accepted has no such check, nor has a switchover', () => {
  for (const change of [{ move: 'failover' }, { acceptLoss: true }] as const)
    expect(judgeMove(inputs(change)).map(({ code }) => code)).not.toContain('approval');
});
