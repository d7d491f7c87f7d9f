/**
 * What the control log does not do, and says: every refusal by its words, which tell what to do instead, and every bound, exactly.
 */
import { describe, expect, test } from '@jest/globals';
import { epoch } from '../identity/identity.js';
import { AP, ControlLog, decision, EU, ledByEu, session, SHARD, US } from './control.fixture.js';
import { DEFAULT_CONTROL_SETTINGS, type ControlCommand } from './command.js';
import type { ControlStep } from './fold-control.js';
import {
  APPROVALS_MAX,
  EVACUATIONS_MAX,
  FINISHED_MOVES_KEPT,
  FLAGS_MAX,
  OPEN_MOVES_MAX,
  PASSED_KEPT,
  PAUSES_MAX,
  TERMS_KEPT,
} from './state.js';

type Folded = Extract<ControlStep, { kind: 'folded' }>;
const SA = 'sa' as typeof EU;
const settings = DEFAULT_CONTROL_SETTINGS;
const shardAt = (index: number): typeof SHARD => `accounts/${index}` as typeof SHARD;
const stage = (number: bigint, from: string, event: string, term = 1n): ControlCommand =>
  ({ kind: 'stage', term, decision: number, from, event, evidence: 'seen' }) as never;
const pause = (log: ControlLog, scope = 'all', untilMs = log.nowMs + 60_000): ControlCommand => ({
  kind: 'pause',
  scope: scope as never,
  owner: 'anna',
  reason: 'drill',
  untilMs,
});
const cancel = (number: bigint): ControlCommand => ({
  kind: 'cancel',
  decision: number,
  reason: 'no',
  actor: 'anna',
});
const evacuate = (change: object = {}): ControlCommand => ({
  kind: 'evacuate',
  term: 1n,
  region: EU,
  move: 'switchover',
  concurrency: 1,
  shards: [{ shard: SHARD, to: US }],
  reason: 'power',
  actor: 'anna',
  ...change,
});
const approval = (untilMs: number, subject = 's'): ControlCommand => ({
  kind: 'approval',
  reason: 'seen',
  subject,
  actor: 'anna',
  untilMs,
});
const flag = (name: string, expected = 0n, value: string | null = 'on'): ControlCommand => ({
  kind: 'flag',
  name,
  value,
  expected,
  actor: 'anna',
});

/** What a move that is open goes through, from where it is. */
function pass(log: ControlLog, number: bigint, ...events: readonly string[]): void {
  for (const event of events) {
    const { stage: from } = log.state.open.find((open) => open.decision === number)!;
    expect(log.say(EU, stage(number, from, event))).toMatchObject({ verdict: 'accepted', reason: null });
  }
}

const TO_THE_FENCE = ['caught-up', 'parked', 'drained', 'fencing'] as const;

