/** UTF-8 without a platform encoder gives what the platform's encoder gives. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { utf8, utf8Length } from './utf8.js';

test('bytes and length are those of the platform, lone surrogates included', () => {
  const units = fc.constantFrom(
    'a',
    '\u007f',
    '\u0080',
    '\u07ff',
    '\u0800',
    '\ud7ff',
    '\ue000',
    '\uffff',
    // Lone surrogates, the first and the last of each kind, which may meet; the first and the last pair.
    '\ud800',
    '\udbff',
    '\udc00',
    '\udfff',
    '\u{10000}',
    '\u{10ffff}',
    '\u0000',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(units).map((all) => all.join('')),
      ),
      (text) => {
        const expected = new TextEncoder().encode(text);
        expect(utf8(text)).toEqual(expected);
        expect(utf8Length(text)).toBe(expected.length);
      },
    ),
    { numRuns: 500 },
  );
});
