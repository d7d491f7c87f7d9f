/** Bodies and queries about homes: what is left out has its stated value, and nothing is guessed. */
import { describe, expect, test } from '@jest/globals';
import {
  readReasonRequest,
  readControlPageQuery,
  readDecisionNumber,
  readDecisionsQuery,
  readApproveRequest,
  readEvacuateRequest,
  readMoveRequest,
  readPreflightQuery,
} from './move-request.js';

const refusedAs = (detail: RegExp): object => ({
  kind: 'refused',
  problem: { code: 'malformed', detail: expect.stringMatching(detail) },
});

describe('a move', () => {
  const body = (changes: object = {}): string =>
    JSON.stringify({ to: 'us', reason: 'eu is slow', ...changes });

  test('is meant in earnest and takes no loss unless it says so', () => {
    expect(readMoveRequest(body())).toEqual({
      kind: 'read',
      value: {
        to: 'us',
        reason: 'eu is slow',
        dryRun: false,
        acceptLoss: false,
        timeoutMs: 10_000,
        actor: null,
      },
    });
    expect(readMoveRequest(body({ dryRun: true, acceptLoss: true, timeoutMs: 7 }))).toMatchObject({
      value: { dryRun: true, acceptLoss: true, timeoutMs: 7 },
    });
  });

  test.each([
    ['no JSON', '{', /JSON/],
    ['an unknown name', body({ force: true }), /unknown name "force"/],
    ['no region', body({ to: undefined }), /"to" must name the region/],
    ['a region that is none', body({ to: 'US' }), /"to" must name the region/],
    ['no reason', body({ reason: ' ' }), /"reason" must say why/],
    ['a flag as text', body({ dryRun: 'false' }), /"dryRun" must be true or false/],
    ['a flag as null', body({ acceptLoss: null }), /"acceptLoss" must be true or false/],
    ['no time at all', body({ timeoutMs: 0 }), /"timeoutMs"/],
    ['an actor without a name', body({ actor: '' }), /"actor" must name a person/],
    ['an actor with spaces', body({ actor: 'ann a' }), /"actor" must name a person/],
    ['the governor as its actor', body({ actor: 'governor' }), /"actor" must name a person/],
  ])('with %s is refused', (_, text, detail) => {
    expect(readMoveRequest(text)).toMatchObject(refusedAs(detail));
  });
});

describe('an approval', () => {
  const body = (changes: object = {}): string => JSON.stringify({ to: 'us', reason: 'seen', ...changes });

  test('names the region, the reason, and whose word it is where that is not known otherwise', () => {
    expect(readApproveRequest(body())).toEqual({
      kind: 'read',
      value: { to: 'us', reason: 'seen', actor: null },
    });
    expect(readApproveRequest(body({ actor: 'bob' }))).toMatchObject({ value: { actor: 'bob' } });
  });

  test.each([
    ['an unknown name', body({ shard: 'accounts/0' }), /unknown name "shard"/],
    ['no region', body({ to: undefined }), /"to" must name the region/],
    ['no reason', body({ reason: '' }), /"reason" must say why/],
    ['an actor that is no text', body({ actor: 7 }), /"actor" must name a person/],
  ])('with %s is refused', (_, text, detail) => {
    expect(readApproveRequest(text)).toMatchObject(refusedAs(detail));
  });
});

describe('an evacuation', () => {
  const body = (changes: object = {}): string => JSON.stringify({ reason: 'storm', ...changes });

  test('is two switchovers at once unless it says otherwise', () => {
    expect(readEvacuateRequest(body())).toEqual({
      kind: 'read',
      value: { move: 'switchover', concurrency: 2, reason: 'storm', dryRun: false, timeoutMs: 10_000 },
    });
    const asked = { move: 'failover', concurrency: 16, dryRun: true, timeoutMs: 60_000 };
    expect(readEvacuateRequest(body(asked))).toMatchObject({ value: asked });
    expect(readEvacuateRequest(body({ concurrency: 1 }))).toMatchObject({ value: { concurrency: 1 } });
  });

  test.each([
    ['a region in its body', body({ region: 'eu' }), /unknown name "region"/],
    ['no reason', '{}', /"reason" must say why/],
    ['another kind of move', body({ move: 'evacuate' }), /"move" must be "switchover" or "failover"/],
    ['none at once', body({ concurrency: 0 }), /"concurrency".*between 1 and 16/],
    ['too many at once', body({ concurrency: 17 }), /"concurrency".*between 1 and 16/],
    ['half a move', body({ concurrency: 1.5 }), /"concurrency"/],
    ['a number as text', body({ concurrency: '2' }), /"concurrency"/],
    ['a dry run as number', body({ dryRun: 1 }), /"dryRun"/],
    ['an endless wait', body({ timeoutMs: 60_001 }), /"timeoutMs"/],
  ])('with %s is refused', (_, text, detail) => {
    expect(readEvacuateRequest(text)).toMatchObject(refusedAs(detail));
  });
});

