/** Laws of reading JSON: total, never another value than JSON.parse's, and every ordinary value is read. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseJson } from './json.js';

/** What a double, Postgres and a person agree on, judged on the value instead of the text. */
function isKept(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\u0000');
  // From 1e21 on numbers print with an exponent and few digits; below, integers print in full.
  if (typeof value === 'number')
    return !Number.isInteger(value) || Number.isSafeInteger(value) || Math.abs(value) >= 1e21;
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([name, part]) => isKept(name) && isKept(part));
}

const values = fc.jsonValue({
  stringUnit: fc.constantFrom('a', '"', '\\', '{', ':', 'é', '😀', '\u0000', '\ud83d', '\n'),
  maxDepth: 5,
});

test('a printed value is read as JSON.parse reads it, or refused because something in it cannot be kept', () => {
  let refused = 0;
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), values), fc.constantFrom(undefined, 2, '\t'), (value, space) => {
      const text = JSON.stringify(value, null, space);
      const parsed = parseJson(text);
      expect(parsed.kind).toBe(isKept(JSON.parse(text)) ? 'value' : 'refused');
      if (parsed.kind === 'refused') refused += 1;
      else expect(JSON.stringify(parsed.value)).toBe(JSON.stringify(JSON.parse(text)));
    }),
    { numRuns: 500, seed: 5 },
  );
  expect(refused).toBeGreaterThan(20);
});

test('any text, near JSON or far from it, is the value of JSON.parse or refused, and never throws', () => {
  const edits = fc.array(
    fc.tuple(fc.nat(), fc.constantFrom('', '{', '}', '[', ']', '"', '\\', ':', ',', '1', 'e', '.', ' ')),
    {
      maxLength: 3,
    },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        values.map((value) => JSON.stringify(value)),
        fc.string(),
      ),
      edits,
      (base, changes) => {
        let text = base;
        for (const [at, put] of changes)
          text = text.slice(0, at % (text.length + 1)) + put + text.slice((at % (text.length + 1)) + 1);
        const parsed = parseJson(text);
        if (parsed.kind === 'value')
          expect(JSON.stringify(parsed.value)).toBe(JSON.stringify(JSON.parse(text)));
      },
    ),
    { numRuns: 1_000 },
  );
});

test('a number that is accepted means what its literal says, to the last digit of an integer', () => {
  const literal = fc
    .tuple(
      fc.constantFrom('', '-'),
      fc.bigInt({ min: 0n, max: 10n ** 20n }),
      fc.stringMatching(/^[0-9]{0,4}$/),
      fc.integer({ min: -6, max: 6 }),
    )
    .map(
      ([sign, whole, fraction, power]) => `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}e${power}`,
    );
  fc.assert(
    fc.property(literal, (text) => {
      const parsed = parseJson(text);
      if (parsed.kind === 'refused' || !Number.isSafeInteger(parsed.value)) return;
      // Compare value * 10^6 * 10^4 with the literal, shifted by as many digits, in integers.
      const [, sign, whole, fraction = '', power] = /^(-?)([0-9]+)(?:\.([0-9]+))?e(-?[0-9]+)$/.exec(text)!;
      const exact =
        BigInt(`${sign}${whole}${fraction}`) * 10n ** BigInt(10 - fraction.length + Number(power));
      expect(exact).toBe(BigInt(parsed.value as number) * 10n ** 10n);
    }),
    { numRuns: 500 },
  );
});

test('a name that stands twice in one object is refused, in whatever way it is escaped', () => {
  const escaped = (name: string): string =>
    [...name].map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
  const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(names, fc.nat(), fc.boolean(), (all, which, escape) => {
      const again = all[which % all.length]!;
      const members = all.map((name) => `"${name}":{"${again}":1}`);
      expect(parseJson(`{${members.join(',')}}`).kind).toBe('value');
      expect(parseJson(`{${members.join(',')},"${escape ? escaped(again) : again}":0}`).kind).toBe('refused');
    }),
    { numRuns: 200 },
  );
});
