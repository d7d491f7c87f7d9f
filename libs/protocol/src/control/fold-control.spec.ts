/** The control log by example: who may say what, and what it changes. */
import { describe, expect, test } from '@jest/globals';
import { epoch } from '../identity/identity.js';
import { AP, ControlLog, decision, EU, ledByEu, session, SHARD, US } from './control.fixture.js';
import { controlEntryText, decodeControlEntry, DEFAULT_CONTROL_SETTINGS } from './command.js';
import { foldControl } from './fold-control.js';
import { lossSubjectOf } from '../promotion/approval.js';
import { dueWindows } from '../promotion/pause.js';
import { isScope, type Scope } from './scope.js';
import { controlStateJson, PAUSES_MAX, readControlState } from './state.js';

const stage = (number: bigint, from: string, event: string, term = 1n) =>
  ({ kind: 'stage', term, decision: number, from, event, evidence: 'seen' }) as never;

/** Takes a decided switchover to a stage before its fence, or to the fence. */
function takeTo(
  log: ControlLog,
  number: bigint,
  to: 'caught-up' | 'parked' | 'drained' | 'fencing' | 'fenced',
) {
  let from = 'decided';
  for (const event of ['caught-up', 'parked', 'drained', 'fencing', 'fenced']) {
    expect(log.say(EU, stage(number, from, event))).toMatchObject({ verdict: 'accepted' });
    if (event === to) return;
    from = event;
  }
}

describe('the beginning', () => {
  test('is the first genesis; a second one, and whatever stands before it, is superseded', () => {
    const log = new ControlLog();
    const genesis = { kind: 'genesis', members: [EU, US], settings: DEFAULT_CONTROL_SETTINGS } as const;
    expect(log.say(EU, { kind: 'heartbeat', term: 0n })).toMatchObject({ verdict: 'superseded' });
    expect(log.say(EU, genesis)).toMatchObject({ verdict: 'accepted', at: 2n });
    expect(log.say(US, { kind: 'join', replaces: null })).toMatchObject({ verdict: 'accepted' });
    expect(log.say(US, genesis)).toMatchObject({ verdict: 'superseded' });
  });

  test('a record that is no entry takes a control sequence and changes nothing else', () => {
    const log = ledByEu();
    const before = log.state;
    expect(log.append('[]')).toMatchObject({ verdict: 'malformed', reason: 'entry must be an object' });
    expect(log.state).toEqual({ ...before, sequence: before.sequence + 1n, offset: before.offset + 1n });
  });
});

describe('a decoded entry', () => {
  test.each([
    ['an unknown name', { kind: 'resign', term: 1, more: 1 }, 'entry.command has an unknown name "more"'],
    ['a missing name', { kind: 'resign' }, 'entry.command.term is missing'],
    ['a wrong type', { kind: 'resign', term: -1 }, 'entry.command.term must be an integer from 0'],
    [
      'members twice',
      { kind: 'genesis', members: ['eu', 'eu'], settings: {} },
      'entry.command.members must name at least one region, each once',
    ],
    [
      'a wrong item',
      { kind: 'genesis', members: ['EU'], settings: {} },
      "entry.command.members[0] must be a region's name",
    ],
    [
      'a scope of nothing',
      { kind: 'pause', scope: 'eu', owner: 'o', reason: 'r', untilMs: 1 },
      'entry.command.scope must be "all", "dataset:NAME", "shard:DATASET/N" or "region:NAME"',
    ],
  ])('with %s is refused by name', (_what, command, reason) => {
    const entry = { format: 1, author: 'eu', session: session('e'), number: 1, clockMs: 0, command };
    expect(decodeControlEntry(JSON.stringify(entry))).toEqual({ kind: 'refused', reason });
  });

  test('of a later format is refused', () => {
    const text = controlEntryText({
      author: EU,
      session: session('e'),
      number: 1n,
      clockMs: 0,
      command: { kind: 'resign', term: 1n },
    });
    expect(decodeControlEntry(text.replace('"format":1', '"format":2'))).toEqual({
      kind: 'refused',
      reason: 'entry.format must be 1',
    });
  });
});

