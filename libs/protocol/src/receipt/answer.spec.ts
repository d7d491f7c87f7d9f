/** Status, headers and body of every answer to a write; the codes and statuses that clients program against. */
import { describe, expect, test } from '@jest/globals';
import { EU, LOG_INCARNATION, SHARD, START_MS, US } from '../fold/fold.fixture.js';
import { epoch, sequence, type DatasetName } from '../identity/identity.js';
import { answerJson, answerProblem, answerWrite, isReached, type Answer } from './answer.js';
import { problem, PROBLEMS, type ProblemCode } from './problem.js';
import { toReceipt, type StageTimes, type ToldVerdictCode, type WriteFacts } from './receipt.js';

const LOGGED: StageTimes = { logged: { atMs: START_MS } };
const ACCEPTED: StageTimes = { ...LOGGED, accepted: { atMs: START_MS + 5, region: EU } };
const QUORUM: StageTimes = { ...ACCEPTED, quorum: { atMs: START_MS + 40, regions: [EU, US] } };
const LOCATION = '/v1/datasets/accounts/receipts/k?shard=accounts%2F0';

const facts = (verdict: ToldVerdictCode | null, stages: StageTimes): WriteFacts => ({
  id: 'k',
  dataset: 'accounts' as DatasetName,
  shard: SHARD,
  traceId: 'f'.repeat(32),
  eventKeys: ['eu:ada'],
  judged:
    verdict === null
      ? null
      : { verdict, sequence: sequence(7n), epoch: epoch(1n), logIncarnation: LOG_INCARNATION },
  stages,
});
const bodyOf = (answer: Answer): Record<string, unknown> =>
  JSON.parse(answer.body) as Record<string, unknown>;

describe('the answer to a write', () => {
  test('200 with the receipt where the stage was reached, without a Location', () => {
    const known = facts('accepted', QUORUM);
    const answer = answerWrite(known, 'quorum', false, LOCATION);
    expect(answer).toMatchObject({
      status: 200,
      code: null,
      headers: { 'Content-Type': 'application/json' },
    });
    expect(Object.keys(answer.headers)).toEqual(['Content-Type']);
    expect(bodyOf(answer)).toEqual(toReceipt(known));
  });

  test('202 with the verdict, where it is known and the stage was not reached in time', () => {
    const answer = answerWrite(facts('accepted', ACCEPTED), 'quorum', false, LOCATION);
    expect(answer).toMatchObject({ status: 202, headers: { Location: LOCATION } });
    expect(bodyOf(answer)).toMatchObject({ outcome: 'accepted', stage: 'accepted' });
  });

  test('202 and unknown where no verdict is known: no answer in time is not a rejection (I9)', () => {
    const answer = answerWrite(facts(null, LOGGED), 'accepted', false, LOCATION);
    expect(answer).toMatchObject({ status: 202, headers: { Location: LOCATION } });
    expect(bodyOf(answer)).toMatchObject({ outcome: 'unknown', stage: 'logged' });
  });

  test('a keyless write has no Location', () => {
    expect(answerWrite(facts(null, {}), 'logged', false, null).headers).toEqual({
      'Content-Type': 'application/json',
    });
  });

  test.each<[Exclude<ToldVerdictCode, 'accepted'>, number]>([
    ['version-conflict', 409],
    ['guard', 409],
    ['expired', 409],
    ['key-reused', 422],
    ['schema', 422],
    ['policy', 422],
    ['malformed', 400],
  ])(
    'a rejection as %s is %i, a problem that carries the receipt, even where the stage asked was reached',
    (verdict, status) => {
      const known = facts(verdict, LOGGED);
      const answer = answerWrite(known, 'logged', false, LOCATION);
      expect(answer).toMatchObject({
        status,
        code: verdict,
        headers: { 'Content-Type': 'application/problem+json' },
      });
      expect(answer.headers).not.toHaveProperty('Location');
      expect(bodyOf(answer)).toEqual({
        type: `urn:lockstep:problem:${verdict}`,
        title: PROBLEMS[verdict].title,
        status,
        code: verdict,
        detail: `entry k of accounts/0 was rejected: ${verdict}`,
        next: PROBLEMS[verdict].next,
        receipt: toReceipt(known),
      });
    },
  );

  test('a repeat answers as the first did, and says that it is one (I10)', () => {
    for (const known of [facts('accepted', QUORUM), facts('accepted', ACCEPTED), facts('guard', LOGGED)]) {
      const first = answerWrite(known, 'quorum', false, LOCATION);
      const again = answerWrite(known, 'quorum', true, LOCATION);
      expect(again).toEqual({ ...first, headers: { ...first.headers, 'Idempotent-Replayed': 'true' } });
    }
  });
});

