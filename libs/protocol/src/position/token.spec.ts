/** Tokens: portable positions. The form is pinned, because clients keep tokens longer than a release lives. */
import { describe, expect, test } from '@jest/globals';
import { sequence, type LogIncarnation, type ShardName } from '../identity/identity.js';
import { decodeToken, encodeToken, TOKEN_SHARDS_MAX, type Token } from './token.js';

const A = 'a'.repeat(32) as LogIncarnation;
const B = 'b'.repeat(32) as LogIncarnation;
const token = (...parts: readonly (readonly [string, LogIncarnation, bigint])[]): Token =>
  new Map(
    parts.map(([shard, logIncarnation, at]) => [
      shard as ShardName,
      { logIncarnation, sequence: sequence(at) },
    ]),
  );

const TWO = token(['orders/1', B, 7n], ['accounts/0', A, 12_345n]);
const TWO_TEXT = `1~accounts/0@${A}.12345;orders/1@${B}.7~49ce5bbd`;

test('the text of a token is pinned, its shards in order', () => {
  expect(encodeToken(TWO)).toBe(TWO_TEXT);
});

test('it reads back as the positions it was made of', () => {
  expect(decodeToken(TWO_TEXT)).toEqual(TWO);
});

test('it can stand in a header and a query without escaping anything but "@", ";" and "/"', () => {
  expect(TWO_TEXT).toMatch(/^[A-Za-z0-9._~@;/-]+$/);
});

test('the largest sequence of a database survives', () => {
  const far = token(['a/999999', A, 2n ** 63n - 1n]);
  expect(decodeToken(encodeToken(far))).toEqual(far);
});

describe('what is not a token', () => {
  test.each<[string, string]>([
    ['nothing', ''],
    ['text', 'token'],
    ['another version', `2${TWO_TEXT.slice(1)}`],
    ['no checksum', TWO_TEXT.slice(0, -9)],
    ['a checksum in capitals', TWO_TEXT.toUpperCase()],
    ['a wrong checksum', `${TWO_TEXT.slice(0, -1)}e`],
    ['another sequence under the same checksum', TWO_TEXT.replace('.7~', '.8~')],
    ['another shard under the same checksum', TWO_TEXT.replace('orders/1', 'orders/2')],
    ['blanks around it', ` ${TWO_TEXT} `],
    ['a line end', `${TWO_TEXT}\n`],
    ['something before it', `x${TWO_TEXT}`],
  ])('%s', (_, text) => {
    expect(decodeToken(text)).toBeNull();
  });

  test('any part of it', () => {
    for (let length = 0; length < TWO_TEXT.length; length += 1)
      expect(decodeToken(TWO_TEXT.slice(0, length))).toBeNull();
  });

  // The checksum fits, so that the grammar alone refuses.
  test.each<[string, readonly (readonly [string, LogIncarnation, bigint])[]]>([
    ['sequence 0', [['accounts/0', A, 0n]]],
    ['a negative sequence', [['accounts/0', A, -1n]]],
    ['a sequence of twenty digits', [['accounts/0', A, 10n ** 19n]]],
    ['a name that is no shard', [['accounts', A, 1n]]],
    ['a partition with a leading zero', [['accounts/01', A, 1n]]],
    ['an incarnation that is none', [['accounts/0', 'A'.repeat(32) as LogIncarnation, 1n]]],
    [
      'more shards than a token may name',
      Array.from({ length: TOKEN_SHARDS_MAX + 1 }, (_, i) => [`a/${i}`, A, 1n] as const),
    ],
  ])('%s', (_, parts) => {
    expect(decodeToken(encodeToken(token(...parts)))).toBeNull();
  });

  test('as many shards as a token may name are one', () => {
    const full = token(...Array.from({ length: TOKEN_SHARDS_MAX }, (_, i) => [`a/${i}`, A, 1n] as const));
    expect(decodeToken(encodeToken(full))).toEqual(full);
  });
});