describe('a preflight', () => {
  test('asks about a switchover unless it says otherwise', () => {
    expect(readPreflightQuery({ shard: 'accounts/0', to: 'us' })).toEqual({
      kind: 'read',
      value: { shard: 'accounts/0', to: 'us', move: 'switchover' },
    });
    expect(readPreflightQuery({ shard: 'accounts/0', to: 'us', move: 'failover' })).toMatchObject({
      value: { move: 'failover' },
    });
  });

  test.each([
    ['no shard', { to: 'us' }, /"shard" must name a shard/],
    ['a shard that is none', { shard: 'accounts', to: 'us' }, /"shard" must name a shard/],
    ['no region', { shard: 'accounts/0' }, /"to" must name the region/],
    ['another kind of move', { shard: 'accounts/0', to: 'us', move: '' }, /"move" must be/],
    ['an unknown name', { shard: 'accounts/0', to: 'us', dryRun: '' }, /unknown name "dryRun"/],
  ])('with %s is refused', (_, query, detail) => {
    expect(readPreflightQuery(query)).toMatchObject(refusedAs(detail));
  });
});

test('a cancellation says why, and nothing else', () => {
  expect(readReasonRequest('{"reason":"no longer"}')).toEqual({ kind: 'read', value: 'no longer' });
  expect(readReasonRequest('{}')).toMatchObject(refusedAs(/"reason"/));
  expect(readReasonRequest('{"reason":"a","decision":1}')).toMatchObject(
    refusedAs(/unknown name "decision"/),
  );
});

test('a page of the control log begins at its first record, or where the query says', () => {
  expect(readControlPageQuery({})).toEqual({ kind: 'read', value: { from: null } });
  expect(readControlPageQuery({ from: '0' })).toEqual({ kind: 'read', value: { from: 0n } });
  for (const from of ['', '-1', '01', '1e3', '1234567890123456789'])
    expect(readControlPageQuery({ from })).toMatchObject(refusedAs(/"from"/));
  expect(readControlPageQuery({ offset: '0' })).toMatchObject(refusedAs(/unknown name "offset"/));
});

describe('decisions', () => {
  test('are the 50 newest of all shards unless the query says otherwise', () => {
    expect(readDecisionsQuery({})).toEqual({
      kind: 'read',
      value: { shard: null, decision: null, limit: 50 },
    });
    expect(readDecisionsQuery({ shard: 'accounts/1', decision: '31', limit: '256' })).toEqual({
      kind: 'read',
      value: { shard: 'accounts/1', decision: 31n, limit: 256 },
    });
  });

  test.each([
    ['a shard that is none', { shard: 'accounts/01' }, /"shard"/],
    ['an empty shard', { shard: '' }, /"shard"/],
    ['a decision that is none', { decision: 'x' }, /"decision"/],
    ['decision nought', { decision: '0' }, /"decision"/],
    ['an empty limit', { limit: '' }, /"limit".*between 1 and 256/],
    ['too many', { limit: '257' }, /"limit"/],
    ['a limit in another notation', { limit: '1e1' }, /"limit"/],
    ['an unknown name', { after: '7' }, /unknown name "after"/],
  ])('with %s are refused', (_, query, detail) => {
    expect(readDecisionsQuery(query)).toMatchObject(refusedAs(detail));
  });

  test.each(['', '0', '-1', '1.0', '01', '9007199254740992', '12345678901234567', '1n'])(
    'have no number %j',
    (number) => expect(readDecisionNumber(number)).toBeNull(),
  );

  test('have numbers up to the last that JSON holds', () => {
    expect(readDecisionNumber('9007199254740991')).toBe(9_007_199_254_740_991n);
  });
});
