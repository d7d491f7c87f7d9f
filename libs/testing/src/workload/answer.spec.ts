import { describe, expect, test } from '@jest/globals';
import { answerProblem, answerWrite, problem, type Stage, type WriteFacts } from '@lockstep/protocol';
import { endedUnanswered, judgeAnswer, judgeBatchAnswer, type HeardAnswer } from './answer.js';
import type { Operation } from './operation.js';

const order: Operation = {
  op: 0,
  dataset: 'orders',
  key: 'run-k0',
  repeats: null,
  wrongVersion: false,
  ack: null,
  timeoutMs: 5_000,
  events: [{ key: 'eu:run-o0', type: 'placed', data: {}, expectedVersion: 0 }],
};
const reading: Operation = { ...order, dataset: 'readings', key: null };

const facts = (verdict: 'accepted' | 'guard' | null, stages: WriteFacts['stages']): WriteFacts => ({
  id: 'run-k0',
  dataset: 'orders' as WriteFacts['dataset'],
  shard: 'orders/0' as WriteFacts['shard'],
  traceId: '0',
  eventKeys: ['eu:run-o0'],
  judged: verdict === null ? null : { verdict, sequence: 9n as never, epoch: 1n, logIncarnation: null },
  stages,
});
const logged = { logged: { atMs: 1 } };
const accepted = { ...logged, accepted: { atMs: 2, region: 'eu' as never } };

/** As the gateway words it, so that this table cannot drift from what is really answered. */
const written = (told: WriteFacts, wanted: Stage, replayed = false): HeardAnswer => {
  const answer = answerWrite(told, wanted, replayed, '/v1/datasets/orders/receipts/run-k0');
  const headers = Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), value]);
  return { ...answer, headers: Object.fromEntries(headers) as HeardAnswer['headers'] };
};
const refused = (code: Parameters<typeof problem>[0]): HeardAnswer => answerProblem(problem(code, 'because'));

describe('an answer says', () => {
  test.each<[string, Operation, HeardAnswer, object]>([
    [
      'accepted at the stage asked for',
      order,
      written(facts('accepted', accepted), 'accepted'),
      { type: 'ok', status: 200, code: null, location: null },
    ],
    [
      'accepted, stage not reached in time',
      order,
      written(facts('accepted', accepted), 'quorum'),
      { type: 'ok', status: 202, code: null },
    ],
    [
      'unknown, with the place to ask',
      order,
      written(facts(null, logged), 'accepted'),
      { type: 'info', status: 202, code: null, location: '/v1/datasets/orders/receipts/run-k0' },
    ],
    [
      'logged, where no more was asked',
      reading,
      written(facts(null, logged), 'logged'),
      { type: 'ok', status: 200, receipt: expect.objectContaining({ outcome: 'unknown' }) },
    ],
    [
      'logged, where more was asked',
      order,
      written(facts(null, logged), 'logged'),
      { type: 'info', status: 200 },
    ],
    ['not even logged in time', reading, written(facts(null, {}), 'logged'), { type: 'info', status: 202 }],
    [
      'rejected by the fold',
      order,
      written(facts('guard', logged), 'accepted'),
      { type: 'fail', status: 409, code: 'guard', receipt: expect.objectContaining({ outcome: 'rejected' }) },
    ],
    [
      'a repeat of it',
      order,
      written(facts('guard', logged), 'accepted', true),
      { type: 'fail', replayed: true },
    ],
    [
      'a full queue',
      order,
      refused('too-many-requests'),
      { type: 'fail', status: 429, code: 'too-many-requests', receipt: null },
    ],
    ['no log', order, refused('log-unavailable'), { type: 'fail', status: 503 }],
    [
      'a schema that does not fit, before anything was appended',
      order,
      refused('schema'),
      { type: 'fail', status: 422 },
    ],
    ['no such dataset', order, refused('unknown-dataset'), { type: 'fail', status: 404 }],
    ['a defect', order, refused('internal'), { type: 'info', status: 500, code: 'internal' }],
    ['a conflict without a receipt', order, refused('version-conflict'), { type: 'info', status: 409 }],
    [
      '503 of somebody else',
      order,
      { status: 503, headers: {}, body: '<html>' },
      { type: 'info', code: 'unreadable-answer' },
    ],
    [
      '200 without a receipt',
      order,
      { status: 200, headers: {}, body: '{}' },
      { type: 'info', code: 'unreadable-answer' },
    ],
    [
      'half a receipt',
      order,
      { status: 200, headers: {}, body: '{"id":"run-k0","outco' },
      { type: 'info', code: 'unreadable-answer' },
    ],
    [
      'accepted under a status that does not fit',
      order,
      { ...written(facts('accepted', accepted), 'accepted'), status: 503 },
      { type: 'info', status: 503 },
    ],
  ])('%s', (_name, operation, answer, ending) => {
    expect(judgeAnswer(operation, answer)).toMatchObject(ending);
  });
});

test('without an answer an operation is open, unless it is certain that nothing was sent', () => {
  expect(endedUnanswered('ECONNRESET', false)).toMatchObject({
    type: 'info',
    status: null,
    code: 'ECONNRESET',
  });
  expect(endedUnanswered('ECONNREFUSED', true)).toMatchObject({
    type: 'fail',
    status: null,
    code: 'ECONNREFUSED',
  });
});

describe('in a batch', () => {
  const batch = (entries: readonly HeardAnswer[]): HeardAnswer => ({
    status: 207,
    headers: {},
    body: `{"entries":[${entries.map(({ body }) => body).join(',')}]}`,
  });

  test('each entry ends as a single write would have', () => {
    const singles = [
      written(facts('accepted', accepted), 'logged'),
      written(facts(null, logged), 'logged'),
      written(facts(null, {}), 'logged'),
      written(facts('guard', logged), 'logged'),
      refused('too-many-requests'),
    ];
    const endings = judgeBatchAnswer(
      singles.map(() => reading),
      batch(singles),
    );
    const alone = singles.map((answer) => judgeAnswer(reading, answer));
    // A batch names no place to ask again.
    expect(endings).toEqual(alone.map((ending) => ({ ...ending, location: null })));
    expect(endings.map(({ type }) => type)).toEqual(['ok', 'ok', 'info', 'fail', 'fail']);
  });

  test('a refusal of the whole call is one of each entry, a defect leaves each open', () => {
    const both = [reading, reading];
    expect(judgeBatchAnswer(both, refused('not-ready')).map(({ type }) => type)).toEqual(['fail', 'fail']);
    expect(judgeBatchAnswer(both, refused('internal')).map(({ type }) => type)).toEqual(['info', 'info']);
  });

  test('an answer of another length speaks of nobody', () => {
    const answer = batch([written(facts('accepted', accepted), 'logged')]);
    expect(judgeBatchAnswer([reading, reading], answer).map(({ type }) => type)).toEqual(['info', 'info']);
  });
});
