/** Moves as an operator sees them: asked before they are made, followed to their end, and told as they are. */
import { describe, expect, test } from '@jest/globals';
import { run, type FakeAnswer } from './coordinator.fixture.js';

const SWITCHOVER = 'POST /v1/shards/accounts/0/switchover';
const FAILOVER = 'POST /v1/shards/accounts/0/failover';
const EVACUATE = 'POST /v1/regions/eu/evacuate';
const POLL = 'GET /v1/decisions?decision=31';

const ok = (body: object): FakeAnswer => ({ status: 200, body });
const underWay = (body: object): FakeAnswer => ({ status: 202, body });
const STAGES = ['decided', 'caught-up', 'parked', 'drained', 'fencing', 'fenced', 'folded', 'open', 'done'];

/** The move of accounts/0 as it stands after so many stages. */
function decision(stages: number, changes: object = {}) {
  const passed = STAGES.slice(0, stages);
  const last = passed.at(-1);
  return {
    decision: 31,
    move: 'switchover',
    shard: 'accounts/0',
    from: 'eu',
    to: 'us',
    epoch: 4,
    outcome: last === 'done' ? 'done' : null,
    stage: last,
    stages: passed.map((stage, index) => ({
      stage,
      sequence: 31 + index,
      at: `2026-11-21T08:00:0${index}Z`,
    })),
    detail: '',
    ...changes,
  };
}
const DONE = decision(STAGES.length);
const listed = (...decisions: readonly object[]): FakeAnswer => ok({ decisions });

function preflight(allowed: boolean, changes: object = {}) {
  return {
    shard: 'accounts/0',
    from: 'eu',
    to: 'us',
    move: 'switchover',
    allowed,
    checks: [
      { code: 'connected', passed: true, detail: 'us is connected', next: '' },
      { code: 'lag', passed: allowed, detail: '12 records behind', next: 'Wait until us is near.' },
    ],
    recordsToFold: 12,
    foldRecordsPerSecond: null,
    expectedMs: null,
    worstMs: null,
    measuredMoves: 0,
    entriesLost: 0,
    atRisk: { logged: 12, accepted: 12, quorum: 0 },
    loss: 'Nothing is lost while the log survives.',
    expectedUnknown: 'no finished move tells how long one takes',
    ...changes,
  };
}

const MOVE = ['switchover', 'accounts/0', 'us', '--reason', 'eu is slow'];
const BODY = { to: 'us', reason: 'eu is slow' };