describe('a process', () => {
  test('loses the vote of its region to the one that joins in its place, late copies included', () => {
    const log = ledByEu();
    const join = { kind: 'join', replaces: session('5') } as const;
    expect(log.say(US, join, { session: session('6') })).toMatchObject({ verdict: 'accepted' });
    const silent = { kind: 'silent', term: 1n, heartbeat: 4n } as const;
    expect(log.say(US, silent)).toMatchObject({ verdict: 'superseded' });
    expect(log.say(US, { kind: 'join', replaces: null })).toMatchObject({ verdict: 'superseded' });
    expect(log.state.election.silent).toEqual([]);
    expect(log.say(US, silent, { session: session('6') })).toMatchObject({ verdict: 'accepted' });
  });

  test('is heard once per number, and not behind a later one', () => {
    const log = ledByEu();
    expect(log.say(EU, { kind: 'heartbeat', term: 1n }, { number: 20n })).toMatchObject({
      verdict: 'accepted',
    });
    const cancel = { kind: 'fact', what: 'late', detail: '' } as const;
    expect(log.say(EU, cancel, { number: 20n })).toMatchObject({ verdict: 'superseded' });
    expect(log.say(EU, cancel, { number: 19n })).toMatchObject({ verdict: 'superseded' });
    expect(log.say(EU, cancel, { number: 23n })).toMatchObject({ verdict: 'accepted' });
  });

  test('that leads has left when another process of its region joins', () => {
    const log = ledByEu();
    log.say(EU, { kind: 'join', replaces: session('e') }, { session: session('f') });
    expect(log.state.election).toMatchObject({ term: 1n, phase: 'vacant' });
  });
});

describe('a term', () => {
  test('goes to the first valid claim; the second is superseded', () => {
    const log = ledByEu();
    log.say(EU, { kind: 'resign', term: 1n });
    const claim = { kind: 'claim', term: 2n, replaces: 1n } as const;
    expect(log.say(US, claim)).toMatchObject({ verdict: 'accepted' });
    expect(log.say(AP, claim)).toMatchObject({ verdict: 'superseded' });
    expect(log.state.election).toMatchObject({ term: 2n, phase: 'led', leader: { region: US } });
    expect(log.state.terms.map(({ because, leader, term }) => [term, leader, because])).toEqual([
      [1n, EU, 'vacant'],
      [2n, US, 'vacant'],
    ]);
  });

  test('that is over makes the commands of its leader void', () => {
    const log = ledByEu();
    log.say(EU, { kind: 'resign', term: 1n });
    expect(log.say(EU, { kind: 'heartbeat', term: 1n })).toMatchObject({ verdict: 'void' });
    log.say(US, { kind: 'claim', term: 2n, replaces: 1n });
    expect(log.say(EU, decision())).toMatchObject({ verdict: 'void', reason: 'term 1 is not the present 2' });
    expect(log.say(EU, decision({ term: 2n }))).toMatchObject({
      verdict: 'void',
      reason: 'eu does not lead term 2',
    });
  });

  test('ends when a majority is silent about the last heartbeat, whatever the clocks say', () => {
    const log = ledByEu();
    const said = { appendTimeMs: log.nowMs - 600_000 };
    expect(log.say(US, { kind: 'silent', term: 1n, heartbeat: 4n }, said)).toMatchObject({
      verdict: 'accepted',
    });
    const claim = { kind: 'claim', term: 2n, replaces: 1n } as const;
    expect(log.say(US, claim, said)).toMatchObject({ verdict: 'refused' });
    log.say(AP, { kind: 'silent', term: 1n, heartbeat: 4n }, said);
    expect(log.say(US, claim, said)).toMatchObject({ verdict: 'accepted' });
  });

  test('goes on when a heartbeat follows, and silence about an older one counts for nothing', () => {
    const log = ledByEu();
    log.say(US, { kind: 'silent', term: 1n, heartbeat: 4n });
    log.say(AP, { kind: 'silent', term: 1n, heartbeat: 4n });
    log.say(EU, { kind: 'heartbeat', term: 1n });
    expect(log.say(US, { kind: 'claim', term: 2n, replaces: 1n })).toMatchObject({ verdict: 'refused' });
    expect(log.say(US, { kind: 'silent', term: 1n, heartbeat: 4n })).toMatchObject({ verdict: 'superseded' });
  });

  test('ends after a suspicion when grace and lease are over in log time, and no heartbeat followed', () => {
    const log = ledByEu();
    const claim = { kind: 'claim', term: 2n, replaces: 1n } as const;
    const { graceMs, leaseMs } = DEFAULT_CONTROL_SETTINGS;
    log.nowMs += leaseMs;
    log.say(US, { kind: 'suspect', term: 1n, heartbeat: 4n });
    log.nowMs += graceMs - 1;
    expect(log.say(US, claim)).toMatchObject({ verdict: 'refused' });
    log.nowMs += 1;
    expect(log.say(US, claim)).toMatchObject({ verdict: 'accepted' });
  });
});

