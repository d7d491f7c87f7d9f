/** Laws of the digests: equal content gives equal hashes wherever it lies, one changed byte another one (I11). */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  Absorber,
  chainDigest,
  hashFromHex,
  hashToHex,
  recordDigest,
  sameHash,
  ZERO_HASH,
  type DigestedParts,
} from './digest.js';

const part = fc.option(fc.uint8Array({ maxLength: 40, size: 'max' }));
const records: fc.Arbitrary<DigestedParts> = fc.record({
  key: part,
  value: part,
  header: part,
  appendTimeMs: fc.integer({ min: -1, max: 8_640_000_000_000_000 }),
});

test('one flipped bit in any part changes the digest', () => {
  fc.assert(
    fc.property(
      records,
      fc.constantFrom('key', 'value', 'header'),
      fc.nat(),
      fc.nat(7),
      (record, name, at, bit) => {
        const bytes = record[name];
        fc.pre(bytes !== null && bytes.length > 0);
        const flipped = Uint8Array.from(bytes!, (byte, index) =>
          index === at % bytes!.length ? byte ^ (1 << bit) : byte,
        );
        expect(sameHash(recordDigest(record), recordDigest({ ...record, [name]: flipped }))).toBe(false);
      },
    ),
    { numRuns: 500 },
  );
});

test('a byte more, or another append time, changes the digest', () => {
  fc.assert(
    fc.property(records, fc.integer({ min: 1, max: 2 ** 40 }), (record, later) => {
      const longer = { ...record, value: Uint8Array.from([...(record.value ?? []), 0]) };
      const laterRecord = { ...record, appendTimeMs: record.appendTimeMs + later };
      expect(sameHash(recordDigest(record), recordDigest(longer))).toBe(false);
      expect(sameHash(recordDigest(record), recordDigest(laterRecord))).toBe(false);
    }),
    { numRuns: 300 },
  );
});

test('where the bytes lie in memory does not matter, and hex keeps the hash', () => {
  fc.assert(
    fc.property(records, fc.nat(9), (record, shift) => {
      const moved = (bytes: Uint8Array | null): Uint8Array | null => {
        if (bytes === null) return null;
        const buffer = new Uint8Array(bytes.length + shift + 3).fill(0xee);
        buffer.set(bytes, shift);
        return buffer.subarray(shift, shift + bytes.length);
      };
      const hash = recordDigest(record);
      const again = recordDigest({
        ...record,
        key: moved(record.key),
        value: moved(record.value),
        header: moved(record.header),
      });
      expect(again).toEqual(hash);
      expect(hashFromHex(hashToHex(hash))).toEqual(hash);
    }),
    { numRuns: 300 },
  );
});

test('two chains that differ in one record differ from there on', () => {
  fc.assert(
    fc.property(fc.array(records, { minLength: 1, maxLength: 8 }), fc.nat(), (log, which) => {
      const digests = log.map(recordDigest);
      const changed = digests.map((digest, at) =>
        at === which % log.length ? { ...digest, d: (digest.d ^ 1) >>> 0 } : digest,
      );
      let [x, y] = [ZERO_HASH, ZERO_HASH];
      for (let i = 0; i < log.length; i += 1) {
        x = chainDigest(x, digests[i]!);
        y = chainDigest(y, changed[i]!);
        expect(sameHash(x, y)).toBe(i < which % log.length);
      }
    }),
    { numRuns: 200 },
  );
});

/** What the specification says of the words, word by word. */
const hashOfWords = (words: readonly number[]): string => {
  const absorber = new Absorber(ZERO_HASH);
  for (const word of words) absorber.word(word);
  return hashToHex(absorber.finish());
};

test('bytes are their length and then their words, big-endian and padded with zeros; so is text, in units of 16 bits', () => {
  // Of several blocks, and begun at any place of one.
  const bytes = fc.uint8Array({ maxLength: 70, size: 'max' });
  const units = fc.array(fc.nat(0xffff), { maxLength: 35, size: 'max' });
  const before = fc.array(fc.nat(), { maxLength: 4 });
  fc.assert(
    fc.property(bytes, units, before, (part, codes, words) => {
      const begun = (): Absorber => {
        const absorber = new Absorber(ZERO_HASH);
        for (const word of words) absorber.word(word);
        return absorber;
      };
      const padded = new DataView(new ArrayBuffer(Math.ceil(part.length / 4) * 4));
      part.forEach((byte, at) => padded.setUint8(at, byte));
      const wordsOf = (view: DataView): readonly number[] =>
        Array.from({ length: view.byteLength / 4 }, (_, at) => view.getUint32(at * 4));
      const ofBytes = begun();
      ofBytes.bytes(part);
      expect(hashToHex(ofBytes.finish())).toBe(hashOfWords([...words, part.length, ...wordsOf(padded)]));

      const paired = new DataView(new ArrayBuffer(Math.ceil(codes.length / 2) * 4));
      codes.forEach((code, at) => paired.setUint16(at * 2, code));
      const ofText = begun();
      ofText.text(String.fromCharCode(...codes));
      expect(hashToHex(ofText.finish())).toBe(hashOfWords([...words, codes.length, ...wordsOf(paired)]));
    }),
    { numRuns: 200 },
  );
});

test('two texts joined are absorbed as the one that they are together', () => {
  const first = fc.string({ unit: 'binary', minLength: 1, maxLength: 9 });
  const second = fc.string({ unit: 'binary', maxLength: 35, size: 'max' });
  const before = fc.array(fc.nat(), { maxLength: 4 });
  fc.assert(
    fc.property(first, second, before, (one, other, words) => {
      const [together, joined] = [new Absorber(ZERO_HASH), new Absorber(ZERO_HASH)];
      for (const word of words) for (const absorber of [together, joined]) absorber.word(word);
      together.text(one + other);
      joined.joined(one, other);
      expect(joined.finish()).toEqual(together.finish());
    }),
    { numRuns: 500 },
  );
});
