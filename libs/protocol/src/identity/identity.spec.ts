/** Names and identities: their grammar is part of topics, tables and headers. */
import { describe, expect, test } from '@jest/globals';
import {
  isConfigurationHash,
  isDatasetName,
  isGroupName,
  isId128,
  isRegionName,
  parseShardName,
  shardName,
  topicOf,
  type DatasetName,
} from './identity.js';

describe('names', () => {
  test.each<[string, boolean]>([
    ['eu', true],
    ['eu-west-1', true],
    ['a'.repeat(32), true],
    ['a'.repeat(33), false],
    ['', false],
    ['1eu', false],
    ['-eu', false],
    ['EU', false],
    ['eu_west', false],
    ['eu\n', false],
  ])('region and group %j: %s', (text, fits) => {
    expect([isRegionName(text), isGroupName(text)]).toEqual([fits, fits]);
  });

  test.each<[string, boolean]>([
    ['accounts', true],
    ['bank_accounts2', true],
    ['a'.repeat(40), true],
    ['a'.repeat(41), false],
    ['bank-accounts', false],
    ['_a', false],
    ['', false],
  ])('dataset %j: %s', (text, fits) => {
    expect(isDatasetName(text)).toBe(fits);
  });

  test('a shard is its dataset and partition, and reads back as them', () => {
    const shard = shardName('accounts' as DatasetName, 12);
    expect(shard).toBe('accounts/12');
    expect(parseShardName(shard)).toEqual({ dataset: 'accounts', partition: 12 });
    expect(topicOf('accounts' as DatasetName)).toBe('lockstep.accounts');
  });

  test.each([
    'accounts',
    'accounts/',
    '/1',
    'accounts/01',
    'accounts/-1',
    'accounts/1000000',
    'Accounts/1',
    'accounts/1/2',
    'accounts/1\n',
  ])('%j is not a shard', (text) => {
    expect(parseShardName(text)).toBeNull();
  });
});

test.each<[unknown, boolean, boolean]>([
  ['a'.repeat(32), true, false],
  ['0'.repeat(64), false, true],
  ['A'.repeat(32), false, false],
  ['g'.repeat(64), false, false],
  ['', false, false],
  [null, false, false],
  [['a'.repeat(32)], false, false],
])('%j is an identity of 128 bits: %s, a configuration hash: %s', (value, id, hash) => {
  expect([isId128(value), isConfigurationHash(value)]).toEqual([id, hash]);
});