describe('a decision', () => {
  test('has the control sequence of its entry as its number, and goes through its stages', () => {
    const log = ledByEu();
    expect(log.say(EU, decision())).toMatchObject({ verdict: 'accepted', at: 5n });
    takeTo(log, 5n, 'fenced');
    for (const [from, event] of [
      ['fenced', 'folded'],
      ['folded', 'canary'],
      ['canary', 'open'],
      ['open', 'placed'],
      ['placed', 'done'],
    ])
      expect(log.say(EU, stage(5n, from!, event!))).toMatchObject({ verdict: 'accepted' });
    expect(log.state.open).toEqual([]);
    expect(log.state.finished).toMatchObject([{ decision: 5n, outcome: 'done', detail: 'seen' }]);
    expect(log.state.finished[0]!.passed.map(({ at }) => at)).toEqual([
      5n,
      6n,
      7n,
      8n,
      9n,
      10n,
      11n,
      12n,
      13n,
      14n,
      15n,
    ]);
  });

  test('is refused while another is open on the shard, unless that one is past its fence: a further epoch', () => {
    const log = ledByEu();
    log.say(EU, decision());
    const further = decision({ move: 'failover', from: US, to: AP, expectedEpoch: epoch(2n) });
    takeTo(log, 5n, 'fencing');
    expect(log.say(EU, further)).toMatchObject({ verdict: 'refused' });
    log.say(EU, stage(5n, 'fencing', 'fenced'));
    expect(log.say(EU, decision({ to: AP }))).toMatchObject({ verdict: 'refused' });
    expect(log.say(EU, further)).toMatchObject({ verdict: 'accepted' });
    expect(log.state.finished).toMatchObject([{ decision: 5n, outcome: 'replaced' }]);
    expect(log.state.open).toHaveLength(1);
  });

  test('ends free before its fence, waits for a `term` entry while it is fencing, and has no way back behind it', () => {
    const cancel = { kind: 'cancel', decision: 5n, reason: 'no', actor: 'operator' } as const;
    const free = ledByEu();
    free.say(EU, decision());
    takeTo(free, 5n, 'drained');
    expect(free.say(AP, cancel)).toMatchObject({ verdict: 'accepted' });
    expect(free.state.finished).toMatchObject([
      { outcome: 'cancelled', detail: 'cancelled by operator: no' },
    ]);

    const fencing = ledByEu();
    fencing.say(EU, decision());
    takeTo(fencing, 5n, 'fencing');
    fencing.say(AP, cancel);
    expect(fencing.state.open).toMatchObject([{ stage: 'withdrawing' }]);
    fencing.say(EU, stage(5n, 'withdrawing', 'withdrawn'));
    expect(fencing.state.finished).toMatchObject([{ outcome: 'cancelled' }]);

    const fenced = ledByEu();
    fenced.say(EU, decision());
    takeTo(fenced, 5n, 'fenced');
    expect(fenced.say(AP, cancel)).toMatchObject({ verdict: 'refused' });
  });

  test('is carried out by a later term only after it was adopted', () => {
    const log = ledByEu();
    log.say(EU, decision());
    log.say(EU, { kind: 'resign', term: 1n });
    log.say(US, { kind: 'claim', term: 2n, replaces: 1n });
    expect(log.say(US, stage(5n, 'decided', 'caught-up', 2n))).toMatchObject({ verdict: 'refused' });
    expect(log.say(US, { kind: 'adopt', term: 2n, decision: 5n })).toMatchObject({ verdict: 'accepted' });
    expect(log.say(US, { kind: 'adopt', term: 2n, decision: 5n })).toMatchObject({ verdict: 'superseded' });
    expect(log.say(US, stage(5n, 'decided', 'caught-up', 2n))).toMatchObject({ verdict: 'accepted' });
    expect(log.state.open).toMatchObject([{ decidedTerm: 1n, term: 2n }]);
  });

  test('of which a stage is told from a stage that it left is superseded, and of an event that cannot follow refused', () => {
    const log = ledByEu();
    log.say(EU, decision());
    log.say(EU, stage(5n, 'decided', 'caught-up'));
    expect(log.say(EU, stage(5n, 'decided', 'caught-up'))).toMatchObject({ verdict: 'superseded' });
    expect(log.say(EU, stage(5n, 'caught-up', 'fencing'))).toMatchObject({ verdict: 'refused' });
  });
});

