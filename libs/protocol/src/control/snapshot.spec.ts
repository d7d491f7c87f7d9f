/** Snapshots of the control log: where a coordinator starts, and what it does when its own state is another. */
import { describe, expect, test } from '@jest/globals';
import { offset } from '../identity/identity.js';
import { AP, decision, EU, ledByEu, session, US, type ControlLog } from './control.fixture.js';
import { controlEntryText } from './command.js';
import { foldControl, type ControlRecord } from './fold-control.js';
import { dueSnapshot, findControlStart, SNAPSHOT_INTERVAL } from './snapshot.js';
import { controlStateJson, EMPTY_CONTROL_STATE, readControlState, type ControlState } from './state.js';

function beatUntilDue(log: ControlLog): void {
  while (dueSnapshot(log.state) === null) log.say(EU, { kind: 'heartbeat', term: 1n });
}

function busyLog(): ControlLog {
  const log = ledByEu();
  log.say(EU, decision());
  log.say(US, {
    kind: 'pause',
    scope: 'all' as never,
    owner: 'anna',
    reason: 'r',
    untilMs: log.nowMs + 1_000_000,
  });
  log.say(US, { kind: 'approval', subject: 's', reason: '', actor: 'a', untilMs: log.nowMs + 1_000_000 });
  log.say(US, { kind: 'flag', name: 'f', value: 'v', expected: 0n, actor: 'a' });
  beatUntilDue(log);
  return log;
}

const foldAll = (state: ControlState, records: readonly ControlRecord[]): ControlState =>
  records.reduce((before, record) => {
    const step = foldControl(before, record);
    if (step.kind === 'halted') throw new Error(step.detail);
    return step.state;
  }, state);

/** Folds on from where a coordinator starts that sees these records. */
function startFrom(records: readonly ControlRecord[], isLogStart: boolean): ControlState {
  const start = findControlStart(records, isLogStart);
  if (start.kind !== 'start') throw new Error(start.kind);
  return foldAll(
    start.state,
    records.filter((record) => record.offset > start.state.offset),
  );
}

test('a snapshot is due every 1,000 entries, and its state reads back as it was', () => {
  const log = busyLog();
  expect(log.state.sequence).toBe(SNAPSHOT_INTERVAL);
  expect(readControlState(controlStateJson(log.state))).toEqual({ kind: 'value', value: log.state });
  log.say(EU, dueSnapshot(log.state)!);
  expect(log.state.snapshotAt).toBe(SNAPSHOT_INTERVAL + 1n);
  expect(dueSnapshot(log.state)).toBeNull();
});

describe('a coordinator that starts', () => {
  test('takes the latest snapshot and folds to the state of those that folded everything', () => {
    const log = busyLog();
    log.say(EU, dueSnapshot(log.state)!);
    log.say(AP, { kind: 'flag', name: 'g', value: 'v', expected: 0n, actor: 'a' });
    const tail = log.records.slice(-10);
    expect(startFrom(tail, false)).toEqual(log.state);
    expect(startFrom(log.records, true)).toEqual(log.state);
    expect(startFrom(tail.slice(-2), false)).toEqual(log.state);
  });

  test('passes over a snapshot that another entry slipped before', () => {
    const log = busyLog();
    const snapshot = dueSnapshot(log.state)!;
    log.say(AP, { kind: 'fact', what: 'slipped in', detail: '' });
    expect(log.say(EU, snapshot)).toMatchObject({ verdict: 'superseded' });
    expect(findControlStart(log.records.slice(-5), false)).toEqual({ kind: 'look-further-back' });
    // The first record that is left: what stood before it cannot be seen, its offset says that something did.
    expect(findControlStart(log.records.slice(-1), true)).toMatchObject({ kind: 'lost' });
    expect(startFrom(log.records, true)).toEqual(log.state);
  });

  test('passes over a snapshot that its author had no right to make, or that is damaged', () => {
    const log = busyLog();
    const snapshot = dueSnapshot(log.state)!;
    log.say(AP, snapshot);
    log.say(EU, { ...dueSnapshot(log.state)!, hash: '0'.repeat(32) });
    expect(findControlStart(log.records.slice(-5), false)).toEqual({ kind: 'look-further-back' });
  });

  test('begins with the first record of a log that has no snapshot, and with nothing of an empty one', () => {
    expect(startFrom(ledByEu().records, true)).toEqual(ledByEu().state);
    expect(findControlStart([], true)).toEqual({ kind: 'start', state: EMPTY_CONTROL_STATE });
  });

  test('says so when the log lost its beginning and holds no snapshot', () => {
    expect(findControlStart(ledByEu().records.slice(1), true)).toEqual({
      kind: 'lost',
      detail: 'the control log begins at offset 1 and holds no usable snapshot',
    });
  });
});

test('a coordinator whose state is another halts by name at the snapshot', () => {
  const log = busyLog();
  const other = { ...log.state, flags: [] };
  const text = controlEntryText({
    author: EU,
    session: session('e'),
    number: 9_999n,
    clockMs: log.nowMs,
    command: dueSnapshot(log.state)!,
  });
  const record = { offset: offset(1_000n), appendTimeMs: log.nowMs, valueText: text };
  expect(foldControl(other, record)).toMatchObject({ kind: 'halted', code: 'control-state-differs' });
  expect(foldControl(log.state, record)).toMatchObject({ kind: 'folded', verdict: 'accepted' });
});
