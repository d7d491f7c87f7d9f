/** One move, step by step: what the leader does, what it waits for, and what it never does. */
import { describe, expect, test } from '@jest/globals';
import { AP, decision, EU, ledByEu, SHARD, US, type ControlLog } from '../control/control.fixture.js';
import { epoch, sequence } from '../identity/identity.js';
import {
  ACT_AGAIN_MS,
  decideMove,
  FALL_BACK_AFTER_MS,
  OUTBOX_DRAIN_MS_MAX,
  parkingOf,
  PLACING_MS_MAX,
  SHARE_MS,
  STAGE_MS_MAX,
  UNDRAINED_MAX,
  type MoveStep,
  type MoveView,
} from './decide-move.js';
import { duePauses } from './pause.js';
import { HOLD_MS_MAX } from './preflight.js';
import { seenShard, view } from './promotion.fixture.js';

const next = (log: ControlLog, change: Partial<MoveView> = {}): MoveStep =>
  decideMove(log.state, log.state.open[0]!, view(change));

/** Appends what the leader decides; anything but an entry of the control log is a defect of the spec. */
function follow(log: ControlLog, change: Partial<MoveView> = {}, leader = EU): string {
  const step = next(log, change);
  if (step.kind !== 'append')
    throw new Error(
      `${step.kind} ${JSON.stringify(step, (_n, v: unknown) => (typeof v === 'bigint' ? Number(v) : v))}`,
    );
  expect(log.say(leader, step.command)).toMatchObject({ verdict: 'accepted' });
  return log.state.open[0]?.stage ?? log.state.finished.at(-1)!.outcome;
}

const held = { heldSinceMs: 0 };
const moved = { epoch: epoch(2n), home: US, term: 1n, decision: 5n };

function decidedLog(move: 'switchover' | 'failover' = 'switchover'): ControlLog {
  const log = ledByEu();
  expect(log.say(EU, decision({ move }))).toMatchObject({ verdict: 'accepted', at: 5n });
  return log;
}

function fencing(): ControlLog {
  const log = decidedLog('failover');
  expect(follow(log)).toBe('caught-up');
  expect(follow(log)).toBe('fencing');
  return log;
}

test('a switchover parks, drains, fences, awaits the fold and a canary, and opens (I13)', () => {
  const log = decidedLog();
  expect(follow(log)).toBe('caught-up');
  expect(follow(log)).toBe('parked');
  expect(next(log, { ...held, seen: seenShard({ lagRecords: 1 }) })).toMatchObject({
    kind: 'wait',
    untilMs: 2_000,
  });
  expect(follow(log, held)).toBe('drained');
  expect(follow(log, held)).toBe('fencing');
  expect(next(log)).toEqual({
    kind: 'append-entry',
    shard: SHARD,
    entry: { kind: 'fence', expectedEpoch: 1n, epoch: 2n, home: US, term: 1n, decision: 5n },
    timeoutMs: 5_000,
  });
  // The former home folded it first: it is fenced, and nobody may open yet.
  const seen = seenShard({ ...moved, sequence: sequence(11n) }, {});
  expect(follow(log, { seen })).toBe('fenced');
  expect(next(log, { seen })).toMatchObject({ kind: 'wait' });
  const folded = seenShard(moved);
  expect(follow(log, { seen: folded })).toBe('folded');
  expect(next(log, { seen: folded })).toEqual({ kind: 'probe', shard: SHARD, region: US });
  const canary = { sequence: sequence(12n), isAtQuorum: false };
  expect(next(log, { seen: folded, canary })).toMatchObject({ kind: 'wait' });
  expect(follow(log, { seen: folded, canary: { ...canary, isAtQuorum: true } })).toBe('canary');
  expect(follow(log, { seen: folded })).toBe('open');
  expect(next(log, { seen: folded })).toEqual({ kind: 'place-leader', shard: SHARD, region: US });
  const leader = { kind: 'placed', broker: 2 } as const;
  expect(follow(log, { seen: folded, leader })).toBe('placed');
  expect(follow(log, { seen: folded, leader })).toBe('done');
  expect(log.state.finished[0]!.detail).toBe('us is home; broker 2 in us leads its log');
});