describe('a pause', () => {
  const pause = (scope: string, untilMs: number) => {
    if (!isScope(scope)) throw new Error(scope);
    return { kind: 'pause', scope, owner: 'anna', reason: 'drill', untilMs } as const;
  };

  test.each(['all', 'dataset:accounts', 'shard:accounts/0', 'region:eu', 'region:us'])(
    'of %s cancels what is before its fence and refuses what comes, until it is resumed',
    (scope) => {
      const log = ledByEu();
      log.say(EU, decision());
      const { at } = log.say(AP, pause(scope, log.nowMs + 60_000));
      expect(log.state.finished).toMatchObject([
        { decision: 5n, outcome: 'cancelled', detail: 'paused by anna' },
      ]);
      expect(log.say(EU, decision())).toMatchObject({ verdict: 'refused' });
      expect(log.say(EU, { kind: 'paused', term: 1n, pause: at })).toMatchObject({ verdict: 'accepted' });
      log.say(AP, { kind: 'resume', pause: at, actor: 'anna' });
      expect(log.say(EU, decision())).toMatchObject({ verdict: 'accepted' });
    },
  );

  test.each(['dataset:orders', 'shard:accounts/1', 'region:ap'])('of %s leaves others alone', (scope) => {
    const log = ledByEu();
    log.say(EU, decision());
    log.say(AP, pause(scope, log.nowMs + 60_000));
    expect(log.state.open).toHaveLength(1);
  });

  test('ends when log time passes its end', () => {
    const log = ledByEu();
    log.say(AP, pause('all', log.nowMs + 1_000));
    log.nowMs += 1_000;
    expect(log.say(EU, decision())).toMatchObject({ verdict: 'refused' });
    log.nowMs += 1;
    expect(log.say(EU, decision())).toMatchObject({ verdict: 'accepted' });
  });

  test('is confirmed only when no fence in its scope can win any more', () => {
    const log = ledByEu();
    log.say(EU, decision());
    takeTo(log, 5n, 'fencing');
    const { at } = log.say(AP, pause('all', log.nowMs + 60_000));
    const paused = { kind: 'paused', term: 1n, pause: at } as const;
    expect(log.say(EU, paused)).toMatchObject({ verdict: 'refused' });
    log.say(EU, stage(5n, 'withdrawing', 'withdrawn'));
    expect(log.say(EU, paused)).toMatchObject({ verdict: 'accepted' });
    expect(log.say(EU, paused)).toMatchObject({ verdict: 'superseded' });
  });
});

