/** Ten decisions as a stranger reads them: moves of every end, and what the governor did, and did not do, by itself. */
import { expect, test } from '@jest/globals';
import { wordsOfDecisions, type Decision, type Governed, type Predicted } from './decision-words.js';

const at = (second: number, ms = 0): string =>
  `2026-11-22T06:10:${String(second).padStart(2, '0')}.${String(ms).padStart(3, '0')}Z`;

const said = (change: Partial<Predicted> = {}): Predicted => ({
  entriesLost: 0,
  atRisk: { logged: 0, accepted: 0, quorum: 0 },
  recordsToFold: 0,
  foldRecordsPerSecond: null,
  expectedMs: 420,
  worstMs: 610,
  measuredMoves: 7,
  ...change,
});

const move = (change: Partial<Decision>): Decision => ({
  decision: 1,
  move: 'switchover',
  shard: 'accounts/0',
  from: 'eu',
  to: 'us',
  epoch: 2,
  outcome: 'done',
  stage: 'done',
  stages: [
    { stage: 'decided', sequence: 1, at: at(1) },
    { stage: 'fencing', sequence: 5, at: at(1, 90) },
    { stage: 'open', sequence: 9, at: at(1, 480) },
    { stage: 'done', sequence: 11, at: at(1, 530) },
  ],
  detail: 'us is home; broker 2 in us leads its log',
  reason: 'maintenance of eu',
  actor: 'ada',
  evacuation: null,
  ...change,
});

const governed = (change: Partial<Governed>): Governed => ({
  decision: 1,
  act: 'held',
  region: 'eu',
  at: at(0),
  votes: [
    {
      observer: 'us',
      kinds: ['silent', 'canary'],
      evidence: 'none of its streams is connected; 3 canaries in 900 ms failed',
      at: at(0),
    },
  ],
  checks: [
    { code: 'agreed', passed: true, detail: '2 observers find eu unfit (ap, us), 2 must' },
    { code: 'plausible', passed: true, detail: 'most regions are fit' },
  ],
  shards: [],
  ...change,
});

