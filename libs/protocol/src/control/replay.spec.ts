/** Replaying decisions: the same log, the same judgements; what differs is named (I15). */
import { expect, test } from '@jest/globals';
import { DEFAULT_FAILOVER_POLICY, failoverInputs, failoverInputsJson } from '../failover/govern.js';
import { epoch, sequence } from '../identity/identity.js';
import { lossSubjectOf } from '../promotion/approval.js';
import { predictMove } from '../promotion/prediction.js';
import { moveInputs, moveInputsJson } from '../promotion/preflight.js';
import { seenShard, type Told } from '../promotion/promotion.fixture.js';
import { AP, decision, EU, ledByEu, SHARD, US, type ControlLog } from './control.fixture.js';
import { replayDecisions } from './replay.js';
import { dueSnapshot } from './snapshot.js';
import { controlStateJson, FINISHED_MOVES_KEPT, readControlState } from './state.js';

const judged = (log: ControlLog, us: Partial<Told> = {}) =>
  decision({ inputs: moveInputsJson(moveInputs(log.state, decision(), seenShard({}, us))) });
const codesOf = (log: ControlLog): readonly string[] =>
  replayDecisions(log.records).differences.map(({ code }) => code);

test('decisions that follow from their inputs replay without a difference, refusals too', () => {
  const log = ledByEu();
  log.say(EU, judged(log));
  log.say(EU, { kind: 'cancel', decision: 5n, reason: '', actor: '' });
  log.say(EU, { ...judged(log, { lagRecords: 20_000 }), kind: 'declined', codes: ['lag'] });
  expect(replayDecisions(log.records)).toMatchObject({
    entries: 7,
    unfolded: 0,
    terms: 1,
    decisions: 2,
    compared: 2,
    differences: [],
  });
});

test('a decision against its own inputs is found', () => {
  const log = ledByEu();
  const said = judged(log, { lagRecords: 20_000 });
  log.say(EU, said);
  expect(replayDecisions(log.records).differences).toEqual([
    {
      at: 5n,
      offset: 4n,
      code: 'judged-differently',
      detail: 'refused by: recorded none, judged again lag',
      recorded: { inputs: said.inputs, refusedBy: [] },
      recomputed: { inputs: said.inputs, refusedBy: ['lag'] },
    },
  ]);
});

test('a refusal that names other checks is found', () => {
  const log = ledByEu();
  log.say(EU, { ...judged(log), kind: 'declined', codes: ['paused'] });
  expect(codesOf(log)).toEqual(['judged-differently']);
});

test('inputs that the log contradicts, that belong to another move, or cannot be read are found', () => {
  const log = ledByEu();
  log.say(EU, { kind: 'pause', scope: 'all' as never, owner: 'a', reason: 'r', untilMs: log.nowMs + 60_000 });
  const { inputs } = judged(log);
  log.say(EU, decision({ inputs: { ...inputs, pause: null } }));
  log.say(EU, decision({ inputs, to: AP }));
  log.say(EU, decision({ inputs: {} }));
  expect(codesOf(log)).toEqual(['inputs-differ', 'inputs-of-another-move', 'inputs-unreadable']);
});

test('an entry that had no authority was never a decision', () => {
  const log = ledByEu();
  log.say(AP, decision());
  expect(replayDecisions(log.records).decisions).toBe(0);
});

const beat = (log: ControlLog, times: number): void => {
  for (let count = 0; count < times; count += 1) log.say(EU, { kind: 'heartbeat', term: 1n });
};
const paused = (log: ControlLog): void =>
  void log.say(US, {
    kind: 'pause',
    scope: 'all' as never,
    owner: 'a',
    reason: 'r',
    untilMs: log.nowMs + 60_000,
  });

test('inputs are compared with the log as it was when they were seen, whatever landed in between', () => {
  const log = ledByEu();
  const seenBefore = judged(log);
  beat(log, 3);
  paused(log);
  log.say(EU, seenBefore);
  expect(replayDecisions(log.records)).toMatchObject({ decisions: 1, compared: 1, differences: [] });
  // The same from a state in which the pause was known.
  log.say(EU, { ...seenBefore, inputs: { ...seenBefore.inputs, at: Number(log.state.sequence) } });
  expect(replayDecisions(log.records).differences).toMatchObject([
    { code: 'inputs-differ', detail: 'the log says otherwise of pause' },
  ]);
});