const refusals: readonly (readonly [
  why: string,
  verdict: Folded['verdict'],
  reason: string,
  ask: (log: ControlLog) => Folded,
])[] = [
  [
    'a region that is no member',
    'void',
    'sa is not a member',
    (log) => log.say(SA, { kind: 'join', replaces: null }, { session: session('1') }),
  ],
  [
    'a process that has joined already',
    'superseded',
    'this process has joined already',
    (log) => log.say(US, { kind: 'join', replaces: session('5') }),
  ],
  [
    'a process that would replace another than the one that holds the vote',
    'superseded',
    'the vote of us is not held by the process that this one replaces',
    (log) => log.say(US, { kind: 'join', replaces: session('7') }, { session: session('8') }),
  ],
  [
    'a process without the vote of its region',
    'superseded',
    'another process holds the vote of us',
    (log) => log.say(US, { kind: 'fact', what: 'w', detail: '' }, { session: session('8') }),
  ],
  [
    'a number that was heard',
    'superseded',
    'number 4 is not above 4',
    (log) => log.say(EU, { kind: 'fact', what: 'w', detail: '' }, { number: 4n }),
  ],
  [
    'a second beginning',
    'superseded',
    'the control log has begun already',
    (log) => log.say(EU, { kind: 'genesis', members: [EU], settings }),
  ],
  [
    'a configuration that expects another before it',
    'superseded',
    'another configuration came first',
    (log) => log.say(EU, { kind: 'configure', term: 1n, expected: 2n, members: [EU], settings }),
  ],
  [
    'a configuration without its leader',
    'refused',
    'the leader must stay a member; let another one lead first',
    (log) => log.say(EU, { kind: 'configure', term: 1n, expected: 1n, members: [US, AP], settings }),
  ],
  [
    'silence about another term',
    'superseded',
    'the leader was heard since, or another one leads',
    (log) => log.say(US, { kind: 'silent', term: 2n, heartbeat: 4n }),
  ],
  [
    'silence about an older sign of life',
    'superseded',
    'the leader was heard since, or another one leads',
    (log) => log.say(US, { kind: 'silent', term: 1n, heartbeat: 3n }),
  ],
  [
    'a leader that doubts itself',
    'refused',
    'a leader does not doubt itself; it resigns',
    (log) => log.say(EU, { kind: 'suspect', term: 1n, heartbeat: 4n }),
  ],
  [
    'a second suspicion',
    'superseded',
    'said already',
    (log) => {
      log.say(US, { kind: 'suspect', term: 1n, heartbeat: 4n });
      return log.say(AP, { kind: 'suspect', term: 1n, heartbeat: 4n });
    },
  ],
  [
    'a claim of a term that is not the next one',
    'superseded',
    'term 1 is not the one that it replaces',
    (log) => {
      log.say(EU, { kind: 'resign', term: 1n });
      return log.say(US, { kind: 'claim', term: 3n, replaces: 1n });
    },
  ],
  [
    'a claim that replaces another term than the present one',
    'superseded',
    'term 1 is not the one that it replaces',
    (log) => {
      log.say(EU, { kind: 'resign', term: 1n });
      return log.say(US, { kind: 'claim', term: 2n, replaces: 0n });
    },
  ],
  [
    'a claim while the leader is heard',
    'refused',
    'the leader is led: no claim is valid yet',
    (log) => log.say(US, { kind: 'claim', term: 2n, replaces: 1n }),
  ],
  [
    'the adoption of a decision that this term made',
    'superseded',
    'no decision of an earlier term is open',
    (log) => {
      const { at } = log.say(EU, decision());
      return log.say(EU, { kind: 'adopt', term: 1n, decision: at });
    },
  ],
  [
    'the adoption of a decision that is not open, though another one is',
    'superseded',
    'no decision of an earlier term is open',
    (log) => {
      log.say(EU, decision());
      log.say(EU, { kind: 'resign', term: 1n });
      log.say(US, { kind: 'claim', term: 2n, replaces: 1n });
      return log.say(US, { kind: 'adopt', term: 2n, decision: 99n });
    },
  ],
  [
    'a pause that is over',
    'refused',
    'the pause is over already; name a later time',
    (log) => log.say(AP, pause(log, 'all', log.nowMs - 1)),
  ],
  [
    'the confirmation of no pause, though there is one',
    'superseded',
    'no such pause is to be confirmed',
    (log) => {
      log.say(AP, pause(log));
      return log.say(EU, { kind: 'paused', term: 1n, pause: 99n });
    },
  ],
  [
    'the confirmation of a pause while a fence may win',
    'refused',
    'a fence of a move in scope may still win; append `term` entries first',
    (log) => {
      const { at } = log.say(EU, decision());
      pass(log, at, ...TO_THE_FENCE);
      return log.say(EU, { kind: 'paused', term: 1n, pause: log.say(AP, pause(log)).at });
    },
  ],
  [
    'the end of no pause, though there is one',
    'superseded',
    'no such pause holds',
    (log) => {
      log.say(AP, pause(log));
      return log.say(AP, { kind: 'resume', pause: 99n, actor: 'anna' });
    },
  ],
  [
    'an approval that is over',
    'refused',
    'the approval is over already; name a later time',
    (log) => log.say(AP, approval(log.nowMs - 1)),
  ],
  [
    'a flag that was set since',
    'superseded',
    'the flag canary was set since',
    (log) => {
      log.say(AP, flag('canary'));
      return log.say(AP, flag('canary'));
    },
  ],
  [
    'a move to where the home is',
    'refused',
    'eu is home already; name another region',
    (log) => log.say(EU, decision({ to: EU })),
  ],
  [
    'a move under a pause',
    'refused',
    'region:us is paused by anna: drill; resume 5 first',
    (log) => {
      log.say(AP, pause(log, 'region:us'));
      return log.say(EU, decision());
    },
  ],
  [
    'a second move of a shard',
    'refused',
    'decision 5 is open on accounts/0; await or cancel it first',
    (log) => {
      log.say(EU, decision());
      return log.say(EU, decision());
    },
  ],
  [
    'a move for an evacuation that does not await it',
    'superseded',
    'evacuation 5 does not await accounts/0',
    (log) =>
      log.say(
        EU,
        decision({ evacuation: log.say(EU, evacuate({ shards: [{ shard: shardAt(1), to: US }] })).at }),
      ),
  ],
  [
    'a move for no evacuation, though there is one that awaits it',
    'superseded',
    'evacuation 99 does not await accounts/0',
    (log) => {
      log.say(EU, evacuate());
      return log.say(EU, decision({ evacuation: 99n }));
    },
  ],
  [
    'an evacuation of nothing',
    'refused',
    'an evacuation has at least one shard and a concurrency from 1',
    (log) => log.say(EU, evacuate({ shards: [] })),
  ],
  [
    'an evacuation that may never move a shard',
    'refused',
    'an evacuation has at least one shard and a concurrency from 1',
    (log) => log.say(EU, evacuate({ concurrency: 0 })),
  ],
  [
    'an evacuation of one of its shards to the region itself',
    'refused',
    'a shard cannot be evacuated to eu itself',
    (log) =>
      log.say(
        EU,
        evacuate({
          shards: [
            { shard: SHARD, to: US },
            { shard: shardAt(1), to: EU },
          ],
        }),
      ),
  ],
  [
    'an evacuation of a shard twice',
    'refused',
    'a shard is listed twice',
    (log) =>
      log.say(
        EU,
        evacuate({
          shards: [
            { shard: SHARD, to: US },
            { shard: SHARD, to: AP },
          ],
        }),
      ),
  ],
  [
    'a second evacuation of a region',
    'refused',
    'eu is being evacuated already; await or cancel that first',
    (log) => {
      log.say(EU, evacuate());
      return log.say(EU, evacuate({ shards: [{ shard: shardAt(1), to: US }] }));
    },
  ],
  [
    'a stage of a decision that is not open, though another one is',
    'superseded',
    'decision 99 is not open',
    (log) => {
      log.say(EU, decision());
      return log.say(EU, stage(99n, 'decided', 'caught-up'));
    },
  ],
  [
    'a stage that was left',
    'superseded',
    'decision 5 is caught-up, not decided',
    (log) => {
      pass(log, log.say(EU, decision()).at, 'caught-up');
      return log.say(EU, stage(5n, 'decided', 'caught-up'));
    },
  ],
  [
    'a stage of a decision that was not adopted',
    'refused',
    'decision 5 is of term 1; adopt it first',
    (log) => {
      log.say(EU, decision());
      log.say(EU, { kind: 'resign', term: 1n });
      log.say(US, { kind: 'claim', term: 2n, replaces: 1n });
      return log.say(US, stage(5n, 'decided', 'caught-up', 2n));
    },
  ],
  [
    'a switchover that would not wait for the home to drain',
    'refused',
    'fencing does not follow caught-up',
    (log) => {
      pass(log, log.say(EU, decision()).at, 'caught-up');
      return log.say(EU, stage(5n, 'caught-up', 'fencing'));
    },
  ],
  [
    'a failover that would wait for the home',
    'refused',
    'parked does not follow caught-up',
    (log) => {
      pass(log, log.say(EU, decision({ move: 'failover' })).at, 'caught-up');
      return log.say(EU, stage(5n, 'caught-up', 'parked'));
    },
  ],
  [
    'the end of a decision that is not open, though another one is',
    'superseded',
    'decision 99 is not open',
    (log) => {
      log.say(EU, decision());
      return log.say(AP, cancel(99n));
    },
  ],
  [
    'the end of a move behind its fence',
    'refused',
    'decision 5 is fenced: there is no way back; decide a failover to a further epoch',
    (log) => {
      pass(log, log.say(EU, decision()).at, ...TO_THE_FENCE, 'fenced');
      return log.say(AP, cancel(5n));
    },
  ],
];