describe('a move', () => {
  test('that is done in time tells its stages and where the shard is', async () => {
    const { asked, code, err, out } = await run({ [SWITCHOVER]: [ok(DONE)] }, [...MOVE, '--yes']);
    expect(code).toBe(0);
    expect(asked).toEqual([{ call: SWITCHOVER, body: { ...BODY, timeoutMs: 2_000 } }]);
    expect(err.split('\n')).toEqual(
      STAGES.map((stage, index) => `2026-11-21T08:00:0${index}Z accounts/0 ${stage}`),
    );
    expect(out).toBe('Decision 31, switchover of accounts/0 from eu to us, epoch 4: done');
  });

  test('that takes longer is followed: each stage is told once, and the end', async () => {
    const script = {
      [SWITCHOVER]: [underWay(decision(2))],
      // It has not folded so far; then it has; then it goes away for a while; at last it is over.
      [POLL]: [
        listed(),
        listed(decision(4)),
        'gone',
        { status: 503, body: { code: 'not-ready' } },
        listed(DONE),
      ],
    } as const;
    const { asked, code, err, out } = await run(script, [...MOVE, '--yes', '--json']);
    expect(code).toBe(0);
    expect(asked).toHaveLength(6);
    const [first, ...stages] = err.split('\n');
    expect(first).toBe('Decision 31 is under way.');
    expect(stages.map((line) => line.split(' ').at(-1))).toEqual(STAGES);
    expect(JSON.parse(out)).toEqual(DONE);
  });

  test('that is not over in the time given exits 1, and says that it goes on', async () => {
    const script = { [SWITCHOVER]: [underWay(decision(3))], [POLL]: [listed(decision(3))] };
    const { asked, code, err, out } = await run(script, [...MOVE, '--yes', '--timeout', '1']);
    expect(code).toBe(1);
    expect(asked[0]?.body).toEqual({ ...BODY, timeoutMs: 1_000 });
    expect(out).toContain('epoch 4: parked');
    expect(err).toContain('Decision 31 is not over after 1 s (parked); it goes on by itself');
  });

  test('whose coordinator stays away exits 1 with what is wrong', async () => {
    const script = { [SWITCHOVER]: [underWay(decision(3))], [POLL]: ['gone'] } as const;
    const { code, err } = await run(script, [...MOVE, '--yes', '--timeout', '1']);
    expect(code).toBe(1);
    expect(err).toMatch(/Decision 31 is under way[^]*does not answer/);
  });

  test('that ended otherwise exits 1 with its outcome', async () => {
    const lost = decision(5, { outcome: 'lost', detail: 'lost to epoch 5' });
    const refused = { status: 409, body: { code: 'move-ended', detail: 'lost to epoch 5', decision: lost } };
    const { code, err, out } = await run({ [SWITCHOVER]: [refused] }, [...MOVE, '--yes', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual(lost);
    expect(err).toContain('accounts/0 was not moved to us: the decision ended as lost.');
  });

  test('that is refused exits 1 and shows which check refused it, and what to do', async () => {
    const { checks } = preflight(false);
    const refused = { status: 409, body: { code: 'move-refused', detail: 'refused by lag', checks } };
    const { code, err, out } = await run({ [SWITCHOVER]: [refused] }, [...MOVE, '--yes']);
    expect(code).toBe(1);
    expect(cells(out, 'lag')).toEqual(['lag', 'no', '12 records behind', 'Wait until us is near.']);
    expect(cells(out, 'connected')).toEqual(['connected', 'yes', 'us is connected', '']);
    expect(err).toContain('409: move-refused: refused by lag');
  });

  test('that nobody can say was decided is unknown, not failed', async () => {
    const unknown = underWay({ decision: null, outcome: 'unknown' });
    const { asked, code, err } = await run({ [SWITCHOVER]: [unknown] }, [...MOVE, '--yes']);
    expect(code).toBe(1);
    expect(asked).toHaveLength(1);
    expect(err).toContain(
      'whether it was decided is not known. npx lockstep decisions accounts/0 will tell.',
    );
  });

  test.each(['no-leader', 'control-unavailable'])('refused because of %s exits 1', async (why) => {
    const refused = { status: 503, body: { code: why, detail: 'nobody' } };
    const { asked, code, err } = await run({ [SWITCHOVER]: [refused] }, [...MOVE, '--yes']);
    expect([code, asked.length]).toEqual([1, 1]);
    expect(err).toContain(`503: ${why}: nobody`);
  });

  test('without the home may take a loss, and shows what the coordinator says to that', async () => {
    const done = { ...DONE, move: 'failover', detail: 'the log survives: no loss had to be accepted' };
    const words = ['failover', 'accounts/0', 'us', '--reason', 'eu is lost', '--yes'];
    const { asked, code, out } = await run({ [FAILOVER]: [ok(done)] }, [...words, '--accept-loss']);
    expect(code).toBe(0);
    expect(asked[0]?.body).toEqual({ to: 'us', reason: 'eu is lost', acceptLoss: true, timeoutMs: 2_000 });
    expect(out).toContain('done (the log survives: no loss had to be accepted)');
  });
});

describe('before a move', () => {
  test('a terminal is asked, knowing the home of now and the cost', async () => {
    const script = { [SWITCHOVER]: [ok(preflight(true)), ok(DONE)] };
    const { asked, code, err } = await run(script, MOVE, 'y\n');
    expect(code).toBe(0);
    expect(asked.map(({ body }) => body)).toEqual([
      { ...BODY, dryRun: true },
      { ...BODY, timeoutMs: 2_000 },
    ]);
    expect(err).toContain('from eu to us: 12 records to fold, about ? ms, 0 entries lost');
    expect(err).toContain('move accounts/0 from eu to us? [y/N] ');
  });

  test.each(['n\n', '\n', 'yea\n', ''])('%j means no', async (typed) => {
    const { asked, code, err } = await run({ [SWITCHOVER]: [ok(preflight(true))] }, MOVE, typed);
    expect([code, asked.length]).toEqual([1, 1]);
    expect(err).toContain('Nothing was done.');
  });

  test('nobody is asked about a move that would be refused', async () => {
    const { asked, code, err, out } = await run({ [SWITCHOVER]: [ok(preflight(false))] }, MOVE, 'y\n');
    expect([code, asked.length]).toEqual([1, 1]);
    expect(cells(out, 'lag')?.[1]).toBe('no');
    expect(err).toContain('accounts/0 cannot be moved to us now: lag.');
    expect(err).not.toContain('[y/N]');
  });

  test.each([
    MOVE,
    ['failover', ...MOVE.slice(1)],
    ['evacuate', 'eu', '--reason', 'a'],
    ['cancel', '31', '--reason', 'a'],
    ['pause', 'all', '--reason', 'a', '--for', '1m'],
    ['resume', 'all', '--reason', 'a'],
  ])('without a terminal %s needs --yes', async (...words) => {
    const { asked, code, err } = await run({}, words);
    expect([code, asked]).toEqual([2, []]);
    expect(err).toContain('Say --yes: stdin is no terminal');
  });

  test('a dry run shows the checks and decides nothing', async () => {
    const script = { [SWITCHOVER]: [ok(preflight(true))] };
    const { asked, code, out } = await run(script, [...MOVE, '--dry-run']);
    expect(code).toBe(0);
    expect(asked).toEqual([{ call: SWITCHOVER, body: { ...BODY, dryRun: true } }]);
    expect(cells(out, 'lag')).toEqual(['lag', 'yes', '12 records behind', '']);
    expect(out.split('\n').slice(1, 4)).toEqual([
      'In words: nothing is lost; how long nobody takes writes is not known; the next home lacks at most 12 entries (12 told as accepted, 0 at quorum), which the log still holds.',
      'Nothing is lost while the log survives.',
      'No time is given because no finished move tells how long one takes.',
    ]);
  });

  test.each([
    [[], 'switchover', true, 0],
    [['--failover'], 'failover', false, 1],
  ])('a preflight %j tells what a %s would cost', async (more, move, allowed, expected) => {
    const call = `GET /v1/preflight?shard=accounts%2F0&to=us&move=${move}`;
    const answer = preflight(allowed, { move });
    const { code, out } = await run({ [call]: [ok(answer)] }, [
      'preflight',
      'accounts/0',
      'us',
      '--json',
      ...more,
    ]);
    expect(code).toBe(expected);
    expect(JSON.parse(out)).toEqual(answer);
  });
});

describe('an evacuation', () => {
  const WORDS = ['evacuate', 'eu', '--reason', 'storm'];
  const evacuation = (number: number | null, first: string | null, second: string | null) => ({
    evacuation: number,
    region: 'eu',
    shards: [
      { shard: 'accounts/0', to: 'us', decision: number === null ? null : 41, outcome: first },
      { shard: 'orders/0', to: 'ap', decision: second === null ? null : 42, outcome: second },
    ],
  });
  const history = (body: object): FakeAnswer =>
    ok({ terms: [], flags: [], evacuations: [evacuation(7, 'lost', null), body] });

  test('is asked about with its plan, then followed until every move is over', async () => {
    const script = {
      [EVACUATE]: [ok(evacuation(null, null, null)), underWay(evacuation(40, null, null))],
      'GET /v1/history': [
        history(evacuation(40, 'done', null)),
        'gone',
        history(evacuation(40, 'done', 'done')),
      ],
    } as const;
    const words = [...WORDS, '--failover', '--concurrency', '4'];
    const { asked, code, err, out } = await run(script, words, 'yes\n');
    expect(code).toBe(0);
    const body = { reason: 'storm', move: 'failover', concurrency: 4 };
    expect(asked.slice(0, 2).map((each) => each.body)).toEqual([
      { ...body, dryRun: true },
      { ...body, timeoutMs: 2_000 },
    ]);
    expect(err).toContain('move 2 shards away from eu? [y/N] ');
    expect(err.match(/^.*: done$/gm)).toEqual(['accounts/0 to us: done', 'orders/0 to ap: done']);
    expect(cells(out, 'orders/0')).toEqual(['orders/0', 'ap', '42', 'done']);
  });

  test('of which a move failed exits 1', async () => {
    const ended = evacuation(40, 'done', 'cancelled');
    const { asked, code, err, out } = await run({ [EVACUATE]: [ok(ended)] }, [...WORDS, '--yes', '--json']);
    expect(code).toBe(1);
    expect(asked[0]?.body).toEqual({ reason: 'storm', timeoutMs: 2_000 });
    expect(JSON.parse(out)).toEqual(ended);
    expect(err).toContain('1 of 2 shards were not moved.');
  });

  test('that is not over in time exits 1, and says that it goes on', async () => {
    const script = {
      [EVACUATE]: [underWay(evacuation(40, null, null))],
      'GET /v1/history': [history(evacuation(40, 'done', null))],
    };
    const { code, err } = await run(script, [...WORDS, '--yes', '--timeout', '1']);
    expect(code).toBe(1);
    expect(err).toContain('1 moves are not over after 1 s; they go on by themselves.');
  });

  test('is shown by a dry run, and nothing is moved', async () => {
    const script = { [EVACUATE]: [ok(evacuation(null, null, null))] };
    const { asked, code, out } = await run(script, [...WORDS, '--dry-run']);
    expect(code).toBe(0);
    expect(asked).toEqual([{ call: EVACUATE, body: { reason: 'storm', dryRun: true } }]);
    expect(cells(out, 'accounts/0')).toEqual(['accounts/0', 'us', '-', '-']);
  });
});

describe('a cancellation', () => {
  const CANCEL = 'POST /v1/decisions/31/cancel';
  const WORDS = ['cancel', '31', '--reason', 'no longer'];

  test('is asked about, and followed until the move has ended', async () => {
    const cancelled = decision(3, { outcome: 'cancelled' });
    const script = { [CANCEL]: [ok(decision(3))], [POLL]: [listed(cancelled)] };
    const { asked, code, err, out } = await run(script, WORDS, 'y\n');
    expect(code).toBe(0);
    expect(err).toContain('cancel decision 31? [y/N] ');
    expect(asked[0]).toEqual({ call: CANCEL, body: { reason: 'no longer' } });
    expect(out).toContain('epoch 4: cancelled');
  });

  test('that came too late exits 1', async () => {
    const { code, err } = await run({ [CANCEL]: [ok(DONE)] }, [...WORDS, '--yes']);
    expect(code).toBe(1);
    expect(err).toContain('Decision 31 was not cancelled: it ended as done.');
  });

  test('of a decision that nobody knows exits 1', async () => {
    const { code, err } = await run({}, [...WORDS, '--yes']);
    expect(code).toBe(1);
    expect(err).toContain('404: not-found');
  });
});

describe('decisions', () => {
  test('are told in words, newest first, those of the governor among them', async () => {
    const decisions = [decision(3, { reason: 'eu is slow', actor: 'ada' }), { ...DONE, decision: 12 }];
    const held = { decision: 20, act: 'held', region: 'eu', at: 'then', votes: [], checks: [], shards: [] };
    const answer = ok({ decisions, governed: [held] });
    const { code, out } = await run({ 'GET /v1/decisions': [answer] }, ['decisions']);
    expect(code).toBe(0);
    expect(out.split('\n\n').map((paragraph) => paragraph.split('\n')[0])).toEqual([
      '31  2026-11-21T08:00:00Z  switchover of accounts/0 from eu to us: under way, parked',
      '20  then  the governor looked at eu and moves nothing',
      '12  2026-11-21T08:00:00Z  switchover of accounts/0 from eu to us: done',
    ]);
  });

  test('of one shard are JSON for programs', async () => {
    const call = 'GET /v1/decisions?shard=accounts%2F0';
    const { out } = await run({ [call]: [listed(DONE)] }, ['decisions', 'accounts/0', '--json']);
    expect(JSON.parse(out)).toEqual({ decisions: [DONE] });
  });
});

test.each([
  [['switchover', 'accounts/0', 'us'], '--reason'],
  [['switchover', 'accounts', 'us', '--reason', 'a'], 'A shard is written like accounts/0, not accounts.'],
  [['switchover', 'accounts/0/../1', 'us', '--reason', 'a'], 'A shard is written like'],
  [['switchover', 'accounts/0', 'us', '--reason', 'a', '--accept-loss'], "unknown option '--accept-loss'"],
  [[...MOVE, '--timeout', '0'], 'Expected whole seconds from 1 to 3600'],
  [[...MOVE, '--timeout', '1h'], 'Expected whole seconds'],
  [['evacuate', 'eu', '--reason', 'a', '--concurrency', 'all'], 'Expected a whole number'],
  [['cancel', 'x', '--reason', 'a', '--yes'], 'A decision is named by its number, not by x'],
])('lockstep %j cannot be meant so, and asks nobody', async (words, sentence) => {
  const { asked, code, err } = await run({}, words);
  expect([code, asked]).toEqual([2, []]);
  expect(err).toContain(sentence);
});

/** The row of a printed table that begins so. */
const cells = (printed: string, first: string): readonly string[] | undefined =>
  printed
    .split('\n')
    .map((line) =>
      line
        .split('│')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .find(([cell]) => cell === first);
