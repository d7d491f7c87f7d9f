import { expect, test } from '@jest/globals';
import { decision, EU, ledByEu, SHARD, US } from '../control/control.fixture.js';
import type { ControlCommandOf } from '../control/command.js';
import type { ControlState } from '../control/state.js';
import { epoch } from '../identity/identity.js';
import { reconnection, type ShardSight } from './reconnection.js';

const EMPTY = ledByEu().state;

/** As the home's gateway sees it, all being well. */
const sight = (change: Partial<ShardSight> = {}): ShardSight => ({
  shard: SHARD,
  region: EU,
  home: EU,
  epoch: epoch(1n),
  isHomeHeard: true,
  isHalted: false,
  hasManyWriters: false,
  openFirst: null,
  control: EMPTY,
  ...change,
});

type StageOf = ControlCommandOf<'stage'>['from'];
const PREDICTED = {
  lostEntries: 0,
  atRisk: { logged: 0, accepted: 0, quorum: 0 },
  recordsToFold: 0,
  foldRecordsPerSecond: null,
  catchUpMs: 0,
  gapMs: 5_000,
  gapMsWorst: 9_000,
  measuredMoves: 3,
};

/** A move from eu to us that has passed these stages, a second each. */
function moving(
  move: 'switchover' | 'failover',
  events: readonly ControlCommandOf<'stage'>['event'][],
  inputs: object = { predicted: PREDICTED },
): ControlState {
  const log = ledByEu();
  const { at } = log.say(EU, decision({ move, inputs: inputs as never }));
  let from: StageOf = 'decided';
  for (const event of events) {
    log.nowMs += 1_000;
    const command = { kind: 'stage', term: 1n, decision: at, from, event, evidence: 'seen' } as const;
    expect(log.say(EU, command)).toMatchObject({ reason: null });
    from = log.state.open[0]?.stage ?? from;
  }
  return log.state;
}

const TAKEN = { reason: null, afterMs: 0, withinMs: 3_000 };

test('where nothing is in the way, writes are taken by the home and brought to it by others', () => {
  expect(reconnection(sight())).toEqual({ ...TAKEN, writes: 'here', sinceMs: null, move: null });
  expect(reconnection(sight({ region: US }))).toMatchObject({ ...TAKEN, writes: 'forwarded' });
  expect(reconnection(sight({ region: US, hasManyWriters: true }))).toMatchObject({ writes: 'here' });
  // A region that only passes writes on needs neither its own fold nor the control log for it.
  expect(reconnection(sight({ region: US, isHalted: true, control: null }))).toMatchObject(TAKEN);
});

test.each<[string, Partial<ShardSight>, object]>([
  ['no home is known', { home: null, epoch: null }, { writes: 'refused', reason: 'home-not-known' }],
  ['the home is halted', { isHalted: true }, { writes: 'refused', reason: 'halted' }],
  [
    'a region that appends itself is halted',
    { region: US, hasManyWriters: true, isHalted: true },
    { writes: 'refused', reason: 'halted' },
  ],
  [
    'the home is not heard',
    { region: US, isHomeHeard: false },
    { writes: 'waiting', reason: 'home-not-heard' },
  ],
])('where %s a client waits for a while and comes back within a window', (_, change, told) => {
  expect(reconnection(sight(change))).toMatchObject({ ...told, afterMs: 1_000, withinMs: 3_000 });
});

test('while a shard moves, what remains of the predicted time is told, and never less than a moment', () => {
  const first = moving('switchover', ['caught-up', 'parked']);
  expect(reconnection(sight({ control: first }))).toMatchObject({
    writes: 'waiting',
    reason: 'moving',
    afterMs: 5_000,
    move: { to: US, stage: 'parked' },
  });
  const later = moving('switchover', ['caught-up', 'parked', 'drained', 'fencing']);
  expect(reconnection(sight({ control: later }))).toMatchObject({ writes: 'waiting', afterMs: 3_000 });
  const late = { ...later, logTimeMs: later.logTimeMs + 60_000 };
  expect(reconnection(sight({ control: late }))).toMatchObject({ writes: 'waiting', afterMs: 1_000 });
});

test('a time that was not predicted is not told', () => {
  const control = moving('switchover', ['caught-up', 'parked'], {});
  expect(reconnection(sight({ control }))).toMatchObject({ writes: 'waiting', afterMs: 1_000 });
});

test('before its home may own no more, and once the next one is known, a move holds nothing up', () => {
  expect(reconnection(sight({ control: moving('switchover', ['caught-up']) }))).toMatchObject(TAKEN);
  expect(reconnection(sight({ control: moving('failover', ['caught-up']) }))).toMatchObject(TAKEN);
  const fenced = moving('failover', ['caught-up', 'fencing', 'fenced']);
  expect(reconnection(sight({ control: fenced }))).toMatchObject({ writes: 'waiting' });
  expect(reconnection(sight({ control: fenced, home: US, epoch: epoch(2n) }))).toMatchObject({
    ...TAKEN,
    writes: 'forwarded',
    sinceMs: null,
  });
});

test('a new home that takes a share of the writes first keeps the others waiting', () => {
  const stages = ['caught-up', 'fencing', 'fenced', 'folded', 'canary', 'share', 'open'] as const;
  const told = (passed: number): unknown => {
    const control = moving('failover', stages.slice(0, passed));
    const opening = sight({ control, home: US, epoch: epoch(2n), openFirst: 10 });
    expect(reconnection({ ...opening, openFirst: null }).reason).toBeNull();
    return reconnection(opening).reason;
  };
  expect([3, 4, 5, 6, 7].map(told)).toEqual(['opening', 'opening', 'opening', 'opening', null]);
});

test('a home is home since it opened, as far as the control log remembers', () => {
  const done = ['caught-up', 'fencing', 'fenced', 'folded', 'canary', 'open', 'placed', 'done'] as const;
  const control = moving('failover', done);
  const openedMs = control.finished[0]!.passed.find(({ stage }) => stage === 'open')!.atMs;
  const here = sight({ control, region: US, home: US, epoch: epoch(2n) });
  expect(reconnection(here)).toMatchObject({ writes: 'here', sinceMs: openedMs, move: null });
  expect(reconnection({ ...here, epoch: epoch(3n) }).sinceMs).toBeNull();
});