describe('a maintenance window', () => {
  const window = (log: ControlLog, fromMs = log.nowMs + 1_000, untilMs = log.nowMs + 60_000) =>
    log.say(AP, {
      kind: 'window',
      scope: 'region:eu' as Scope,
      owner: 'anna',
      reason: 'works',
      fromMs,
      untilMs,
    });

  test('changes nothing before it begins, and is a pause from then on', () => {
    const log = ledByEu();
    const { at } = window(log);
    const begin = { kind: 'begin', term: 1n, window: at } as const;
    expect(dueWindows(log.state)).toEqual([]);
    expect(log.say(EU, begin)).toMatchObject({ verdict: 'refused' });
    log.say(EU, decision());
    log.nowMs += 1_000;
    expect(log.say(EU, { kind: 'heartbeat', term: 1n })).toMatchObject({ verdict: 'accepted' });
    expect(dueWindows(log.state)).toEqual([begin]);
    const begun = log.say(EU, begin);
    expect(begun).toMatchObject({ verdict: 'accepted' });
    const { finished, pauses, windows } = log.state;
    expect(finished).toMatchObject([{ outcome: 'cancelled', detail: 'paused by anna' }]);
    expect(windows).toEqual([]);
    expect(pauses).toMatchObject([{ pause: begun.at, scope: 'region:eu', owner: 'anna', confirmedAt: null }]);
    expect(log.say(EU, begin)).toMatchObject({ verdict: 'superseded' });
    expect(log.say(EU, { kind: 'paused', term: 1n, pause: begun.at })).toMatchObject({ verdict: 'accepted' });
    log.nowMs += 60_001;
    expect(log.say(EU, decision())).toMatchObject({ verdict: 'accepted' });
  });

  test('is taken back by its number before it begins', () => {
    const log = ledByEu();
    const { at } = window(log);
    expect(log.say(AP, { kind: 'resume', pause: at, actor: 'anna' })).toMatchObject({ verdict: 'accepted' });
    log.nowMs += 1_000;
    expect(log.say(EU, { kind: 'begin', term: 1n, window: at })).toMatchObject({ verdict: 'superseded' });
    expect(log.say(EU, decision())).toMatchObject({ verdict: 'accepted' });
  });

  test('that nobody began is forgotten when it is over', () => {
    const log = ledByEu();
    const { at } = window(log);
    log.nowMs += 60_001;
    expect(log.say(EU, { kind: 'begin', term: 1n, window: at })).toMatchObject({ verdict: 'superseded' });
    expect(log.state).toMatchObject({ windows: [], pauses: [] });
  });

  test.each([
    ['ends before it begins', 1_000, 999],
    ['is over', -2, -1],
  ])('that %s is refused', (_what, fromMs, untilMs) => {
    const log = ledByEu();
    expect(window(log, log.nowMs + fromMs, log.nowMs + untilMs)).toMatchObject({ verdict: 'refused' });
  });

  test('counts as a pause where they are bounded', () => {
    const log = ledByEu();
    for (let count = 0; count < PAUSES_MAX; count += 1)
      expect(window(log)).toMatchObject({ verdict: 'accepted' });
    expect(window(log)).toMatchObject({ verdict: 'refused' });
  });
});

describe('an evacuation', () => {
  const shards = [SHARD, 'accounts/1' as typeof SHARD].map((shard) => ({ shard, to: US }));
  const evacuate = {
    kind: 'evacuate',
    term: 1n,
    region: EU,
    move: 'switchover',
    concurrency: 1,
    shards,
    reason: 'r',
    actor: 'a',
  } as const;

  test('knows its decisions and what became of them', () => {
    const log = ledByEu();
    const { at } = log.say(EU, evacuate);
    expect(log.say(EU, evacuate)).toMatchObject({ verdict: 'refused' });
    log.say(EU, decision({ evacuation: at }));
    expect(log.say(EU, decision({ evacuation: at, shard: 'accounts/2' as typeof SHARD }))).toMatchObject({
      verdict: 'superseded',
    });
    log.say(AP, { kind: 'cancel', decision: at, reason: 'enough', actor: 'anna' });
    expect(log.state.evacuations).toMatchObject([
      {
        isCancelled: true,
        shards: [
          { decision: 6n + 1n, outcome: 'cancelled' },
          { decision: 0n, outcome: 'cancelled' },
        ],
      },
    ]);
    expect(log.state.open).toEqual([]);
  });
});

