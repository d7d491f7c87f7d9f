/** Laws of canonical JSON: it loses nothing, and equal values have equal texts however they were built (I3, I10). */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { canonicalJson } from './canonical-json.js';

/** As JSON carries them: no -0. */
const values = fc.jsonValue({ maxDepth: 5 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);

/** The same value, built with its keys in another order. */
function reordered(value: unknown, turn: number): unknown {
  if (Array.isArray(value)) return value.map((item) => reordered(item, turn));
  if (typeof value !== 'object' || value === null) return value;
  const names = Object.keys(value);
  const shift = names.length === 0 ? 0 : turn % names.length;
  const turned = [...names.slice(shift), ...names.slice(0, shift)].toReversed();
  return Object.fromEntries(
    turned.map((name) => [name, reordered((value as Record<string, unknown>)[name], turn)]),
  );
}

test('parsed again it is the same value', () => {
  fc.assert(
    fc.property(values, (value) => {
      expect(JSON.parse(canonicalJson(value))).toStrictEqual(value);
    }),
    { numRuns: 500 },
  );
});

test('the order in which an object was built is not seen', () => {
  fc.assert(
    fc.property(values, fc.nat(), (value, turn) => {
      expect(canonicalJson(reordered(value, turn))).toBe(canonicalJson(value));
    }),
    { numRuns: 500 },
  );
});

test('the text holds no white space outside strings, and is its own canonical form', () => {
  fc.assert(
    fc.property(values, (value) => {
      const text = canonicalJson(value);
      expect(canonicalJson(JSON.parse(text))).toBe(text);
      expect(text.length).toBe(JSON.stringify(value).length);
    }),
    { numRuns: 300 },
  );
});
