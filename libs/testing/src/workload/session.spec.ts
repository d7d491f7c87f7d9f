import { expect, test } from '@jest/globals';
import {
  decodeToken,
  encodeToken,
  sequence as toSequence,
  shardName,
  TOKEN_SHARDS_MAX,
  type DatasetName,
  type LogIncarnation,
} from '@lockstep/protocol';
import { Session } from './session.js';

const shardOf = (partition: number) => shardName('orders' as DatasetName, partition);
const tokenOf = (partition: number, sequence: number, log = 'a'): string =>
  encodeToken(
    new Map([
      [
        shardOf(partition),
        { logIncarnation: log.repeat(32) as LogIncarnation, sequence: toSequence(BigInt(sequence)) },
      ],
    ]),
  );

function told(...tokens: readonly (string | null)[]): readonly string[] {
  const session = new Session();
  for (const token of tokens) session.take(token);
  const positions = session.token === null ? [] : [...decodeToken(session.token)!];
  return positions.map(
    ([shard, { logIncarnation, sequence }]) => `${shard} ${logIncarnation[0]} ${sequence}`,
  );
}

test('a session names the latest position of each shard that its client was told of', () => {
  expect(told()).toEqual([]);
  expect(told(null, 'no token')).toEqual([]);
  expect(told(tokenOf(0, 3), tokenOf(1, 7), tokenOf(0, 9), tokenOf(1, 5))).toEqual([
    'orders/0 a 9',
    'orders/1 a 7',
  ]);
});

test('of another log the position that was told last counts, as sequences of two logs do not compare', () => {
  expect(told(tokenOf(0, 9), tokenOf(0, 2, 'b'))).toEqual(['orders/0 b 2']);
});

test('where a token has no room for all, the shard that was told of longest ago is left out', () => {
  const tokens = Array.from({ length: TOKEN_SHARDS_MAX + 1 }, (_, partition) => tokenOf(partition, 1));
  const kept = told(tokens[0]!, ...tokens.slice(1, 3), tokenOf(0, 2), ...tokens.slice(3));
  expect(kept).toHaveLength(TOKEN_SHARDS_MAX);
  expect(kept).toContain('orders/0 a 2');
  expect(kept.some((text) => text.startsWith('orders/1 '))).toBe(false);
});