test('a failover neither parks nor needs the home', () => {
  const log = decidedLog('failover');
  const { regions, ...rest } = seenShard();
  const seen = {
    ...rest,
    regions: regions.map((one) => (one.region === EU ? { ...one, isConnected: false } : one)),
  };
  expect(follow(log, { seen })).toBe('caught-up');
  expect(follow(log, { seen })).toBe('fencing');
});

describe('a new home that gets no further behind its fence', () => {
  const stuck = seenShard({ ...moved, sequence: sequence(11n) }, {});
  const late = { nowMs: FALL_BACK_AFTER_MS, isAutomatic: true };

  function fenced(change: Partial<Parameters<typeof decision>[0]> = {}): ControlLog {
    const log = ledByEu();
    log.say(EU, decision({ move: 'failover', ...change }));
    for (const seen of [seenShard(), seenShard(), stuck]) follow(log, { seen });
    expect(log.state.open[0]!.stage).toBe('fenced');
    return log;
  }

  test('is left for a region that has folded the fence, after a while', () => {
    const log = fenced();
    expect(next(log, { ...late, nowMs: FALL_BACK_AFTER_MS - 1, seen: stuck })).toMatchObject({
      kind: 'wait',
    });
    const step = next(log, { ...late, seen: stuck });
    expect(step).toEqual({
      kind: 'fall-back',
      shard: SHARD,
      to: EU,
      reason: 'us did not fold its fence for 10000 ms',
    });
    expect(next(log, { ...late, seen: stuck, actedAtMs: late.nowMs })).toMatchObject({
      kind: 'wait',
      untilMs: late.nowMs + ACT_AGAIN_MS,
    });
  });

  test('is left when what it writes comes to no quorum', () => {
    const log = fenced();
    const seen = seenShard(moved);
    expect(follow(log, { seen })).toBe('folded');
    expect(next(log, { ...late, seen })).toMatchObject({ kind: 'fall-back', to: EU });
    const canary = { sequence: sequence(12n), isAtQuorum: false };
    expect(next(log, { ...late, seen, canary })).toMatchObject({ kind: 'fall-back', to: EU });
    expect(follow(log, { ...late, seen, canary: { ...canary, isAtQuorum: true } })).toBe('canary');
  });

  test.each([
    ['a person decides the failovers of the dataset', {}, { ...late, isAutomatic: false, seen: stuck }],
    ['no other region has folded the fence', {}, { ...late, seen: seenShard() }],
    ['the move was itself such a change', { actor: 'governor' }, { ...late, seen: stuck }],
  ])('is waited for where %s', (_why, change, view) => {
    expect(next(fenced(change), view)).toMatchObject({ kind: 'wait' });
  });

  test('is waited for where others find all regions but it unfit, and where the move is paused', () => {
    const doubted = fenced();
    doubted.say(AP, { kind: 'vote', about: EU, opinion: 'unfit', kinds: ['canary'], evidence: '' });
    expect(next(doubted, { ...late, seen: stuck })).toMatchObject({ kind: 'wait' });
    const paused = fenced();
    const untilMs = paused.nowMs + 1;
    paused.say(AP, { kind: 'pause', scope: 'region:eu' as never, owner: 'a', reason: 'r', untilMs });
    expect(next(paused, { ...late, seen: stuck })).toMatchObject({ kind: 'wait' });
  });
});

