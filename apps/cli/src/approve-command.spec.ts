/** A second person approves a failover that may lose something: by name, with a reason, before it is asked for. */
import { expect, test } from '@jest/globals';
import { run } from './coordinator.fixture.js';

const CALL = 'POST /v1/shards/accounts/0/approve';
const WORDS = ['approve', 'accounts/0', 'us', '--reason', 'eu is under water'];
const TOLD = {
  status: 200,
  body: { approval: 41, shard: 'accounts/0', to: 'us', actor: 'bob', until: '2026-11-22T07:00:00.000Z' },
};

test('asks before it says so, and tells until when it holds', async () => {
  const { asked, code, err, out } = await run({ [CALL]: [TOLD] }, [...WORDS, '--as', 'bob'], 'y\n');
  expect(code).toBe(0);
  expect(asked).toEqual([{ call: CALL, body: { to: 'us', reason: 'eu is under water', actor: 'bob' } }]);
  expect(err).toContain('approve that a failover of accounts/0 to us may lose entries?');
  expect(out).toBe(
    'Approval 41 of bob: another person may fail accounts/0 over to us with --accept-loss until 2026-11-22T07:00:00.000Z.',
  );
});

test('without a name the coordinator says whose word it is', async () => {
  const { asked } = await run({ [CALL]: [TOLD] }, [...WORDS, '--yes']);
  expect(asked[0]?.body).toEqual({ to: 'us', reason: 'eu is under water' });
});

test('what is no shard is not asked for', async () => {
  const { asked, code } = await run({}, ['approve', 'accounts', 'us', '--reason', 'a', '--yes']);
  expect(code).toBe(2);
  expect(asked).toEqual([]);
});

test('a failover that lacks the second person exits 1 with the check and what to do', async () => {
  const refusal = {
    status: 409,
    body: {
      code: 'approval-needed',
      detail: 'accounts/0: us lacks 2 entries: let another person approve it',
      checks: [
        {
          code: 'approval',
          passed: false,
          detail: 'us lacks 2 entries',
          next: 'let another person approve it',
        },
      ],
    },
  };
  const words = ['failover', 'accounts/0', 'us', '--reason', 'a', '--accept-loss', '--as', 'anna', '--yes'];
  const { asked, code, err, out } = await run({ 'POST /v1/shards/accounts/0/failover': [refusal] }, words);
  expect(code).toBe(1);
  expect(asked[0]?.body).toMatchObject({ acceptLoss: true, actor: 'anna' });
  expect(out).toContain('let another person approve it');
  expect(err).toContain('approval-needed');
});
