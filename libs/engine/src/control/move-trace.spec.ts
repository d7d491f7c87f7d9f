/** A move becomes one trace, with what its stages rested on, whoever carries it out and whoever began to read late. */
import { describe, expect, test } from '@jest/globals';
import {
  controlEntryText,
  DEFAULT_CONTROL_SETTINGS,
  EMPTY_CONTROL_STATE,
  epoch,
  foldControl,
  offset,
  type ControlCommand,
  type ControlState,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import type { MoveEnded } from '../ports/observer.js';
import { MoveNotes, moveSpan, spanBelow, stageSpan } from './move-trace.js';

const [EU, US, AP] = ['eu', 'us', 'ap'] as RegionName[] as [RegionName, RegionName, RegionName];
const LOG = 'log-1';
const SHARD = 'accounts/0' as ShardName;

/** A control log that several read: each folds it and notes what it sees. */
class Log {
  state: ControlState = EMPTY_CONTROL_STATE;
  readonly readers = [new MoveNotes()];
  private nowMs = 1_000_000;
  private number = 0n;

  /** @returns what each reader tells. */
  say(author: RegionName, command: ControlCommand): readonly (readonly MoveEnded[])[] {
    this.number += 1n;
    this.nowMs += 10;
    const session = { eu: 'e', us: '5', ap: 'a' }[author as string]!.repeat(32);
    const valueText = controlEntryText({
      author,
      session,
      number: this.number,
      clockMs: this.nowMs,
      command,
    });
    const record = { offset: offset(this.number), appendTimeMs: this.nowMs, valueText };
    const step = foldControl(this.state, record);
    if (step.kind === 'halted') throw new Error(step.detail);
    expect(step).toMatchObject({ verdict: 'accepted' });
    this.state = step.state;
    return this.readers.map((reader) => reader.note(LOG, step));
  }

  stage(event: 'caught-up' | 'fencing' | 'fenced' | 'folded' | 'canary' | 'open' | 'placed' | 'done') {
    const { decision, stage: from, term } = this.state.open[0]!;
    return this.say(EU, { kind: 'stage', term, decision, from, event, evidence: `seen: ${event}` });
  }
}

function led(): Log {
  const log = new Log();
  log.say(EU, { kind: 'genesis', members: [EU, US, AP], settings: DEFAULT_CONTROL_SETTINGS });
  log.say(US, { kind: 'join', replaces: null });
  log.say(AP, { kind: 'join', replaces: null });
  log.say(EU, { kind: 'claim', term: 1n, replaces: 0n });
  return log;
}

const decide = (log: Log, from: RegionName, to: RegionName) =>
  log.say(EU, {
    kind: 'decision',
    term: 1n,
    move: 'failover',
    shard: SHARD,
    from,
    to,
    expectedEpoch: epoch(1n),
    reason: 'us is unfit',
    actor: 'governor',
    acceptLoss: false,
    evacuation: null,
    inputs: {},
  });

const vote = (log: Log, author: RegionName, evidence: string) =>
  log.say(author, { kind: 'vote', about: US, opinion: 'unfit', kinds: ['canary', 'silent'], evidence });

const LAST = ['fenced', 'folded', 'canary', 'open', 'placed'] as const;

describe('the trace of a move', () => {
  test('has every stage with term, epoch and evidence, below one root, from the first doubt on', () => {
    const log = led();
    vote(log, AP, 'no answer');
    vote(log, EU, 'no heartbeat');
    decide(log, US, AP);
    for (const event of ['caught-up', 'fencing', ...LAST] as const) expect(log.stage(event)).toEqual([[]]);
    const [[move]] = log.stage('done') as [[MoveEnded]];
    const root = moveSpan(LOG, move.decision);
    expect(move).toMatchObject({
      kind: 'move-ended',
      move: 'failover',
      from: US,
      to: AP,
      outcome: 'done',
      span: root,
    });
    expect(move.stages.map(({ stage, term, epoch: at, evidence }) => [stage, term, at, evidence])).toEqual([
      ['doubted', 1n, 1n, 'ap: no answer; eu: no heartbeat'],
      ['decided', 1n, 1n, 'us is unfit'],
      ['caught-up', 1n, 1n, 'seen: caught-up'],
      ['fencing', 1n, 1n, 'seen: fencing'],
      ...[...LAST, 'done'].map((stage) => [stage, 1n, 2n, `seen: ${stage}`]),
    ]);
    const { stages } = move;
    expect(
      stages.every(({ span }) => span.parentSpanId === root.spanId && span.traceId === root.traceId),
    ).toBe(true);
    expect(new Set(stages.map(({ span }) => span.spanId)).size).toBe(stages.length);
    // Each lasts until the next; the first doubt is older than the decision.
    const times = stages.map(({ startedAtMs, endedAtMs }) => [startedAtMs, endedAtMs]);
    expect(times.map(([, end]) => end)).toEqual([...times.slice(1).map(([start]) => start), move.endedAtMs]);
    expect([move.startedAtMs, move.endedAtMs - move.startedAtMs]).toEqual([times[0]![0], 100]);
  });

  test('one who began to read behind its beginning names the same spans, and no evidence that it has not read', () => {
    const log = led();
    decide(log, US, AP);
    log.stage('caught-up');
    log.readers.push(new MoveNotes());
    for (const event of ['fencing', ...LAST] as const) log.stage(event);
    const [[early], [late]] = log.stage('done') as [[MoveEnded], [MoveEnded]];
    const idsOf = ({ span, stages }: MoveEnded) => [span, ...stages.map((stage) => stage.span)];
    expect(idsOf(late)).toEqual(idsOf(early));
    expect(late.stages.slice(0, 3).map(({ evidence, term }) => [evidence, term])).toEqual([
      [null, null],
      [null, null],
      ['seen: fencing', 1n],
    ]);
  });

  test('one that is cancelled is told with the reason, one before its fence in the old epoch', () => {
    const log = led();
    decide(log, US, AP);
    const { decision } = log.state.open[0]!;
    const [[move]] = log.say(AP, { kind: 'cancel', decision, reason: 'not now', actor: 'anna' }) as [
      [MoveEnded],
    ];
    expect(move.outcome).toBe('cancelled');
    expect(move.stages.at(-1)).toMatchObject({ stage: 'cancelled', epoch: 1n, evidence: 'not now' });
  });
});

test('spans of other moves, logs and stages are others', () => {
  const roots = [moveSpan(LOG, 7n), moveSpan(LOG, 8n), moveSpan('log-2', 7n)];
  const all = roots.flatMap((root) => [
    root,
    stageSpan(root, 9n),
    stageSpan(root, 10n),
    spanBelow(root, 'append'),
  ]);
  expect(new Set(all.map(({ spanId }) => spanId)).size).toBe(all.length);
  expect(new Set(all.map(({ traceId }) => traceId)).size).toBe(3);
  for (const { spanId, traceId } of all)
    expect(`${traceId} ${spanId}`).toMatch(/^[0-9a-f]{32} [0-9a-f]{16}$/);
});