describe('a new home that takes a share of the writes first', () => {
  const seen = seenShard(moved);
  const entry = { sequence: sequence(12n), isAtQuorum: false };
  const proven = { ...entry, isAtQuorum: true };
  const shared = (change: Partial<MoveView> = {}): Partial<MoveView> => ({ seen, openFirst: 10, ...change });

  function sharing(): ControlLog {
    const log = fencing();
    for (const stage of ['fenced', 'folded'] as const) expect(follow(log, shared())).toBe(stage);
    expect(follow(log, shared({ canary: proven }))).toBe('canary');
    expect(follow(log, shared())).toBe('share');
    return log;
  }

  test('is watched for a while, asked for a probe where nobody writes, and opened for all by what came to quorum behind it', () => {
    const log = sharing();
    expect(next(log, shared())).toMatchObject({ kind: 'wait', untilMs: SHARE_MS });
    const watched = shared({ nowMs: SHARE_MS });
    expect(next(log, watched)).toEqual({ kind: 'probe', shard: SHARD, region: US });
    expect(next(log, { ...watched, actedAtMs: SHARE_MS })).toMatchObject({
      untilMs: SHARE_MS + ACT_AGAIN_MS,
    });
    expect(next(log, { ...watched, canary: entry })).toMatchObject({ kind: 'wait' });
    expect(follow(log, { ...watched, canary: proven })).toBe('open');
    expect(log.state.open[0]!.passed.map(({ stage }) => stage).slice(-3)).toEqual([
      'canary',
      'share',
      'open',
    ]);
  });

  test('is not opened while it falls behind', () => {
    const log = sharing();
    for (const lagRecords of [10_001, null]) {
      const behind = seenShard(moved, { ...moved, lagRecords });
      const step = next(log, shared({ seen: behind, nowMs: SHARE_MS, canary: proven }));
      expect(step).toMatchObject({ kind: 'wait', reason: expect.stringContaining('lags') });
    }
  });

  test('is left for another region when it does not sustain them', () => {
    const late = { nowMs: FALL_BACK_AFTER_MS, isAutomatic: true };
    const log = sharing();
    const step = next(log, shared({ ...late, canary: entry }));
    expect(step).toMatchObject({ kind: 'fall-back', to: EU });
    expect(next(log, shared({ ...late, isAutomatic: false, canary: entry }))).toMatchObject({ kind: 'wait' });
  });
});

describe('before the fence', () => {
  test.each([
    ['lags', { lagRecords: 10_001 }],
    ['does not know its lag', { lagRecords: null }],
    ['is halted', { halted: 'fold-failed' }],
    ['withholds its vote', { withheld: 'unverified' }],
  ])('a candidate that %s is awaited, and given up after a while', (_what, us) => {
    const log = decidedLog();
    const seen = seenShard({}, us);
    expect(next(log, { seen })).toMatchObject({ kind: 'wait', untilMs: STAGE_MS_MAX });
    expect(follow(log, { seen, nowMs: STAGE_MS_MAX })).toBe('cancelled');
  });

  test('held writes that were let go are held again, three times at most', () => {
    const log = decidedLog();
    follow(log);
    for (let time = 0; time < UNDRAINED_MAX; time += 1) {
      expect(follow(log)).toBe('parked');
      expect(follow(log, { ...held, nowMs: 2_000 })).toBe('caught-up');
    }
    expect(follow(log)).toBe('cancelled');
  });

  test('another owner is another owner: the move is lost', () => {
    const log = decidedLog();
    expect(follow(log, { seen: seenShard({ epoch: epoch(2n), home: AP }) })).toBe('lost');
  });
});

/** What the leader says of a step, or waits for. */
function wordsOf(step: MoveStep): string {
  if (step.kind === 'wait') return step.reason;
  if (step.kind !== 'append' || step.command.kind !== 'stage') throw new Error(step.kind);
  return `${step.command.event}: ${step.command.evidence}`;
}