test('inputs of a state that had not been reached are found', () => {
  const log = ledByEu();
  const { inputs, ...said } = judged(log);
  log.say(EU, { ...said, inputs: { ...inputs, at: 7 } });
  expect(replayDecisions(log.records).differences).toMatchObject([
    { code: 'inputs-differ', detail: 'the log says otherwise of at' },
  ]);
});

test('a decision on a state that is not known any more is judged from its inputs alone, and counted so', () => {
  const log = ledByEu();
  const old = judged(log);
  beat(log, 300);
  log.say(EU, { ...old, inputs: { ...old.inputs, pause: 3 } });
  expect(replayDecisions(log.records)).toMatchObject({
    decisions: 1,
    compared: 0,
    differences: [{ code: 'judged-differently', recomputed: { refusedBy: ['paused'] } }],
  });
});

test('a log is replayed piece by piece as it is at once', () => {
  const log = ledByEu();
  log.say(EU, judged(log, { lagRecords: 20_000 }));
  beat(log, 5);
  log.say(EU, { ...judged(log), kind: 'declined', codes: [] });
  const pieces = [log.records.slice(0, 4), log.records.slice(4, 5), [], log.records.slice(5)];
  const replayed = pieces.reduce((before, piece) => replayDecisions(piece, before), replayDecisions([]));
  expect(replayed).toEqual(replayDecisions(log.records));
  expect(replayed).toMatchObject({ decisions: 2, differences: [{ at: 5n }, { at: 11n }] });
});

test('a log without its beginning is replayed from its first snapshot on', () => {
  const log = ledByEu();
  log.say(EU, judged(log, { lagRecords: 20_000 }));
  while (dueSnapshot(log.state) === null) beat(log, 1);
  log.say(EU, dueSnapshot(log.state)!);
  beat(log, 1);
  log.say(EU, { kind: 'cancel', decision: 5n, reason: '', actor: '' });
  log.say(EU, judged(log, { lagRecords: 20_000 }));
  const replayed = replayDecisions(log.records.slice(10));
  expect(replayed).toMatchObject({ unfolded: 990, entries: 4, decisions: 1, compared: 1 });
  expect(replayed.differences.map(({ at }) => at)).toEqual([log.state.sequence]);
  expect(replayDecisions(log.records.slice(10, 900))).toMatchObject({
    entries: 0,
    unfolded: 890,
    states: [],
  });
});

test('a snapshot of another state ends the replay, by name', () => {
  const log = ledByEu();
  log.say(US, { kind: 'flag', name: 'f', value: 'on', expected: 0n, actor: 'a' });
  while (dueSnapshot(log.state) === null) beat(log, 1);
  log.say(EU, dueSnapshot(log.state)!);
  beat(log, 2);
  const at = log.records.length - 3;
  const [flag] = log.records.filter(({ valueText }) => valueText!.includes('"flag"'));
  const tampered = log.records.map((record) =>
    record === flag ? { ...record, valueText: record.valueText!.replace('"on"', '"off"') } : record,
  );
  const replayed = replayDecisions(tampered);
  expect(replayed).toMatchObject({ entries: at + 1, unfolded: 2 });
  expect(replayed.differences).toMatchObject([
    { code: 'state-differs', offset: BigInt(at), recorded: null, recomputed: null },
  ]);
});

test('entries from before predictions and votes were recorded replay as ever, and leave the state as it was', () => {
  const log = ledByEu();
  const { state } = log;
  const { predicted, ...recorded } = moveInputsJson(moveInputs(state, decision(), seenShard()));
  expect(predicted).toBeUndefined();
  log.say(EU, decision({ inputs: recorded }));
  for (const observer of [US, AP])
    log.say(observer, { kind: 'vote', about: EU, opinion: 'unfit', kinds: ['canary'], evidence: 'gone' });
  const { votes, ...inputs } = failoverInputsJson(
    failoverInputs(
      log.state,
      EU,
      { automatic: 0, movable: 0, pause: null, shards: [] },
      DEFAULT_FAILOVER_POLICY,
    ),
  );
  expect(votes).toHaveLength(2);
  log.say(EU, { kind: 'held', term: 1n, region: EU, inputs, codes: ['automatic', 'candidate'] });
  expect(replayDecisions(log.records)).toMatchObject({ decisions: 2, compared: 2, differences: [] });
  expect(log.state).toMatchObject({ predictions: [], governed: [], held: [{ region: EU }] });
  const names = Object.keys(controlStateJson(log.state));
  expect(names.filter((name) => ['predictions', 'governed'].includes(name))).toEqual([]);
});