describe('a stage is reached', () => {
  test.each([
    ['logged', {}, false],
    ['logged', LOGGED, true],
    ['accepted', LOGGED, false],
    ['accepted', ACCEPTED, true],
    ['quorum', ACCEPTED, false],
    ['everywhere', QUORUM, false],
    ['everywhere', { everywhere: { atMs: 1 } }, true],
    ['accepted', { quorum: { atMs: 1, regions: [EU] } }, true],
    ['stored', {}, false],
    ['stored', LOGGED, true],
  ] as const)('%s by %j: %s', (wanted, stages, expected) => {
    expect(isReached(facts('accepted', stages), wanted)).toBe(expected);
  });
});

describe('problems', () => {
  test('each code has the status that the contract names', () => {
    const statuses = Object.fromEntries(Object.entries(PROBLEMS).map(([code, { status }]) => [code, status]));
    expect(statuses).toEqual({
      malformed: 400,
      'bad-token': 400,
      'unknown-dataset': 404,
      'not-found': 404,
      'not-seen': 404,
      'never-or-expired': 404,
      'version-conflict': 409,
      guard: 409,
      expired: 409,
      'several-shards-hit': 409,
      'move-refused': 409,
      'move-ended': 409,
      'not-paused': 409,
      'feed-expired': 410,
      'token-unreachable': 412,
      'too-large': 413,
      'not-owner': 421,
      'key-reused': 422,
      schema: 422,
      'unknown-group': 422,
      'several-shards': 422,
      policy: 422,
      'rule-refused': 422,
      'approval-needed': 409,
      'outbox-only': 409,
      'entry-settled': 409,
      'entry-may-stand': 409,
      'reapply-too-late': 409,
      'too-many-requests': 429,
      internal: 500,
      'not-yet': 501,
      'log-unavailable': 503,
      'control-unavailable': 503,
      'no-leader': 503,
      'home-unavailable': 503,
      'home-opening': 503,
      'not-ready': 503,
      'store-unavailable': 503,
      'region-differs': 503,
      'shard-halted': 503,
    } satisfies { readonly [code in ProblemCode]: number });
  });

  test('each says in sentences what happened and what to do next', () => {
    for (const { next, title } of Object.values(PROBLEMS)) {
      expect(title).toMatch(/^[A-Z].*[^.]$/);
      expect(next).toMatch(/^[A-Z].*\.$/);
    }
  });

  test('a key known in several shards is told under the code of keys in several shards, as 409', () => {
    expect(problem('several-shards-hit', 'here and there')).toMatchObject({
      type: 'urn:lockstep:problem:several-shards',
      code: 'several-shards',
      status: 409,
      detail: 'here and there',
    });
    expect(problem('several-shards', '')).toMatchObject({ code: 'several-shards', status: 422 });
  });

  test('is answered as problem+json with its own status and further headers', () => {
    const refusal = problem('too-many-requests', 'the queue of accounts/0 is full');
    expect(answerProblem(refusal, { 'Retry-After': '1' })).toEqual({
      status: 429,
      code: 'too-many-requests',
      headers: { 'Retry-After': '1', 'Content-Type': 'application/problem+json' },
      body: JSON.stringify(refusal),
    });
  });

  test('anything else is plain JSON', () => {
    expect(answerJson(200, { a: 1 })).toEqual({
      status: 200,
      code: null,
      headers: { 'Content-Type': 'application/json' },
      body: '{"a":1}',
    });
  });
});
