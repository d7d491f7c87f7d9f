/** A rule that is met first is no change; each later one is kept, up to the bound. */
import { expect, test } from '@jest/globals';
import type { LedgerFeed } from '@lockstep/engine';
import type { ShardName } from '@lockstep/protocol';
import { CHANGES_MAX, RuleRecord } from './rule-record.js';

const SHARD = 'accounts/0' as ShardName;
type Rules = ReturnType<LedgerFeed['tally']>['rules'];

/** Looks once for each list of rules, then ends. */
async function lookedAt(...looks: readonly Rules[]): Promise<readonly object[]> {
  let look = 0;
  const feed = { tally: () => ({ rules: looks[look] }) } as unknown as LedgerFeed;
  const record = new RuleRecord(feed, [SHARD], {
    nowMs: () => look * 1_000,
    sleep: () => {
      look += 1;
      if (look === looks.length) record.stop();
      return { done: Promise.resolve(), wake: () => undefined };
    },
  });
  await record.run();
  return (record.describe() as { changes: object[] }).changes;
}

const rules = (text: string, more: object = {}): Rules =>
  [{ from: 1n, text, withdrawn: [], demands: [], jointly: [], ...more }] as unknown as Rules;

test('nothing is told of a shard whose rule nobody told, or which stays', async () => {
  expect(await lookedAt([], [], rules('majority'), rules('majority'), [], rules('majority'))).toEqual([]);
});

test('a joint step and its end are two changes, and a withdrawn region is named', async () => {
  const joint = rules('all', { jointly: [{}] });
  expect(await lookedAt(rules('majority'), joint, rules('all', { withdrawn: ['ap'] }))).toEqual([
    {
      at: '1970-01-01T00:00:01.000Z',
      shard: SHARD,
      before: 'majority',
      rule: 'all (with the rule before, for now)',
    },
    {
      at: '1970-01-01T00:00:02.000Z',
      shard: SHARD,
      before: 'all (with the rule before, for now)',
      rule: 'all without ap',
    },
  ]);
});

test('the oldest change is given up at the bound', async () => {
  const looks = Array.from({ length: CHANGES_MAX + 2 }, (_, look) => rules(`any ${look} of [eu]`));
  const changes = await lookedAt(...looks);
  expect(changes).toHaveLength(CHANGES_MAX);
  expect(changes[0]).toMatchObject({ rule: 'any 2 of [eu]' });
});
