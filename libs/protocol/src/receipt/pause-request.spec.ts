import { describe, expect, test } from '@jest/globals';
import { readPauseRequest, readResumeRequest } from './pause-request.js';

const UNTIL = '2026-11-21T08:56:38Z';
const pause = (changes: object = {}): string =>
  JSON.stringify({ scope: 'all', reason: 'a drill', until: UNTIL, ...changes });
const refusedAs = (detail: RegExp): object => ({
  kind: 'refused',
  problem: { code: 'malformed', detail: expect.stringMatching(detail) },
});

test.each(['all', 'dataset:accounts', 'shard:accounts/0', 'region:eu'])(
  '%s can be paused and resumed',
  (scope) => {
    expect(readPauseRequest(pause({ scope }))).toEqual({
      kind: 'read',
      value: { scope, reason: 'a drill', fromMs: null, untilMs: Date.UTC(2026, 10, 21, 8, 56, 38) },
    });
    expect(readResumeRequest(JSON.stringify({ scope, reason: 'it is over' }))).toEqual({
      kind: 'read',
      value: { scope, reason: 'it is over' },
    });
  },
);

test('a pause may begin later', () => {
  expect(readPauseRequest(pause({ from: '2026-11-21T08:00:00Z' }))).toMatchObject({
    value: { fromMs: Date.UTC(2026, 10, 21, 8), untilMs: Date.UTC(2026, 10, 21, 8, 56, 38) },
  });
  for (const from of [null, 5, '2026-11-21', '2026-02-29T00:00:00Z'])
    expect(readPauseRequest(pause({ from }))).toMatchObject(refusedAs(/"from" must be a time/));
});

describe('what is refused', () => {
  test.each([
    '',
    'ALL',
    ' all',
    'all:eu',
    'region:',
    'region:EU',
    'region',
    'dataset:accounts/0',
    'shard:accounts',
    'shard:accounts/00',
    'cluster:a',
    'region:eu\n',
    null,
    ['all'],
  ])('the scope %j', (scope) => {
    expect(readPauseRequest(pause({ scope }))).toMatchObject(
      refusedAs(/"scope" must be "all", "dataset:NAME"/),
    );
    expect(readResumeRequest(JSON.stringify({ scope, reason: 'a' }))).toMatchObject(refusedAs(/"scope"/));
  });

  test.each([
    undefined,
    null,
    1_795_251_398_000,
    '2026-11-21',
    '2026-11-21T08:56:38',
    '2026-11-21T08:56:38+01:00',
    '2026-11-21 08:56:38Z',
    '2026-11-21t08:56:38z',
    '2026-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-11-21T24:00:00Z',
    '2026-11-21T08:60:00Z',
    '2026-11-21T08:56:60Z',
    '2026-11-21T08:56:38.0000001Z',
  ])('the time %j', (until) => {
    expect(readPauseRequest(pause({ until }))).toMatchObject(refusedAs(/"until" must be a time/));
  });

  test('a pause without a reason, or with names that nobody knows', () => {
    expect(readPauseRequest(pause({ reason: '' }))).toMatchObject(refusedAs(/"reason"/));
    expect(readPauseRequest(pause({ owner: 'ada' }))).toMatchObject(refusedAs(/unknown name "owner"/));
    expect(readPauseRequest('[]')).toMatchObject(refusedAs(/object/));
    expect(readResumeRequest('{')).toMatchObject(refusedAs(/JSON/));
    expect(readResumeRequest(JSON.stringify({ scope: 'all' }))).toMatchObject(refusedAs(/"reason"/));
    expect(readResumeRequest(pause())).toMatchObject(refusedAs(/unknown name "until"/));
  });
});

test('milliseconds and leap days are read', () => {
  expect(readPauseRequest(pause({ until: '2028-02-29T23:59:59.25Z' }))).toMatchObject({
    value: { untilMs: Date.UTC(2028, 1, 29, 23, 59, 59, 250) },
  });
});
