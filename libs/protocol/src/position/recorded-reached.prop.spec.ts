/** Laws of what is written down of reached stages: what was written is read, and any other text is nothing. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AP, EU, LOG, US, watermark } from '../quorum/ledger.fixture.js';
import { sequence, type ShardName } from '../identity/identity.js';
import { readRecordedReached, recordedReachedText, type RecordedReached } from './recorded-reached.js';
import { recordedWatermarkText } from './recorded-watermark.js';

const range = fc.record({
  from: fc.maxSafeNat().map((at) => sequence(BigInt(at))),
  sequence: fc.maxSafeNat().map((at) => sequence(BigInt(at))),
  atMs: fc.maxSafeNat(),
  regions: fc.subarray([EU, US, AP]),
});
const written: fc.Arbitrary<RecordedReached> = fc.record({
  region: fc.constantFrom(EU, US),
  shard: fc.constant('accounts/3' as ShardName),
  logIncarnation: fc.constant(LOG),
  quorum: fc.array(range, { maxLength: 3 }),
  everywhere: fc.array(range, { maxLength: 3 }),
});

test('what was written is read', () => {
  fc.assert(
    fc.property(written, (recorded) => {
      expect(readRecordedReached(recordedReachedText(recorded))).toEqual(recorded);
    }),
  );
});

test('a text with some characters changed is nothing, or something that reads again as itself', () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.constantFrom(...'{}[]",:0 9eE-xn')), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(written, changes, (recorded, wanted) => {
      const characters = [...recordedReachedText(recorded)];
      for (const [at, character] of wanted) characters[at % characters.length] = character;
      const read = readRecordedReached(characters.join(''));
      if (read !== null) expect(readRecordedReached(recordedReachedText(read))).toEqual(read);
    }),
    { numRuns: 500, seed: 2 },
  );
});

test.each([
  ['nothing', null],
  ['no JSON', '{'],
  ['a list', '[]'],
  ['a watermark', recordedWatermarkText(watermark({ region: EU, at: 5 }))],
])('%s is no such record', (_, text) => {
  expect(readRecordedReached(text)).toBeNull();
});
