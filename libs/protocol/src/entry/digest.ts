/**
 * 128-bit non-cryptographic hashing: the digest of one record, and the two rolling hashes of a shard.
 *
 * In the manner of murmur3 x86-128 (its block function, constants and finaliser), but not the standard function:
 * big-endian words, a tail padded with zeros to a whole block, the number of words in the finaliser instead of the
 * number of bytes, and a seed of 128 bits. No library computes it; pinned values stand in the spec beside this file.
 *
 * Record digest (SPEC "Hashes"): over, in this order, length-prefixed key, length-prefixed value and
 * length-prefixed `lockstep` header (length 0xFFFFFFFF for null, so that null differs from empty), then the append
 * time as a big-endian u64. Every region must compute the same digest for the same record (I11); the adapters call
 * this one function. It guards against divergence and mistakes, not against an adversary.
 */
export interface Hash128 {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

export const ZERO_HASH: Hash128 = Object.freeze({ a: 0, b: 0, c: 0, d: 0 });

export interface DigestedParts {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly header: Uint8Array | null;
  readonly appendTimeMs: number;
}

export function recordDigest(parts: DigestedParts): Hash128 {
  const absorber = new Absorber(ZERO_HASH);
  absorber.bytes(parts.key);
  absorber.bytes(parts.value);
  absorber.bytes(parts.header);
  absorber.unsigned64(parts.appendTimeMs);
  return absorber.finish();
}

/** The rolling input hash after one more record. */
export function chainDigest(previous: Hash128, digest: Hash128): Hash128 {
  const absorber = new Absorber(previous);
  absorber.word(digest.a);
  absorber.word(digest.b);
  absorber.word(digest.c);
  absorber.word(digest.d);
  return absorber.finish();
}

export const sameHash = (x: Hash128, y: Hash128): boolean =>
  x.a === y.a && x.b === y.b && x.c === y.c && x.d === y.d;

const HEX_BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

const hexWord = (word: number): string =>
  HEX_BYTES[word >>> 24]! +
  HEX_BYTES[(word >>> 16) & 0xff]! +
  HEX_BYTES[(word >>> 8) & 0xff]! +
  HEX_BYTES[word & 0xff]!;

export const hashToHex = (hash: Hash128): string =>
  hexWord(hash.a) + hexWord(hash.b) + hexWord(hash.c) + hexWord(hash.d);

/** @throws RangeError when the text is not 32 hex digits. */
export function hashFromHex(hex: string): Hash128 {
  if (!/^[0-9a-f]{32}$/.test(hex)) throw new RangeError(`not a 128-bit hash: ${hex}`);
  const word = (index: number): number => Number.parseInt(hex.slice(index * 8, index * 8 + 8), 16);
  return { a: word(0), b: word(1), c: word(2), d: word(3) };
}

const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

function scramble(h: number): number {
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

const pairAt = (text: string, at: number): number => (text.charCodeAt(at) << 16) | text.charCodeAt(at + 1);

/**
 * Absorbs 32-bit words into four lanes, one block of four words at a time. Long parts go in block by block once a block is
 * empty: a fold spends a good part of its time here.
 */
export class Absorber {
  private h1: number;
  private h2: number;
  private h3: number;
  private h4: number;
  private k1 = 0;
  private k2 = 0;
  private k3 = 0;
  private filled = 0;
  private words = 0;

  constructor(seed: Hash128) {
    this.h1 = seed.a | 0;
    this.h2 = seed.b | 0;
    this.h3 = seed.c | 0;
    this.h4 = seed.d | 0;
  }

  word(value: number): void {
    this.words += 1;
    switch (this.filled) {
      case 0:
        this.k1 = value | 0;
        this.filled = 1;
        return;
      case 1:
        this.k2 = value | 0;
        this.filled = 2;
        return;
      case 2:
        this.k3 = value | 0;
        this.filled = 3;
        return;
    }
    this.filled = 0;
    this.block(this.k1, this.k2, this.k3, value | 0);
  }

  unsigned64(value: number): void {
    this.word(Math.floor(value / 0x100000000));
    this.word(value >>> 0);
  }

  /** Length, then the bytes as big-endian words, the last one padded with zeros. */
  bytes(part: Uint8Array | null): void {
    if (part === null) {
      this.word(0xffffffff);
      return;
    }
    const length = part.length;
    this.word(length);
    const whole = length - (length % 4);
    const wordAt = (i: number): number =>
      (part[i]! << 24) | (part[i + 1]! << 16) | (part[i + 2]! << 8) | part[i + 3]!;
    let at = 0;
    for (; at < whole && this.filled !== 0; at += 4) this.word(wordAt(at));
    for (; at + 16 <= whole; at += 16) {
      this.words += 4;
      this.block(wordAt(at), wordAt(at + 4), wordAt(at + 8), wordAt(at + 12));
    }
    for (; at < whole; at += 4) this.word(wordAt(at));
    if (whole < length) {
      let last = 0;
      for (let i = 0; i < 4; i += 1) last = (last << 8) | (whole + i < length ? part[whole + i]! : 0);
      this.word(last);
    }
  }

  /** Length in UTF-16 units, then the units in pairs; null differs from empty. */
  text(part: string | null): void {
    if (part === null) {
      this.word(0xffffffff);
      return;
    }
    this.word(part.length);
    this.units(part, 0);
  }

  /** As the text of both, one behind the other, which is not made. */
  joined(first: string, second: string): void {
    this.word(first.length + second.length);
    const last = first.length - 1;
    for (let at = 0; at < last; at += 2) this.word(pairAt(first, at));
    if (last % 2 !== 0) this.units(second, 0);
    else if (second === '') this.word(first.charCodeAt(last) << 16);
    else {
      this.word((first.charCodeAt(last) << 16) | second.charCodeAt(0));
      this.units(second, 1);
    }
  }

  private units(part: string, from: number): void {
    const { length } = part;
    const whole = length - ((length - from) % 2);
    let at = from;
    for (; at < whole && this.filled !== 0; at += 2) this.word(pairAt(part, at));
    for (; at + 8 <= whole; at += 8) {
      this.words += 4;
      this.block(pairAt(part, at), pairAt(part, at + 2), pairAt(part, at + 4), pairAt(part, at + 6));
    }
    for (; at < whole; at += 2) this.word(pairAt(part, at));
    if (whole < length) this.word(part.charCodeAt(whole) << 16);
  }

  finish(): Hash128 {
    const words = this.words;
    while (this.filled !== 0) this.word(0);
    let h1 = this.h1 ^ words;
    let h2 = this.h2 ^ words;
    let h3 = this.h3 ^ words;
    let h4 = this.h4 ^ words;
    h1 = (h1 + h2 + h3 + h4) | 0;
    h2 = (h2 + h1) | 0;
    h3 = (h3 + h1) | 0;
    h4 = (h4 + h1) | 0;
    h1 = scramble(h1);
    h2 = scramble(h2);
    h3 = scramble(h3);
    h4 = scramble(h4);
    h1 = (h1 + h2 + h3 + h4) | 0;
    h2 = (h2 + h1) | 0;
    h3 = (h3 + h1) | 0;
    h4 = (h4 + h1) | 0;
    return { a: h1 >>> 0, b: h2 >>> 0, c: h3 >>> 0, d: h4 >>> 0 };
  }

  private block(k1: number, k2: number, k3: number, k4: number): void {
    k1 = Math.imul(rotate(Math.imul(k1, 0x239b961b), 15), 0xab0e9789);
    this.h1 = (Math.imul((rotate(this.h1 ^ k1, 19) + this.h2) | 0, 5) + 0x561ccd1b) | 0;
    k2 = Math.imul(rotate(Math.imul(k2, 0xab0e9789), 16), 0x38b34ae5);
    this.h2 = (Math.imul((rotate(this.h2 ^ k2, 17) + this.h3) | 0, 5) + 0x0bcaa747) | 0;
    k3 = Math.imul(rotate(Math.imul(k3, 0x38b34ae5), 17), 0xa1e38b93);
    this.h3 = (Math.imul((rotate(this.h3 ^ k3, 15) + this.h4) | 0, 5) + 0x96cd1c35) | 0;
    k4 = Math.imul(rotate(Math.imul(k4, 0xa1e38b93), 18), 0x239b961b);
    this.h4 = (Math.imul((rotate(this.h4 ^ k4, 13) + this.h1) | 0, 5) + 0x32ac3b17) | 0;
  }
}