describe('is turned down and changes nothing but its place', () => {
  test.each(refusals)('%s', (_why, verdict, reason, ask) => {
    const log = ledByEu();
    const step = ask(log);
    expect(step).toMatchObject({ verdict, reason });
  });

  test.each([
    ['a command', { kind: 'heartbeat', term: 0n }, 'superseded', 'the control log has not begun'],
    ['a beginning by a stranger', { kind: 'genesis', members: [US], settings }, 'void', 'eu is not a member'],
  ] as const)('%s before the beginning', (_what, command, verdict, reason) => {
    const log = new ControlLog();
    expect(log.say(EU, command)).toMatchObject({ verdict, reason });
    expect(log.state.configuration).toBeNull();
  });
});

describe('a bound is exact', () => {
  const repeated = (times: number, ask: (index: number) => Folded): readonly Folded[] =>
    Array.from({ length: times }, (_, index) => ask(index));

  test.each([
    ['pauses and windows', PAUSES_MAX, 'resume one first', (log: ControlLog) => log.say(AP, pause(log))],
    [
      'flags',
      FLAGS_MAX,
      'remove one first',
      (log: ControlLog, index: number) => log.say(AP, flag(`flag ${index}`)),
    ],
    [
      'open decisions',
      OPEN_MOVES_MAX,
      'await some first',
      (log: ControlLog, index: number) => log.say(EU, decision({ shard: shardAt(index) })),
    ],
    [
      'evacuations',
      EVACUATIONS_MAX,
      'await one first',
      (log: ControlLog, index: number) =>
        log.say(EU, evacuate({ region: `r${index}`, shards: [{ shard: shardAt(index), to: US }] })),
    ],
  ])('of %s', (what, max, next, ask) => {
    const log = ledByEu();
    for (const { verdict } of repeated(max, (index) => ask(log, index))) expect(verdict).toBe('accepted');
    expect(ask(log, max)).toMatchObject({ verdict: 'refused', reason: `there are ${max} ${what}; ${next}` });
  });

  test('an evacuation that is over makes room for another one, and no other goes', () => {
    const log = ledByEu();
    const begun = repeated(EVACUATIONS_MAX, (index) =>
      log.say(EU, evacuate({ region: `r${index}`, shards: [{ shard: shardAt(index), to: US }] })),
    );
    log.say(AP, cancel(begun[3]!.at));
    const next = log.say(EU, evacuate({ region: 'r9', shards: [{ shard: shardAt(9), to: US }] }));
    expect(next.verdict).toBe('accepted');
    const left = begun.filter((_, index) => index !== 3).map(({ at }) => at);
    expect(log.state.evacuations.map((one) => one.decision)).toEqual([...left, next.at]);
  });

  test('below it evacuations that are over are kept', () => {
    const log = ledByEu();
    log.say(AP, cancel(log.say(EU, evacuate()).at));
    expect(log.say(EU, evacuate()).verdict).toBe('accepted');
    expect(log.state.evacuations).toHaveLength(2);
  });

  test('of approvals, terms, finished moves and stages the latest are kept', () => {
    const log = ledByEu();
    repeated(APPROVALS_MAX + 1, (index) => log.say(AP, approval(log.nowMs, `s${index}`)));
    expect(log.state.approvals).toHaveLength(APPROVALS_MAX);
    expect(log.state.approvals.at(-1)).toMatchObject({ subject: `s${APPROVALS_MAX}`, actor: 'anna' });
    repeated(FINISHED_MOVES_KEPT + 1, () => log.say(AP, cancel(log.say(EU, decision()).at)));
    expect(log.state.finished).toHaveLength(FINISHED_MOVES_KEPT);
    const { at } = log.say(EU, decision());
    pass(log, at, 'caught-up');
    repeated(PASSED_KEPT, () => {
      pass(log, at, 'parked', 'undrained');
      return log.say(EU, { kind: 'heartbeat', term: 1n });
    });
    expect(log.state.open[0]!.passed).toHaveLength(PASSED_KEPT);
    expect(log.state.open[0]!.undrained).toBe(PASSED_KEPT);
    for (let term = 1n; term <= TERMS_KEPT; term += 1n) {
      log.say(EU, { kind: 'resign', term });
      log.say(EU, { kind: 'claim', term: term + 1n, replaces: term });
    }
    expect(log.state.terms.map(({ term }) => term)).toEqual(
      Array.from({ length: TERMS_KEPT }, (_, index) => BigInt(index + 2)),
    );
  });

  test('of the words of a cancellation', () => {
    const log = ledByEu();
    log.say(EU, decision());
    log.say(AP, { kind: 'cancel', decision: 5n, reason: 'r'.repeat(512), actor: 'anna' });
    expect(log.state.finished[0]!.detail).toHaveLength(512);
  });
});