describe('of what it decides the leader says why', () => {
  test('through a switchover', () => {
    const log = decidedLog();
    const say = (change: Partial<MoveView> = {}): string => {
      const words = wordsOf(next(log, change));
      follow(log, change);
      return words;
    };
    const seen = seenShard(moved);
    const canary = { sequence: sequence(12n), isAtQuorum: true };
    expect(say()).toBe('caught-up: us lags 0 records');
    expect(say()).toBe('parked: the gateways of eu hold new writes');
    expect(wordsOf(next(log, { ...held, seen: seenShard({ lagRecords: 1 }) }))).toBe('the log is drained');
    expect(say(held)).toBe('drained: eu and us are at 10');
    expect(say(held)).toBe('fencing: us lags 0 records');
    expect(wordsOf(next(log, { actedAtMs: 0 }))).toBe('the fence is on its way');
    expect(say({ seen })).toBe('fenced: us owns epoch 2');
    expect(wordsOf(next(log, { seen: seenShard(moved, {}) }))).toBe(
      'us has not folded its fence; if it is lost, decide a failover to a further epoch',
    );
    expect(say({ seen })).toBe('folded: us has folded epoch 2 at 10');
    expect(wordsOf(next(log, { seen, actedAtMs: 0 }))).toBe('us is asked for a probe');
    expect(wordsOf(next(log, { seen, canary: { ...canary, isAtQuorum: false } }))).toBe(
      'probe 12 is not at quorum yet',
    );
    expect(say({ seen, canary })).toBe('canary: probe 12 is at quorum');
    expect(say({ seen })).toBe('open: us takes writes');
    const leader = { kind: 'placed', broker: 2 } as const;
    expect(next(log, { seen })).toMatchObject({ kind: 'place-leader', region: US });
    expect(wordsOf(next(log, { seen, actedAtMs: 0 }))).toBe("the log's leader is asked to us");
    expect(say({ seen, leader })).toBe('placed: broker 2 in us leads its log');
    expect(say({ seen, leader })).toBe('done: us is home; broker 2 in us leads its log');
  });

  test('where it goes back, gives up or has lost', () => {
    const lagging = seenShard({}, { lagRecords: 10_001 });
    const log = decidedLog();
    expect(wordsOf(next(log, { seen: lagging }))).toBe('us: lag (10001 records behind)');
    expect(wordsOf(next(log, { seen: seenShard({}, { lagRecords: null }) }))).toBe('us: lag');
    expect(wordsOf(next(log, { seen: lagging, nowMs: STAGE_MS_MAX }))).toBe(
      'abort: given up after 30000 ms: us: lag (10001 records behind)',
    );
    const overtaken = { seen: seenShard({ epoch: epoch(2n), home: AP }) };
    expect(wordsOf(next(log, overtaken))).toBe('lost: ap owns epoch 2');
    expect(wordsOf(next(fencing(), overtaken))).toBe('lost: ap owns epoch 2');
    const earlier = seenShard({ epoch: epoch(0n) });
    expect(next(log, { seen: earlier })).toEqual({
      kind: 'wait',
      reason: 'no region has told epoch 1 of accounts/0',
      untilMs: null,
    });
    follow(log);
    follow(log);
    expect(wordsOf(next(log))).toBe('undrained: held writes were let go');
    expect(wordsOf(next(log, { ...held, seen: lagging }))).toBe('undrained: us: lag');
    follow(log, held);
    expect(wordsOf(next(log))).toBe('undrained: held writes were let go');
    expect(wordsOf(next(log, { ...held, seen: lagging }))).toBe('undrained: us: lag');
    follow(log);
    for (let time = 1; time < UNDRAINED_MAX; time += 1) {
      follow(log);
      follow(log);
    }
    expect(wordsOf(next(log))).toBe('abort: did not drain in 3 tries');
  });

  test('where a failover goes on, and where one is withdrawn', () => {
    const log = decidedLog('failover');
    follow(log);
    expect(wordsOf(next(log))).toBe('fencing: us lags 0 records');
    follow(log);
    const { at } = log.say(AP, { kind: 'cancel', decision: 5n, reason: '', actor: '' });
    expect(wordsOf(next(log, { actedAtMs: 0 }))).toBe('the term entry is on its way');
    // Of this term, and not behind the withdrawal: an older fence may still win.
    expect(next(log, { seen: seenShard({ term: 1n, decision: at - 1n }) })).toMatchObject({
      kind: 'append-entry',
    });
    const settled = { seen: seenShard({ term: 1n, decision: at }) };
    expect(wordsOf(next(log, settled))).toBe('withdrawn: epoch 1 behind the term entry');
    expect(wordsOf(next(log, { seen: seenShard({ term: 2n, decision: 0n }) }))).toContain('withdrawn');
    const overtaken = { term: 2n, decision: 0n, epoch: epoch(3n), home: US };
    expect(wordsOf(next(log, { seen: seenShard(overtaken) }))).toBe('lost: us owns epoch 3');
  });
});

