/** Laws of rules: what is printed is read, and any text is a rule or is refused at a place inside it. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RegionName } from '../identity/identity.js';
import { parseRule } from './rule.js';

const blanks = fc.stringMatching(/^[ \t\n]{0,3}$/);

test('a rule is read as it was written, however it is spaced', () => {
  const regions = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9-]{0,31}$/), { minLength: 1, maxLength: 9 });
  fc.assert(
    fc.property(regions, fc.nat(), blanks, blanks, blanks, (names, which, first, second, third) => {
      const of = names as RegionName[];
      const count = (which % of.length) + 1;
      const text = `${first}any ${second}${count}${third} of${first}[${second}${of.join(`${third},${first}`)}${second}]${third}`;
      const parsed = parseRule(text);
      expect(parsed).toEqual({ kind: 'rule', rule: { kind: 'any', count, of } });
    }),
    { numRuns: 200 },
  );
});

test('any text is a rule, or is refused at a place inside it', () => {
  const words = ['any', 'each', ' ', ':', '1', '2', 'of', '[', ']', 'eu', 'us', ',', 'EU'];
  const near = fc.array(fc.constantFrom(...words), { maxLength: 12, size: 'max' });
  const texts = fc.oneof(
    fc.string(),
    near.map((parts) => parts.join('')),
    near.map((parts) => `any 1 of [${parts.join('')}]`),
    near.map((parts) => `each [eu: any 1, ${parts.join('')}]`),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const parsed = parseRule(text);
      if (parsed.kind === 'refused') {
        expect(parsed.at).toBeGreaterThanOrEqual(0);
        expect(parsed.at).toBeLessThanOrEqual(text.length);
      } else {
        expect(['majority', 'all', 'home', 'any', 'each']).toContain(parsed.rule.kind);
      }
    }),
    { numRuns: 300 },
  );
});