describe('what stands beside it is left alone', () => {
  test('by a configuration: members that stay keep their votes and their silence, others lose both', () => {
    const log = ledByEu();
    log.say(US, { kind: 'silent', term: 1n, heartbeat: 4n });
    const configure = { kind: 'configure', term: 1n, expected: 1n, members: [AP, EU], settings } as const;
    const { at } = log.say(EU, configure);
    expect(log.state.configuration).toEqual({ at, members: [AP, EU], settings });
    expect(log.state.sessions.map(({ region }) => region)).toEqual([AP, EU]);
    expect(log.state.election.silent).toEqual([]);
    log.say(AP, { kind: 'silent', term: 1n, heartbeat: 4n });
    log.say(EU, { ...configure, expected: at, members: [EU, AP, SA] });
    expect(log.state.election.silent).toEqual([AP]);
  });

  test('by the order in which processes join: votes stand in the order of regions', () => {
    const log = new ControlLog();
    log.say(US, { kind: 'genesis', members: [EU, US, AP], settings });
    log.say(EU, { kind: 'join', replaces: null });
    log.say(AP, { kind: 'join', replaces: null });
    expect(log.state.sessions.map(({ region }) => region)).toEqual([AP, EU, US]);
  });

  test('by the end and the confirmation of a pause: another one', () => {
    const log = ledByEu();
    const [one, other] = [log.say(AP, pause(log, 'region:ap')), log.say(AP, pause(log, 'all'))];
    const { at } = log.say(EU, { kind: 'paused', term: 1n, pause: other.at });
    expect(log.state.pauses).toMatchObject([
      { confirmedAt: null },
      { pause: other.at, scope: 'all', confirmedAt: at },
    ]);
    log.say(AP, { kind: 'resume', pause: one.at, actor: 'anna' });
    expect(log.state.pauses.map((left) => left.pause)).toEqual([other.at]);
  });

  test('by log time: a pause that ends with this very moment', () => {
    const log = ledByEu();
    expect(log.say(AP, pause(log, 'all', log.nowMs)).verdict).toBe('accepted');
    expect(log.state.pauses).toHaveLength(1);
  });

  test('by an approval: others, until its end', () => {
    const log = ledByEu();
    const { at } = log.say(AP, approval(log.nowMs, 'one'));
    log.say(AP, approval(log.nowMs + 1, 'other'));
    expect(log.state.approvals).toMatchObject([
      { at, subject: 'one', untilMs: log.nowMs },
      { subject: 'other' },
    ]);
    log.nowMs += 1;
    log.say(EU, { kind: 'heartbeat', term: 1n });
    expect(log.state.approvals).toMatchObject([{ subject: 'other' }]);
  });

  test('by a flag that is set or removed: others', () => {
    const log = ledByEu();
    const { at } = log.say(AP, flag('a'));
    log.say(AP, flag('b'));
    expect(log.say(AP, flag('a', at, null)).verdict).toBe('accepted');
    expect(log.state.flags.map(({ name }) => name)).toEqual(['b']);
    expect(log.say(AP, flag('a', at)).verdict).toBe('superseded');
  });

  test('by a move that goes on or ends: others, and a failover goes without the home', () => {
    const log = ledByEu();
    const one = log.say(EU, decision({ move: 'failover' })).at;
    const other = log.say(EU, decision({ shard: shardAt(1) })).at;
    pass(log, one, 'caught-up', 'fencing');
    expect(log.state.open.map(({ decision: number, stage: at }) => [number, at])).toEqual([
      [one, 'fencing'],
      [other, 'decided'],
    ]);
    log.say(AP, cancel(other));
    expect(log.state.open.map(({ decision: number }) => number)).toEqual([one]);
    pass(log, one, 'fenced');
    const next = log.say(EU, decision({ move: 'failover', from: US, to: AP, expectedEpoch: epoch(2n) })).at;
    expect(log.state.finished.at(-1)).toMatchObject({
      outcome: 'replaced',
      detail: `decision ${next} gives it a further epoch`,
    });
  });

  test('by a move that could not drain: how often another one could not', () => {
    const log = ledByEu();
    const { at } = log.say(EU, decision());
    pass(log, at, 'caught-up', 'parked');
    expect(log.state.open[0]!.undrained).toBe(0);
    pass(log, at, 'undrained', 'parked', 'undrained', 'parked');
    expect(log.state.open[0]!.undrained).toBe(2);
  });
});