test('is drained only when home and candidate have folded everything, the candidate no less than the home', () => {
  const log = decidedLog();
  follow(log);
  follow(log);
  const undrained: readonly Parameters<typeof seenShard>[] = [
    [{ lagRecords: 1 }, {}],
    [{}, { lagRecords: 1 }],
    [{ sequence: sequence(11n) }, {}],
  ];
  for (const told of undrained)
    expect(next(log, { ...held, seen: seenShard(...told) })).toMatchObject({ kind: 'wait' });
  const { regions, ...rest } = seenShard();
  const homeless = {
    ...rest,
    regions: regions.map((one) => (one.region === EU ? { ...one, told: null } : one)),
  };
  expect(next(log, { ...held, seen: homeless })).toMatchObject({ kind: 'wait' });
  expect(follow(log, { ...held, seen: seenShard({}, { sequence: sequence(11n) }) })).toBe('drained');
});

describe('a home with an outbox', () => {
  const PARKED = '5 0';
  const asked = (pending: number, parkedFor: string | null = PARKED) =>
    ({ kind: 'told', parkedFor, pending }) as const;
  const parked = (): ControlLog => {
    const log = decidedLog();
    follow(log);
    expect(follow(log)).toBe('parked');
    return log;
  };
  const evidence = (log: ControlLog, change: Partial<MoveView>): string => {
    const step = next(log, { ...held, ...change });
    if (step.kind !== 'append' || step.command.kind !== 'stage') throw new Error(`${step.kind} is no report`);
    return `${step.command.event}: ${step.command.evidence}`;
  };

  test('is asked until it has nothing pending, and only then is the log drained', () => {
    const log = parked();
    expect(next(log, { ...held, outbox: null })).toEqual({ kind: 'ask-outbox', shard: SHARD, region: EU });
    const acted = { ...held, actedAtMs: 10, nowMs: 50 };
    expect(next(log, { ...acted, outbox: asked(3) })).toMatchObject({ kind: 'wait', untilMs: 110 });
    expect(next(log, { ...acted, nowMs: 110, outbox: asked(3) })).toMatchObject({ kind: 'ask-outbox' });
    expect(evidence(log, { outbox: asked(0) })).toBe(
      'drained: eu and us are at 10; the outbox of eu is empty',
    );
    const behind = seenShard({}, { lagRecords: 1 });
    expect(next(log, { ...held, outbox: asked(0), seen: behind })).toMatchObject({ kind: 'wait' });
  });

  test.each([
    ['it takes what services save', asked(0, null)],
    ['it was parked for an earlier try', asked(0, '4 2')],
    ['it does not answer', { kind: 'unknown', code: 'outbox-unanswered' }],
  ] as const)('that has nothing pending proves nothing while %s', (_why, outbox) => {
    expect(next(parked(), { ...held, outbox })).toMatchObject({ kind: 'ask-outbox' });
  });

  test.each([
    ['entries are left', asked(3), '3 entries are left in the outbox of eu, the fence quarantines them'],
    [
      'it was not parked',
      asked(0, null),
      'the outbox of eu was not parked, the fence quarantines what it holds',
    ],
    [
      'it does not answer',
      { kind: 'unknown', code: 'outbox-unanswered' },
      'what the outbox of eu holds is not known, the fence quarantines it',
    ],
    ['it was never asked', null, 'what the outbox of eu holds is not known, the fence quarantines it'],
  ] as const)(
    'holds a move for a bounded time only, and its record says what is left: %s',
    (_why, outbox, words) => {
      const late = { nowMs: OUTBOX_DRAIN_MS_MAX, outbox };
      expect(evidence(parked(), late)).toBe(`drained: eu and us are at 10; ${words}`);
      expect(OUTBOX_DRAIN_MS_MAX).toBeLessThan(HOLD_MS_MAX);
    },
  );

  test('parked again after it was let go, it is parked anew', () => {
    const log = parked();
    const [first] = log.state.open;
    expect(follow(log)).toBe('caught-up');
    expect(follow(log)).toBe('parked');
    expect(parkingOf(first!)).toBe(PARKED);
    expect(parkingOf(log.state.open[0]!)).toBe('5 1');
    expect(next(log, { ...held, outbox: asked(0) })).toMatchObject({ kind: 'ask-outbox' });
  });

  test('is not asked in a failover', () => {
    const log = decidedLog('failover');
    follow(log, { outbox: null });
    expect(evidence(log, { outbox: null })).toBe('fencing: us lags 0 records');
  });
});

