import { describe, expect, test } from '@jest/globals';
import { PROBLEMS, problem, type ProblemCode } from '@lockstep/protocol';
import { hearBatch, hearRow, hearWrite } from './hear-answer.js';

const receipt = {
  id: 'k',
  dataset: 'd',
  shard: 'd/0',
  outcome: 'accepted',
  stage: null,
  stages: {},
  traceId: 't',
};
const answer = (status: number, body: unknown, headers: Record<string, string> = {}) => ({
  status,
  headers,
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

describe('what an answer says of a write', () => {
  test('a receipt, told first or again', () => {
    expect(hearWrite(answer(200, receipt))).toEqual({ kind: 'receipt', receipt, replayed: false });
    expect(hearWrite(answer(202, receipt, { 'idempotent-replayed': 'true' }))).toMatchObject({
      replayed: true,
    });
  });

  test('a rejection, as a problem or as a receipt', () => {
    const rejection = { ...receipt, outcome: 'rejected', code: 'guard' };
    const told = problem('guard', 'entry k of d/0 was rejected: guard');
    expect(hearWrite(answer(409, { ...told, receipt: rejection }))).toMatchObject({
      kind: 'rejected',
      problem: told,
      receipt: rejection,
    });
    expect(hearWrite(answer(200, rejection))).toEqual({
      kind: 'rejected',
      problem: told,
      receipt: rejection,
    });
  });

  test.each(Object.keys(PROBLEMS) as ProblemCode[])('%s is heard as what it means for the write', (code) => {
    const { status } = PROBLEMS[code];
    const { kind } = hearWrite(answer(status, problem(code, '')));
    const isVerdict = ['version-conflict', 'guard', 'expired', 'schema', 'policy', 'key-reused'].includes(
      code,
    );
    if (status === 429 || status === 503) expect(kind).toBe('busy');
    else if (code === 'internal') expect(kind).toBe('silence');
    else expect(kind).toBe(isVerdict ? 'rejected' : 'refused');
  });

  test('busy says how long; a date or nonsense counts as a second', () => {
    const busy = (after: string) =>
      hearWrite(answer(503, problem('not-ready', ''), { 'retry-after': after }));
    expect(busy('7')).toMatchObject({ retryAfterMs: 7_000 });
    expect(busy('Wed, 21 Oct 2026 07:28:00 GMT')).toMatchObject({ retryAfterMs: 1_000 });
  });

  test.each([
    [200, '<html>'],
    [200, {}],
    [200, '[]'],
    [502, 'Bad Gateway'],
    [503, 'no problem document'],
    [404, ''],
  ])('what no gateway says (%d %j) is silence: the write may stand', (status, body) => {
    expect(hearWrite(answer(status, body))).toMatchObject({ kind: 'silence', mayStand: true });
  });
});

test('a batch is heard entry by entry; another answer is none of a batch', () => {
  const entries = [receipt, { ...problem('malformed', '') }, null];
  expect(hearBatch(answer(207, { entries }), 3)?.map(({ kind }) => kind)).toEqual([
    'receipt',
    'refused',
    'silence',
  ]);
  expect(hearBatch(answer(207, { entries }), 2)).toBeNull();
  expect(hearBatch(answer(413, problem('too-large', '')), 3)).toBeNull();
});

test('a row, none, or what was said instead', () => {
  const row = { key: 'eu:a', version: 3, row: { balance: 1 } };
  expect(hearRow(answer(200, row))).toEqual({ row });
  expect(hearRow(answer(404, problem('not-found', '')))).toEqual({ row: null });
  expect(hearRow(answer(404, problem('unknown-dataset', '')))).toMatchObject({ heard: { kind: 'refused' } });
  expect(hearRow(answer(412, problem('token-unreachable', '')))).toMatchObject({
    heard: { kind: 'refused' },
  });
});