describe('a pause is confirmed', () => {
  test.each(['region:ap', 'dataset:orders', 'shard:accounts/1'])(
    'while a fence is on its way that %s does not cover',
    (scope) => {
      const log = ledByEu();
      pass(log, log.say(EU, decision()).at, ...TO_THE_FENCE);
      const { at } = log.say(AP, pause(log, scope));
      expect(log.say(EU, { kind: 'paused', term: 1n, pause: at }).verdict).toBe('accepted');
    },
  );

  test('while a move that it covers is behind its fence', () => {
    const log = ledByEu();
    pass(log, log.say(EU, decision()).at, ...TO_THE_FENCE, 'fenced');
    const { at } = log.say(AP, pause(log));
    expect(log.say(EU, { kind: 'paused', term: 1n, pause: at }).verdict).toBe('accepted');
  });

  test('not while a fence is on its way that came under it later, as no pause withdrew it', () => {
    const log = ledByEu();
    const { at } = log.say(AP, pause(log, 'region:ap'));
    pass(log, log.say(EU, decision()).at, ...TO_THE_FENCE);
    expect(log.say(EU, { kind: 'paused', term: 1n, pause: at }).verdict).toBe('accepted');
    const { at: all } = log.say(AP, pause(log));
    expect(log.state.open[0]!.stage).toBe('withdrawing');
    expect(log.say(EU, { kind: 'paused', term: 1n, pause: all }).verdict).toBe('refused');
  });
});

