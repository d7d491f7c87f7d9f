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
  const absorber = atOnce.begin(ZERO_HASH);
  absorber.bytes(parts.key);
  absorber.bytes(parts.value);
  absorber.bytes(parts.header);
  absorber.unsigned64(parts.appendTimeMs);
  return absorber.finish();
}

/** The rolling input hash after one more record. */
export function chainDigest(previous: Hash128, digest: Hash128): Hash128 {
  const absorber = atOnce.begin(previous);
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

/** A whole number of blocks. */
const GATHERED_WORDS_MAX = 256;

/**
 * Absorbs 32-bit words into four lanes, one block of four words at a time. Words are gathered and then mixed in together: a fold
 * spends a good part of its time here. For the same reason one absorber is begun again and again.
 */
export class Absorber {
  private h1 = 0;
  private h2 = 0;
  private h3 = 0;
  private h4 = 0;
  private readonly gathered = new Int32Array(GATHERED_WORDS_MAX);
  private count = 0;
  /** Words that were mixed in before. */
  private mixed = 0;

  constructor(seed: Hash128) {
    this.begin(seed);
  }

  /** Forgets whatever was absorbed. */
  begin(seed: Hash128): this {
    this.h1 = seed.a;
    this.h2 = seed.b;
    this.h3 = seed.c;
    this.h4 = seed.d;
    this.count = 0;
    this.mixed = 0;
    return this;
  }

  word(value: number): void {
    if (this.count === GATHERED_WORDS_MAX) this.mix();
    this.gathered[this.count] = value;
    this.count += 1;
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
    for (let at = 0; at < whole;) {
      const end = Math.min(whole, at + 4 * this.room());
      let { count } = this;
      for (; at < end; at += 4) {
        this.gathered[count] =
          (part[at]! << 24) | (part[at + 1]! << 16) | (part[at + 2]! << 8) | part[at + 3]!;
        count += 1;
      }
      this.count = count;
    }
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
    for (let at = from; at < whole;) {
      const end = Math.min(whole, at + 2 * this.room());
      let { count } = this;
      for (; at < end; at += 2) {
        this.gathered[count] = pairAt(part, at);
        count += 1;
      }
      this.count = count;
    }
    if (whole < length) this.word(part.charCodeAt(whole) << 16);
  }

  /** How many words can be gathered now, one at least. */
  private room(): number {
    if (this.count === GATHERED_WORDS_MAX) this.mix();
    return GATHERED_WORDS_MAX - this.count;
  }

  /** What was absorbed since it was begun. It must be begun again before anything else. */
  finish(): Hash128 {
    const words = this.mixed + this.count;
    while (this.count % 4 !== 0) this.word(0);
    this.mix();
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

  /** Mixes in what was gathered, which is whole blocks. */
  private mix(): void {
    const { count, gathered } = this;
    let [h1, h2, h3, h4] = [this.h1 | 0, this.h2 | 0, this.h3 | 0, this.h4 | 0];
    for (let at = 0; at < count; at += 4) {
      const k1 = rotate(Math.imul(gathered[at]!, 0x239b961b), 15);
      h1 = (Math.imul((rotate(h1 ^ Math.imul(k1, 0xab0e9789), 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
      const k2 = rotate(Math.imul(gathered[at + 1]!, 0xab0e9789), 16);
      h2 = (Math.imul((rotate(h2 ^ Math.imul(k2, 0x38b34ae5), 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
      const k3 = rotate(Math.imul(gathered[at + 2]!, 0x38b34ae5), 17);
      h3 = (Math.imul((rotate(h3 ^ Math.imul(k3, 0xa1e38b93), 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
      const k4 = rotate(Math.imul(gathered[at + 3]!, 0xa1e38b93), 18);
      h4 = (Math.imul((rotate(h4 ^ Math.imul(k4, 0x239b961b), 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
    }
    this.h1 = h1;
    this.h2 = h2;
    this.h3 = h3;
    this.h4 = h4;
    this.mixed += count;
    this.count = 0;
  }
}

/** Of whatever is absorbed to its end at once. */
const atOnce = new Absorber(ZERO_HASH);
