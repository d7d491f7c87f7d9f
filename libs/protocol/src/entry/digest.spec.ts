/** Hashes of records and chains: the values are pinned, because regions of different releases compare them (I11). */
import { describe, expect, test } from '@jest/globals';
import {
  Absorber,
  chainDigest,
  hashFromHex,
  hashToHex,
  recordDigest,
  sameHash,
  ZERO_HASH,
  type Hash128,
} from './digest.js';
import { utf8 } from './utf8.js';

const bytes = (text: string | null): Uint8Array | null => (text === null ? null : utf8(text));

function digest(
  key: string | null,
  value: string | null,
  header: string | null,
  appendTimeMs: number,
): Hash128 {
  return recordDigest({ key: bytes(key), value: bytes(value), header: bytes(header), appendTimeMs });
}

describe('the digest of a record', () => {
  test.each<[string, Hash128, string]>([
    ['everything absent', digest(null, null, null, 0), 'd561bbf3b7011051d5d07361e2742e36'],
    ['everything empty', digest('', '', '', 0), '85897a3828de14fecb333330809b72bb'],
    [
      'a record',
      digest('eu:ada', '[{"key":"eu:ada"}]', 'L', 1_800_000_000_123),
      '0a7bf4f4133bf2af46e2a5558b6a3a6e',
    ],
    [
      'every length of a last word, and no append time',
      digest('a', 'bcde', 'fghij', -1),
      'db2489710e5cc0fe0dc9b9004d5cb025',
    ],
  ])('%s is pinned', (_, hash, hex) => {
    expect(hashToHex(hash)).toBe(hex);
  });

  test('null differs from empty, in each part', () => {
    const hashes = [
      digest('', '', '', 1),
      digest(null, '', '', 1),
      digest('', null, '', 1),
      digest('', '', null, 1),
      digest(null, null, null, 1),
    ].map(hashToHex);
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  test('bytes do not move between parts, and padding is not content', () => {
    const hashes = [
      digest('ab', 'c', 'd', 1),
      digest('a', 'bc', 'd', 1),
      digest('a', 'b', 'cd', 1),
      digest('ab', 'cd', '', 1),
      digest('ab', 'c\u0000', 'd', 1),
      digest('ab', 'c', 'd\u0000\u0000\u0000', 1),
    ].map(hashToHex);
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  test('the append time counts, also beyond 32 bits', () => {
    const hashes = [0, 1, 2 ** 32, 2 ** 32 + 1, 1_800_000_000_123].map((at) =>
      hashToHex(digest('k', 'v', 'h', at)),
    );
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});

describe('the chain of a shard', () => {
  const a = digest('a', null, null, 1);
  const b = digest('b', null, null, 1);
  const chain = (...digests: readonly Hash128[]): string => hashToHex(digests.reduce(chainDigest, ZERO_HASH));

  test('is pinned, and depends on the order of records', () => {
    expect(chain(a, b)).toBe('7bee9f1aeef62d52de733d38ae133b5b');
    expect(chain(b, a)).toBe('c95004413484126e00fc773532407bd6');
  });

  test('depends on how often a record stands', () => {
    expect(new Set([chain(), chain(a), chain(a, a), chain(a, a, a)]).size).toBe(4);
  });
});

describe('text in the effects hash', () => {
  const hash = (...parts: readonly (string | null)[]): string => {
    const absorber = new Absorber(ZERO_HASH);
    for (const part of parts) absorber.text(part);
    return hashToHex(absorber.finish());
  };

  test('is pinned', () => {
    expect(hash('eu:Zoë', null, '')).toBe('e86450c9a19c6401d90445fa5808a6c3');
  });

  test('null, empty, order and borders are told apart', () => {
    const hashes = [
      hash(null),
      hash(''),
      hash('ab', 'c'),
      hash('a', 'bc'),
      hash('c', 'ab'),
      hash('abc'),
      hash('abc\u0000'),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});

describe('hashes as hex', () => {
  test('leading zeros and high bits survive', () => {
    const hash = { a: 1, b: 0xffffffff, c: 0, d: 0x80000000 };
    expect(hashToHex(hash)).toBe('00000001ffffffff0000000080000000');
    expect(hashFromHex('00000001ffffffff0000000080000000')).toEqual(hash);
    expect(sameHash(hashFromHex(hashToHex(hash)), hash)).toBe(true);
  });

  test.each(['', 'a'.repeat(31), 'a'.repeat(33), 'A'.repeat(32), 'g'.repeat(32), `${'a'.repeat(32)}\n`])(
    '%j is not a hash',
    (hex) => {
      expect(() => hashFromHex(hex)).toThrow(RangeError);
    },
  );

  test('hashes that differ in one word only are not the same', () => {
    const hash = { a: 1, b: 2, c: 3, d: 4 };
    for (const word of ['a', 'b', 'c', 'd'] as const)
      expect(sameHash(hash, { ...hash, [word]: 9 })).toBe(false);
  });
});
