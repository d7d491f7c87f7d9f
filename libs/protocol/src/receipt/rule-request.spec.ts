import { expect, test } from '@jest/globals';
import { readRuleRequest } from './rule-request.js';

const body = (changes: object = {}): string =>
  JSON.stringify({ rule: ' any 2 of [eu, us] ', reason: 'ap is slow', ...changes });

test('a request is read, its regions in order and each once', () => {
  expect(readRuleRequest(body({ withdrawn: ['us', 'ap', 'us'], timeoutMs: 5 }))).toEqual({
    kind: 'read',
    value: { rule: 'any 2 of [eu, us]', withdrawn: ['ap', 'us'], reason: 'ap is slow', timeoutMs: 5 },
  });
  expect(readRuleRequest(body())).toMatchObject({ value: { withdrawn: [], timeoutMs: 10_000 } });
});

test.each([
  ['no JSON', '{', 'malformed', /JSON/],
  ['a list', '[]', 'malformed', /object/],
  ['an unknown name', body({ quorum: 'all' }), 'malformed', /unknown name "quorum"/],
  ['no rule', body({ rule: undefined }), 'malformed', /"rule" must be/],
  ['a rule that is none', body({ rule: 'any 2 of [eu' }), 'rule-refused', /at character 13: "\]" is missing/],
  ['no reason', body({ reason: undefined }), 'malformed', /"reason" must say why/],
  ['an empty reason', body({ reason: '  ' }), 'malformed', /"reason" must say why/],
  ['an endless reason', body({ reason: 'x'.repeat(513) }), 'malformed', /1 to 512 characters/],
  ['half a character', body({ reason: '\ud800' }), 'malformed', /"reason"|surrogate|well-formed/],
  [
    'regions that are none',
    body({ withdrawn: ['EU'] }),
    'malformed',
    /"withdrawn" must be a list of regions/,
  ],
  ['regions as text', body({ withdrawn: 'eu' }), 'malformed', /"withdrawn"/],
  ['an endless wait', body({ timeoutMs: 60_001 }), 'malformed', /1 and 60000/],
])('%s is refused', (_, text, code, detail) => {
  expect(readRuleRequest(text)).toMatchObject({
    kind: 'refused',
    problem: { code, detail: expect.stringMatching(detail) },
  });
});