const told: readonly (readonly [string, Decision | Governed, readonly string[]])[] = [
  [
    'a switchover that took less than was said',
    move({
      decision: 12,
      predicted: said(),
      real: { gapMs: 390, entriesLost: 0 },
      score: { gapErrorMs: -30, lossCovered: true },
    }),
    [
      '12  2026-11-22T06:10:01.000Z  switchover of accounts/0 from eu to us: done',
      '    wanted by ada: "maintenance of eu"; once it is done the shard is in epoch 2',
      '    ended: us is home; broker 2 in us leads its log',
      '    said before: nothing is lost; nobody takes writes for about 420 ms, 610 ms as the worst (as 7 moves before it); the next home lacks nothing',
      '    came: nothing is lost; nobody took writes for 390 ms, 30 ms less than was said',
      '    stages: decided, fencing +90 ms, open +480 ms, done +530 ms',
    ],
  ],
  [
    'the first move of a cluster',
    move({
      decision: 11,
      predicted: said({ expectedMs: null, worstMs: null, measuredMoves: 0 }),
      real: { gapMs: 390, entriesLost: 0 },
      score: { gapErrorMs: null, lossCovered: true },
    }),
    [
      '    said before: nothing is lost; how long nobody takes writes is not known; the next home lacks nothing',
      '    came: nothing is lost; nobody took writes for 390 ms',
    ],
  ],
  [
    'a failover to a region that was behind, and took longer',
    move({
      decision: 10,
      move: 'failover',
      predicted: said({ atRisk: { logged: 30, accepted: 25, quorum: null }, worstMs: 420, measuredMoves: 1 }),
      real: { gapMs: 500, entriesLost: 0 },
      score: { gapErrorMs: 80, lossCovered: true },
    }),
    [
      '    said before: nothing is lost; nobody takes writes for about 420 ms (as 1 move before it); the next home lacks at most 30 entries (25 told as accepted, an unknown number at quorum), which the log still holds',
      '    came: nothing is lost; nobody took writes for 500 ms, 80 ms longer than was said',
    ],
  ],
  [
    'a move that was cancelled',
    move({
      decision: 9,
      outcome: 'cancelled',
      detail: 'cancelled by bob: not now',
      predicted: said(),
      real: { gapMs: null, entriesLost: 0 },
      score: { gapErrorMs: null, lossCovered: true },
    }),
    [
      '9  2026-11-22T06:10:01.000Z  switchover of accounts/0 from eu to us: cancelled',
      '    ended: cancelled by bob: not now',
      '    came: nothing is lost; the home stayed',
    ],
  ],
  [
    'a move that another fence overtook',
    move({
      decision: 8,
      outcome: 'lost',
      detail: 'ap owns epoch 2',
      predicted: said({ entriesLost: null, atRisk: { logged: null, accepted: null, quorum: null } }),
      real: { gapMs: null, entriesLost: null },
      score: { gapErrorMs: null, lossCovered: null },
    }),
    [
      '    said before: what is lost is not known; nobody takes writes for about 420 ms, 610 ms as the worst (as 7 moves before it); what the next home lacks is not known',
      '    came: what is lost is not known; how long nobody took writes is not known',
    ],
  ],
  [
    'a move from before there were predictions',
    move({ decision: 7, predicted: null, real: { gapMs: 390, entriesLost: 0 } }),
    ['    said before: nothing, it was not predicted'],
  ],
  [
    'a move of the governor that is under way',
    move({
      decision: 6,
      move: 'failover',
      outcome: null,
      stage: 'fenced',
      detail: '',
      actor: 'governor',
      reason: 'eu is unfit, say ap and us',
      evacuation: 5,
      predicted: said(),
    }),
    [
      '6  2026-11-22T06:10:01.000Z  failover of accounts/0 from eu to us: under way, fenced',
      '    wanted by governor, as part of 5: "eu is unfit, say ap and us"; once it is done the shard is in epoch 2',
    ],
  ],
  [
    'a failover that the governor decided',
    governed({
      decision: 5,
      act: 'fail-over',
      votes: ['ap', 'us'].map((observer) => ({ ...governed({}).votes[0]!, observer })),
      shards: [
        { shard: 'accounts/0', to: 'us', decision: 6, outcome: null },
        { shard: 'accounts/1', to: 'us', decision: null, outcome: null },
      ],
    }),
    [
      '5  2026-11-22T06:10:00.000Z  the governor moves every shard away from eu that it may move, without a person',
      '    ap finds eu unfit (silent, canary): none of its streams is connected; 3 canaries in 900 ms failed',
      '    us finds eu unfit (silent, canary): none of its streams is connected; 3 canaries in 900 ms failed',
      '    checked and met: 2 observers find eu unfit (ap, us), 2 must; most regions are fit',
      '    moves: accounts/0 to us (decision 6, under way); accounts/1 to us (not decided, under way)',
    ],
  ],
  [
    'one that it did not decide, because one observer alone complained',
    governed({
      decision: 4,
      checks: [
        { code: 'agreed', passed: false, detail: '1 observers find eu unfit (us), 2 must' },
        { code: 'plausible', passed: true, detail: 'most regions are fit' },
      ],
    }),
    [
      '4  2026-11-22T06:10:00.000Z  the governor looked at eu and moves nothing',
      '    forbidden by: agreed (1 observers find eu unfit (us), 2 must)',
      '    us finds eu unfit (silent, canary): none of its streams is connected; 3 canaries in 900 ms failed',
      '    checked and met: most regions are fit',
    ],
  ],
  [
    'one that a pause and the cool-down forbade',
    governed({
      decision: 3,
      votes: [],
      checks: [
        { code: 'paused', passed: false, detail: 'pause 2 covers it' },
        { code: 'cool-down', passed: false, detail: 'it was failed over 90000 ms ago' },
      ],
    }),
    ['    forbidden by: paused (pause 2 covers it); cool-down (it was failed over 90000 ms ago)'],
  ],
];

const isGoverned = (one: Decision | Governed): one is Governed => 'act' in one;
const words = (all: readonly (Decision | Governed)[]): string =>
  wordsOfDecisions(
    all.filter((one): one is Decision => !isGoverned(one)),
    all.filter(isGoverned),
    [],
  );

test.each(told)('%s', (_, decision, lines) => {
  const paragraph = words([decision]).split('\n');
  expect(paragraph.filter((line) => lines.includes(line))).toEqual(lines);
  const unsaid = /undefined|null|NaN|\[object/;
  expect(paragraph.join('\n')).not.toMatch(unsaid);
});

test('all of them stand in one order, the newest first, whoever decided', () => {
  const numbers = words(told.map(([, decision]) => decision).toReversed())
    .split('\n\n')
    .map((paragraph) => Number(paragraph.split('  ')[0]));
  expect(numbers).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
  expect(words([])).toBe('Nothing has been decided.');
});

test('a loss that was accepted names the second person, and an approval that holds stands among the decisions', () => {
  const accepted = move({ decision: 9, move: 'failover', lossAgreed: { approval: 8, actor: 'bob' } });
  expect(words([accepted])).toContain('    loss accepted: bob agreed (approval 8)');
  const approval = { approval: 11, shard: 'orders/1', to: 'ap', actor: 'eve', until: at(9) };
  const [first, second] = wordsOfDecisions([accepted], [], [approval]).split('\n\n');
  expect(first).toBe(
    `11  eve agrees until ${at(9)} that a failover of orders/1 to ap by another person may lose what ap lacks`,
  );
  expect(second).toMatch(/^9 /);
});

test('a loss beyond what was said cannot be overlooked', () => {
  const lost = move({
    predicted: said(),
    real: { gapMs: 390, entriesLost: 2 },
    score: { gapErrorMs: 0, lossCovered: false },
  });
  expect(words([lost])).toContain(
    '    came: 2 entries lost, MORE THAN WAS SAID; nobody took writes for 390 ms, as was said',
  );
});