test('a candidate that lags as much as is allowed is caught up', () => {
  expect(follow(decidedLog(), { seen: seenShard({}, { lagRecords: 10_000 }) })).toBe('caught-up');
});

describe('behind the fence', () => {
  const fenced = (): ControlLog => {
    const log = fencing();
    expect(follow(log, { seen: seenShard(moved) })).toBe('fenced');
    return log;
  };

  test.each([
    ['has told nothing', null],
    ['has folded another home into that epoch', { home: AP }],
    ['is still in the epoch before', { epoch: epoch(1n) }],
  ])('a candidate that %s is awaited', (_what, told) => {
    const { regions, ...rest } = seenShard(moved);
    const seen = {
      ...rest,
      regions: regions.map((one) =>
        one.region === US ? { ...one, told: told === null ? null : { ...one.told!, ...told } } : one,
      ),
    };
    expect(next(fenced(), { seen })).toMatchObject({ kind: 'wait' });
  });

  test('a further epoch ends the move, and its own does not', () => {
    const log = fenced();
    expect(wordsOf(next(log, { seen: seenShard({ epoch: epoch(3n), home: AP }) }))).toBe(
      'lost: ap owns epoch 3',
    );
    expect(next(log, { seen: seenShard(moved) })).toMatchObject({ command: { event: 'folded' } });
  });
});