describe('an evacuation', () => {
  const two = evacuate({
    concurrency: 2,
    shards: [
      { shard: SHARD, to: US },
      { shard: shardAt(1), to: AP },
    ],
  });

  test('remembers what was decided and declined for each of its shards, and is over when all have ended', () => {
    const log = ledByEu();
    const { at } = log.say(EU, two);
    expect(log.state.evacuations).toMatchObject([{ decision: at, isCancelled: false }]);
    const other = log.say(EU, evacuate({ region: US, shards: [{ shard: SHARD, to: EU }] })).at;
    const { acceptLoss, actor, expectedEpoch, from, inputs, move, reason, shard, term, to } = decision();
    const about = { acceptLoss, actor, expectedEpoch, from, inputs, move, reason, term };
    log.say(EU, { kind: 'declined', ...about, shard, to, evacuation: null, codes: ['lag'] });
    expect(log.state.evacuations[0]!.shards[0]!.outcome).toBeNull();
    log.say(EU, {
      kind: 'declined',
      ...about,
      shard: shardAt(1),
      to: AP,
      evacuation: at,
      codes: ['residency'],
    });
    const moved = log.say(EU, decision({ evacuation: at })).at;
    expect(log.say(EU, decision({ evacuation: at, shard: shardAt(1), to: AP })).verdict).toBe('superseded');
    pass(log, moved, ...TO_THE_FENCE, 'fenced', 'folded', 'canary', 'open', 'placed', 'done');
    expect(log.state.evacuations).toMatchObject([
      {
        decision: at,
        shards: [
          { decision: moved, outcome: 'done' },
          { decision: 0n, outcome: 'declined' },
        ],
      },
      { decision: other, shards: [{ decision: 0n, outcome: null }] },
    ]);
    expect(log.say(AP, cancel(at))).toMatchObject({
      verdict: 'superseded',
      reason: `decision ${at} is not open`,
    });
  });

  test('that is cancelled ends its own moves and no other evacuation or move', () => {
    const log = ledByEu();
    const { at } = log.say(EU, two);
    const other = log.say(EU, evacuate({ region: AP, shards: [{ shard: shardAt(2), to: US }] })).at;
    log.say(EU, decision({ evacuation: at }));
    const free = log.say(EU, decision({ shard: shardAt(3) })).at;
    log.say(AP, cancel(at));
    expect(log.state.open.map(({ decision: number }) => number)).toEqual([free]);
    expect(log.state.evacuations).toMatchObject([
      { decision: at, isCancelled: true },
      { decision: other, isCancelled: false, shards: [{ outcome: null }] },
    ]);
    expect(log.say(EU, decision({ evacuation: at, shard: shardAt(1), to: AP })).verdict).toBe('superseded');
  });

  test('leaves its decided move to the end that the move comes to', () => {
    const log = ledByEu();
    const { at } = log.say(EU, evacuate());
    const moved = log.say(EU, decision({ evacuation: at })).at;
    expect(log.say(EU, decision({ evacuation: at })).verdict).toBe('refused');
    pass(log, moved, 'abort');
    expect(log.state.evacuations[0]!.shards).toMatchObject([{ decision: moved, outcome: 'cancelled' }]);
  });
});
