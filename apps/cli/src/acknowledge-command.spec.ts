/** A failover without a person is acknowledged by its number, and with a reason. */
import { expect, test } from '@jest/globals';
import { run } from './coordinator.fixture.js';

const CALL = 'POST /v1/decisions/23/acknowledge';
const WORDS = ['acknowledge', '23', '--reason', 'a broken disk, replaced'];

test('asks before it says so', async () => {
  const told = { status: 200, body: { failover: 23, acknowledgedBy: 'anna' } };
  const { asked, code, err, out } = await run({ [CALL]: [told] }, WORDS, 'y\n');
  expect(code).toBe(0);
  expect(asked).toEqual([{ call: CALL, body: { reason: 'a broken disk, replaced' } }]);
  expect(err).toContain('acknowledge failover 23?');
  expect(out).toBe('Failover 23 is acknowledged by anna.');
});

test('one that is not remembered is told with its code', async () => {
  const unknown = { status: 404, body: { code: 'not-found', detail: 'no failover 23 is remembered' } };
  const { code, err } = await run({ [CALL]: [unknown] }, [...WORDS, '--yes']);
  expect(code).toBe(1);
  expect(err).toContain('no failover 23 is remembered');
});

test('what is no number is not asked for', async () => {
  const { asked, code } = await run({}, ['acknowledge', 'eu', '--reason', 'a', '--yes']);
  expect(code).toBe(2);
  expect(asked).toEqual([]);
});