describe('log time', () => {
  test('follows neither a broker nor an author that is ten minutes ahead by more than a minute', () => {
    const log = ledByEu();
    const before = log.state.logTimeMs;
    log.say(EU, { kind: 'heartbeat', term: 1n }, { appendTimeMs: log.nowMs + 600_000 });
    expect(log.state.logTimeMs).toBe(before + 60_000);
    log.say(EU, { kind: 'heartbeat', term: 1n }, { clockMs: log.nowMs + 600_000 });
    expect(log.state.logTimeMs).toBe(before + 60_000);
  });
});

test('a flag changes only from the value that its author saw', () => {
  const log = ledByEu();
  const flag = { kind: 'flag', name: 'canary', value: 'on', expected: 0n, actor: 'anna' } as const;
  const { at } = log.say(US, flag);
  expect(log.say(AP, flag)).toMatchObject({ verdict: 'superseded' });
  expect(log.say(AP, { ...flag, value: null, expected: at })).toMatchObject({ verdict: 'accepted' });
  expect(log.state.flags).toEqual([]);
});

test('a scope is one of four texts', () => {
  const scopes: readonly Scope[] = ['all', 'dataset:a', 'shard:a/0', 'region:eu'].filter(isScope);
  expect(scopes).toHaveLength(4);
  expect(['', 'All', 'shard:a', 'shard:a/00', 'region:', 'eu', 'x:all'].filter(isScope)).toEqual([]);
});

test('folding leaves the state before it as it was', () => {
  const log = ledByEu();
  const { records } = log;
  const state = log.state;
  const copy = structuredClone(state);
  foldControl(state, {
    ...records.at(-1)!,
    valueText: controlEntryText({
      author: EU,
      session: session('e'),
      number: 99n,
      clockMs: 0,
      command: decision(),
    }),
  });
  expect(state).toEqual(copy);
});

describe('a decision that names the approval of a second person', () => {
  const subject = lossSubjectOf({ shard: SHARD, to: US, expectedEpoch: epoch(1n) });
  const approve = (log: ControlLog, by: string, about = subject): number =>
    Number(
      log.say(AP, { kind: 'approval', subject: about, reason: 'seen', actor: by, untilMs: log.nowMs + 1_000 })
        .at,
    );
  const decided = (approval: unknown) =>
    decision({ move: 'failover', acceptLoss: true, actor: 'anna', inputs: { approval } });

  test('is accepted while that holds, and says for good who agreed', () => {
    const log = ledByEu();
    const approval = approve(log, 'bob');
    log.nowMs += 1_000;
    const { at } = log.say(EU, decided(approval));
    log.nowMs += 60_000;
    log.say(EU, { kind: 'heartbeat', term: 1n });
    expect(log.state.approvals).toEqual([]);
    expect(log.state.agreed).toEqual([{ decision: at, approval: BigInt(approval), actor: 'bob' }]);
    expect(readControlState(controlStateJson(log.state))).toEqual({ kind: 'value', value: log.state });
  });

  test.each<[string, (log: ControlLog) => unknown]>([
    ['of the asker', (log) => approve(log, 'anna')],
    ['of another move', (log) => approve(log, 'bob', 'accept-loss:accounts/0:ap:1')],
    ['that nobody gave', () => 3],
    ['that cannot be read', () => 'bob'],
    [
      'that has expired since',
      (log) => {
        const at = approve(log, 'bob');
        log.nowMs += 1_001;
        return at;
      },
    ],
  ])('is refused when it is one %s', (_, named) => {
    const log = ledByEu();
    const step = log.say(EU, decided(named(log)));
    expect(step).toMatchObject({ verdict: 'refused', reason: expect.stringContaining('approval') });
    expect(log.state).toMatchObject({ open: [], agreed: [] });
  });

  test('leaves states as they were where nobody agreed to a loss', () => {
    const log = ledByEu();
    log.say(EU, decision());
    expect(Object.keys(controlStateJson(log.state))).not.toContain('agreed');
  });
});
