import { expect, test } from '@jest/globals';
import { readRowsRequest, ROWS_MAX } from './rows-request.js';

const row = { dataset: 'accounts', key: 'eu:ada' };
const body = (changes: object = {}): string => JSON.stringify({ rows: [row], ...changes });

test('a request is read, local unless it says otherwise', () => {
  expect(readRowsRequest(body())).toEqual({
    kind: 'read',
    value: { rows: [row], consistency: 'local', timeoutMs: 10_000 },
  });
  expect(readRowsRequest(body({ consistency: 'strong', timeoutMs: 7 }))).toMatchObject({
    value: { consistency: 'strong', timeoutMs: 7 },
  });
});

test.each([
  ['no JSON', '{', 'malformed', /JSON/],
  ['an unknown name', body({ keys: [] }), 'malformed', /unknown name "keys"/],
  ['no rows', body({ rows: undefined }), 'malformed', /at least one row/],
  ['an empty list', body({ rows: [] }), 'malformed', /at least one row/],
  [
    'too many rows',
    body({ rows: Array.from({ length: ROWS_MAX + 1 }, () => row) }),
    'too-large',
    /at most 64/,
  ],
  ['a row that is none', body({ rows: ['eu:ada'] }), 'malformed', /rows\[0\] must be an object/],
  ['a row with more', body({ rows: [{ ...row, version: 1 }] }), 'malformed', /rows\[0\] must be an object/],
  ['a row without key', body({ rows: [row, { dataset: 'a' }] }), 'malformed', /rows\[1\] must name/],
  ['another consistency', body({ consistency: 'eventual' }), 'malformed', /one of local, session, strong/],
  ['an endless wait', body({ timeoutMs: 1e9 }), 'malformed', /1 and 60000/],
])('%s is refused', (_, text, code, detail) => {
  expect(readRowsRequest(text)).toMatchObject({
    kind: 'refused',
    problem: { code, detail: expect.stringMatching(detail) },
  });
});
