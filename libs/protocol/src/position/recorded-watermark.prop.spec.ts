/** Laws of the slow copy: any text is a recorded watermark or nothing, and what was written is read (I12). */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { EU, log, store, watermark } from '../quorum/ledger.fixture.js';
import { readRecordedWatermark, recordedWatermarkText, toRecorded } from './recorded-watermark.js';
import { WITHHELD_CODES, type Withheld, type WithheldCode } from './watermark.js';

const digits = fc.constantFrom(...'0123456789abcdef');
const because = (code: WithheldCode | null): Withheld | null =>
  code === null ? null : { code, detail: 'told apart by its code' };
const watermarks = fc
  .record({ at: fc.maxSafeNat(), store: digits.map(store), log: digits.map(log), history: fc.string() })
  .chain((told) =>
    fc
      .constantFrom(null, ...WITHHELD_CODES)
      .map((code) => ({ ...watermark({ region: EU, ...told }), withheld: because(code) })),
  );

test('what was written is read, and what was read is a part of what was written', () => {
  fc.assert(
    fc.property(watermarks, (written) => {
      const read = readRecordedWatermark(recordedWatermarkText(written));
      expect(read).toEqual(toRecorded(written));
    }),
    { numRuns: 200 },
  );
});

test('a text with some characters changed is nothing, or differs from what was written in no more than they say', () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.constantFrom(...'{}[]",:0 9eE-xn')), {
    minLength: 1,
    maxLength: 3,
  });
  let survivors = 0;
  fc.assert(
    fc.property(watermarks, changes, (written, wanted) => {
      const characters = [...recordedWatermarkText(written)];
      for (const [at, character] of wanted) characters[at % characters.length] = character;
      const read = readRecordedWatermark(characters.join(''));
      if (read === null) return;
      survivors += 1;
      // Reads again as itself: nothing in it is half a value.
      expect(
        readRecordedWatermark(
          recordedWatermarkText({ ...written, ...read, withheld: because(read.withheld) }),
        ),
      ).toEqual(read);
    }),
    { numRuns: 500, seed: 2 },
  );
  expect(survivors).toBeGreaterThan(10);
});