describe('while the fence is on its way', () => {
  test('another region that has the next epoch has won', () => {
    expect(follow(fencing(), { seen: seenShard({ epoch: epoch(2n), home: AP }) })).toBe('lost');
  });

  test('it is sent again when nothing was seen of it', () => {
    const log = fencing();
    expect(next(log, { actedAtMs: 0, nowMs: 999 })).toMatchObject({ kind: 'wait', untilMs: 1_000 });
    expect(next(log, { actedAtMs: 0, nowMs: 1_000 })).toMatchObject({ kind: 'append-entry' });
  });

  test.each(['cancelled', 'fenced'] as const)(
    'a pause is confirmed when a term entry has decided that it is %s',
    (outcome) => {
      const log = fencing();
      const { at } = log.say(AP, {
        kind: 'pause',
        scope: 'all' as never,
        owner: 'a',
        reason: 'r',
        untilMs: log.nowMs + 60_000,
      });
      expect(duePauses(log.state)).toEqual([]);
      const term = { kind: 'term', term: 1n, decision: at };
      expect(next(log)).toMatchObject({ kind: 'append-entry', entry: term });
      const settled = outcome === 'fenced' ? { ...moved, decision: at } : { term: 1n, decision: at };
      expect(follow(log, { seen: seenShard(settled) })).toBe(outcome);
      expect(duePauses(log.state)).toEqual([{ kind: 'paused', term: 1n, pause: at }]);
    },
  );

  test('a later term adopts it, settles the shard below its own fence, and goes on', () => {
    const log = fencing();
    log.say(EU, { kind: 'resign', term: 1n });
    log.say(US, { kind: 'claim', term: 2n, replaces: 1n });
    expect(next(log)).toEqual({ kind: 'append', command: { kind: 'adopt', term: 2n, decision: 5n } });
    follow(log, {}, US);
    expect(next(log)).toMatchObject({
      kind: 'append-entry',
      entry: { kind: 'term', term: 2n, decision: 0n },
    });
    const settled = seenShard({ term: 2n, decision: 0n });
    expect(next(log, { seen: settled })).toMatchObject({
      kind: 'append-entry',
      entry: { kind: 'fence', term: 2n, decision: 5n },
    });
    // The older fence stood before the term entry: it won.
    expect(follow(log, { seen: seenShard({ ...moved, term: 2n, decision: 0n }) }, US)).toBe('fenced');
  });
});

describe('the leader of the log', () => {
  const seen = seenShard(moved);
  const opened = (): ControlLog => {
    const log = fencing();
    for (const stage of ['fenced', 'folded'] as const) expect(follow(log, { seen })).toBe(stage);
    expect(follow(log, { seen, canary: { sequence: sequence(12n), isAtQuorum: true } })).toBe('canary');
    expect(follow(log, { seen })).toBe('open');
    return log;
  };

  test.each([
    [{ kind: 'preferred', broker: 2 }, 'broker 2 in us leads its log as soon as it is in sync'],
    [{ kind: 'no-replica' }, 'the leader of its log stays: no broker in us holds a replica'],
  ] as const)('that is %j is not asked for again, and the move tells so', (leader, told) => {
    const log = opened();
    expect(follow(log, { seen, leader })).toBe('placed');
    expect(follow(log, { seen, leader })).toBe('done');
    expect(log.state.finished[0]!.detail).toBe(`us is home; ${told}`);
  });

  test.each([
    ['failed', 'the leader of its log stays: log-unreachable'],
    ['unknown', 'where the leader of its log is, is not known: log-unreachable'],
  ] as const)(
    'that could not be placed (%s) is asked for again, and the move ends without it',
    (kind, told) => {
      const log = opened();
      const leader = { kind, code: 'log-unreachable' };
      const asked = { seen, leader, actedAtMs: 0 };
      expect(next(log, { ...asked, nowMs: ACT_AGAIN_MS - 1 })).toMatchObject({
        kind: 'wait',
        untilMs: ACT_AGAIN_MS,
      });
      expect(next(log, { ...asked, nowMs: ACT_AGAIN_MS })).toMatchObject({ kind: 'place-leader' });
      expect(follow(log, { ...asked, nowMs: PLACING_MS_MAX })).toBe('placed');
      expect(follow(log, { ...asked, nowMs: PLACING_MS_MAX })).toBe('done');
      expect(log.state.finished[0]!.detail).toBe(`us is home; ${told}`);
    },
  );

  test('is asked for again by whoever takes the move over behind that stage', () => {
    const log = opened();
    const leader = { kind: 'placed', broker: 2 } as const;
    expect(follow(log, { seen, leader })).toBe('placed');
    expect(next(log, { seen })).toMatchObject({ kind: 'place-leader' });
    expect(follow(log, { seen, leader })).toBe('done');
  });
});

test('nothing is decided from nothing', () => {
  const log = decidedLog();
  const { regions, ...rest } = seenShard();
  expect(
    next(log, { seen: { ...rest, regions: regions.map((one) => ({ ...one, told: null })) } }),
  ).toMatchObject({ kind: 'wait' });
});