test('a decision with its prediction, and a failover with its votes, replay without a difference; other votes are found', () => {
  const log = ledByEu();
  const seen = seenShard();
  const foreseen = {
    move: 'switchover',
    to: US,
    seen,
    rules: [],
    foldRecordsPerSecond: 50,
    past: [],
  } as const;
  const predicted = predictMove(foreseen);
  const inputs = { ...moveInputs(log.state, decision(), seen), predicted };
  const { at } = log.say(EU, decision({ inputs: moveInputsJson(inputs) }));
  expect(log.state.predictions).toEqual([{ decision: at, predicted }]);
  log.say(US, { kind: 'vote', about: EU, opinion: 'unfit', kinds: ['canary'], evidence: 'gone' });
  const judgedNow = failoverInputsJson(
    failoverInputs(
      log.state,
      EU,
      { automatic: 1, movable: 1, pause: null, shards: [] },
      DEFAULT_FAILOVER_POLICY,
    ),
  );
  const held = { kind: 'held', term: 1n, region: EU, codes: ['agreed'] } as const;
  log.say(EU, { ...held, inputs: judgedNow });
  expect(replayDecisions(log.records)).toMatchObject({ decisions: 2, compared: 2, differences: [] });
  expect(log.state.governed).toMatchObject([{ act: 'held', region: EU, inputs: judgedNow }]);
  expect(readControlState(controlStateJson(log.state))).toEqual({ kind: 'value', value: log.state });
  log.say(EU, { ...held, inputs: { ...judgedNow, votes: [] } });
  expect(replayDecisions(log.records).differences).toMatchObject([
    { code: 'inputs-differ', detail: 'the log says otherwise of votes' },
  ]);
});

test('predictions are kept as long as their moves, and what cannot be read was not predicted', () => {
  const log = ledByEu();
  const foreseen = { move: 'switchover', to: US, rules: [], foldRecordsPerSecond: null, past: [] } as const;
  const predicted = predictMove({ ...foreseen, seen: seenShard() });
  const moveAndCancel = (inputs: object): void => {
    const { at } = log.say(EU, decision({ inputs: inputs as never }));
    log.say(EU, { kind: 'cancel', decision: at, reason: '', actor: '' });
  };
  moveAndCancel({ predicted: { ...predicted, gapMs: 'soon' } });
  expect(log.state.predictions).toEqual([]);
  for (let move = 0; move < FINISHED_MOVES_KEPT + 20; move += 1) moveAndCancel({ predicted });
  expect(log.state.finished).toHaveLength(FINISHED_MOVES_KEPT);
  expect(log.state.predictions.length).toBeLessThanOrEqual(FINISHED_MOVES_KEPT + 1);
  expect(log.state.predictions.at(-1)!.decision).toBe(log.state.finished.at(-1)!.decision);
});

test('a failover that accepts loss replays with the approval that stood, and not without one', () => {
  const lossy = { move: 'failover', acceptLoss: true, actor: 'anna' } as const;
  const behind = seenShard({ sequence: sequence(12n) }, { sequence: sequence(10n) });
  const decide = (log: ControlLog) => {
    const asked = decision(lossy);
    return log.say(EU, { ...asked, inputs: moveInputsJson(moveInputs(log.state, asked, behind)) });
  };
  const approved = ledByEu();
  const subject = lossSubjectOf({ shard: SHARD, to: US, expectedEpoch: epoch(1n) });
  const untilMs = approved.nowMs + 1_000;
  approved.say(AP, { kind: 'approval', subject, reason: 'seen', actor: 'bob', untilMs });
  expect(decide(approved)).toMatchObject({ verdict: 'accepted' });
  expect(replayDecisions(approved.records)).toMatchObject({ decisions: 1, compared: 1, differences: [] });

  const alone = ledByEu();
  decide(alone);
  expect(replayDecisions(alone.records).differences).toMatchObject([
    { code: 'judged-differently', recomputed: { refusedBy: ['approval'] } },
  ]);

  const concealed = ledByEu();
  concealed.say(AP, { kind: 'approval', subject, reason: 'seen', actor: 'bob', untilMs });
  const { approval, ...inputs } = moveInputsJson(moveInputs(concealed.state, decision(lossy), behind));
  expect(approval).toBe(5);
  concealed.say(EU, decision({ ...lossy, inputs }));
  expect(codesOf(concealed)).toEqual(['inputs-differ']);
});
