/** Both kinds of quarantine are told apart, and an undone entry is settled by what the gateway tells and by nothing else. */
import { expect, test } from '@jest/globals';
import { run } from './coordinator.fixture.js';

const LATE = {
  shard: 'orders/0',
  sequence: 9,
  region: 'eu',
  epoch: 1,
  shardEpoch: 2,
  key: 'eu:late',
  at: '2026-01-01T00:00:00.000Z',
  idempotencyKeyHash: null,
  outcome: null,
};
const ENTRY = {
  region: 'eu',
  id: 'k-1',
  number: 1,
  shard: 'orders/0',
  key: 'eu:ann',
  reason: 'fenced',
  storedAt: '2026-01-01T00:00:00.000Z',
  sequence: 8,
  asked: null,
  settled: null,
  outcome: null,
};
const IN_FULL = {
  ...ENTRY,
  events: [{ key: 'eu:ann', type: 'placed', data: { total: 1 } }],
  changes: [{ table: 'orders', key: 'eu:ann', before: null, after: { total: 1 } }],
};
const settled = (as: string, why: string) => ({
  ...IN_FULL,
  settled: { as, why, sequence: 12, by: 'anna', at: '2026-01-02T00:00:00.000Z' },
});
const BOTH = { status: 200, body: { region: 'eu', attempts: [LATE], undone: [ENTRY] } };
const SHOW = { 'GET /v1/quarantine/k-1': [{ status: 200, body: IN_FULL }] };
const REAPPLY = 'POST /v1/quarantine/k-1/reapply';
const DISCARD = 'POST /v1/quarantine/k-1/discard';

test('the bare command shows both kinds, each under its own words', async () => {
  const { code, out } = await run({ 'GET /v1/quarantine?dataset=orders': [BOTH] }, ['quarantine', 'orders']);
  expect(code).toBe(0);
  expect(out.indexOf('eu:late')).toBeLessThan(out.indexOf('Undone entries of an outbox, kept by eu'));
  expect(out.indexOf('Undone entries')).toBeLessThan(out.indexOf('k-1'));
});

test('a gateway that knows no undone entries is no failure', async () => {
  const before = { status: 200, body: { region: 'eu', attempts: [] } };
  const { code, out } = await run({ 'GET /v1/quarantine?': [before] }, ['quarantine']);
  expect(code).toBe(0);
  expect(out).toBe('eu keeps no late write of a former home.');
});

test('`list` shows the undone ones only, for programs too', async () => {
  const script = { 'GET /v1/quarantine?shard=orders%2F0': [BOTH] };
  const { code, out } = await run(script, ['quarantine', 'list', 'orders/0', '--json']);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual({ region: 'eu', undone: [ENTRY] });
});

test('`show` tells events and rows', async () => {
  const { code, out } = await run(SHOW, ['quarantine', 'show', 'k-1']);
  expect(code).toBe(0);
  expect(out).toContain('placed');
  expect(out).toContain('orders eu:ann');
});

test('`reapply` shows the entry, asks, and tells what was told', async () => {
  const script = { ...SHOW, [REAPPLY]: [{ status: 200, body: settled('accepted', 'accepted') }] };
  const words = ['quarantine', 'reapply', 'k-1', '--as', 'anna'];
  const { asked, code, err, out } = await run(script, words, 'y\n');
  expect(code).toBe(0);
  expect(err).toContain('write it again?');
  expect(asked.at(-1)).toEqual({ call: REAPPLY, body: { actor: 'anna', dryRun: false } });
  expect(out).toBe('k-1: accepted at 12, by anna.');
});

test.each([
  ['not known', { status: 202, body: IN_FULL }, 'is not known yet: ask again'],
  ['rejected', { status: 200, body: settled('rejected', 'schema') }, 'was rejected (schema)'],
  ['refused', { status: 409, body: { code: 'reapply-too-late', detail: 'entry k-1' } }, 'reapply-too-late'],
])('one that is %s is no success', async (_what, answer, words) => {
  const { code, err } = await run({ [REAPPLY]: [answer] }, ['quarantine', 'reapply', 'k-1', '--yes']);
  expect(code).toBe(1);
  expect(err).toContain(words);
});

test('nothing is sent where nobody says that it is meant', async () => {
  const { asked, code } = await run(SHOW, ['quarantine', 'reapply', 'k-1']);
  expect(code).toBe(2);
  expect(asked).toEqual([]);
});

test('a dry run asks nobody and says so', async () => {
  const script = { [REAPPLY]: [{ status: 200, body: { ...IN_FULL, would: 'reapply' } }] };
  const { asked, code, out } = await run(script, ['quarantine', 'reapply', 'k-1', '--dry-run']);
  expect(code).toBe(0);
  expect(asked).toEqual([{ call: REAPPLY, body: { dryRun: true } }]);
  expect(out).toContain('It would be written again.');
});

test('`discard` needs a reason, and sends it', async () => {
  expect((await run({}, ['quarantine', 'discard', 'k-1', '--yes'])).code).toBe(2);
  const script = { [DISCARD]: [{ status: 200, body: settled('discarded', 'saved anew') }] };
  const words = ['quarantine', 'discard', 'k-1', '--reason', 'saved anew', '--yes'];
  const { asked, code, out } = await run(script, words);
  expect(code).toBe(0);
  expect(asked).toEqual([{ call: DISCARD, body: { reason: 'saved anew', dryRun: false } }]);
  expect(out).toBe('k-1: discarded at 12 (saved anew), by anna.');
});
