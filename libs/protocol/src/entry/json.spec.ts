/** JSON from strangers: what would be lost silently is refused by name. */
import { describe, expect, test } from '@jest/globals';
import { JSON_DEPTH_MAX, parseJson } from './json.js';

const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

describe('what is accepted is what JSON.parse reads', () => {
  test.each([
    '{}',
    ' [ 1 , "a" , true , null ] ',
    '{"a":{"a":{"a":1}},"b":[{"a":2},{"a":3}]}',
    '{"a":"{\\"a\\":1,\\"a\\":2}"}',
    '{"a":["a","a",{"a":"a"}],"b":"a"}',
    '"a\\\\"',
    '{"\\\\":1,"\\"":2}',
    '9007199254740991',
    '-9007199254740991',
    '0.1',
    '-0.5e-3',
    '1.0',
    '100e-2',
    '0.00e5',
    '1e2',
    '0e999999999999',
    '6.02214076e23',
    '0.1e24',
    '100000000000000000000.0',
    '1e308',
    '9007199254740992.0',
    '"\\ud83d\\ude00"',
    '"😀"',
    '"\\u0001"',
    nested(JSON_DEPTH_MAX),
  ])('%s', (text) => {
    expect(parseJson(text)).toEqual({ kind: 'value', value: JSON.parse(text) });
  });

  test('`__proto__` and its like are plain data', () => {
    const parsed = parseJson('{"__proto__":{"admin":true},"constructor":1,"toString":2,"hasOwnProperty":3}');
    if (parsed.kind === 'refused') throw new Error(parsed.reason);
    const value = parsed.value as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor', 'toString', 'hasOwnProperty']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(value['admin']).toBeUndefined();
  });
});

describe('what is refused, and why', () => {
  test.each<[string, string, RegExp]>([
    ['nothing', '', /not JSON/],
    ['no JSON', '{"a":}', /not JSON/],
    ['more than one value', '1 2', /not JSON/],
    ['a string without an end', '{"a', /not JSON/],
    ['a comment', '{} // "', /not JSON/],
    ['a trailing comma', '[1,]', /not JSON/],
    ['NaN', 'NaN', /not JSON/],
    ['one level too many', nested(JSON_DEPTH_MAX + 1), /more than 32 levels/],
    ['levels of objects', '{"a":'.repeat(33) + '1' + '}'.repeat(33), /more than 32 levels/],
    ['10^5 levels, closed', nested(100_000), /more than 32 levels/],
    ['10^5 levels, never closed', '{"a":['.repeat(50_000), /more than 32 levels/],
    ['an integer beyond 2^53 - 1', '{"a":9007199254740992}', /9007199254740992 is beyond/],
    ['a negative one', '-9007199254740993', /-9007199254740993 is beyond/],
    ['one whose point hides that it is rounded', '9007199254740993.0', /9007199254740993\.0 is beyond/],
    ['one whose exponent hides it', '90071992547409930e-1', /90071992547409930e-1 is beyond/],
    ['one of many digits and an exponent', '1234567890123456789012e1', /beyond/],
    ['a fraction that vanishes at 1', '1.00000000000000000001', /cannot be kept exactly/],
    ['a fraction that vanishes at 0', '1e-400', /cannot be kept exactly/],
    ['a fraction that vanishes far behind the point', '123e-400', /cannot be kept exactly/],
    ['a fraction that vanishes near 2^53', '9007199254740991.2', /cannot be kept exactly/],
    ['a number that is not finite', '[1e400]', /1e400 is out of range/],
    ['a negative one that is not finite', '-1e400', /-1e400 is out of range/],
    ['NUL in a string', '["a\\u0000"]', /NUL/],
    ['NUL in a name', '{"a\\u0000":1}', /NUL/],
    ['a lone high surrogate', '"\\ud83d"', /lone surrogate/],
    ['a lone low surrogate in the text itself', '"\ude00"', /lone surrogate/],
    ['surrogates the wrong way round', '"\\ude00\\ud83d"', /lone surrogate/],
    ['a lone surrogate in a name', '{"\\ud83d":1}', /lone surrogate/],
    ['a name that stands twice', '{"a":1,"a":1}', /"a" stands twice/],
    ['twice, the second time escaped', '{"ab":1,"\\u0061b":2}', /"ab" stands twice/],
    ['twice, below', '[{"x":{"a":1,"b":[{}],"a":2}}]', /"a" stands twice/],
    ['twice, with white space before the colon', '{"a" \n\t\r : 1, "a"\n:2}', /"a" stands twice/],
    ['`__proto__` twice', '{"__proto__":1,"__proto__":2}', /"__proto__" stands twice/],
    ['the empty name twice', '{"":1,"":2}', /"" stands twice/],
  ])('%s', (_, text, reason) => {
    expect(parseJson(text)).toEqual({ kind: 'refused', reason: expect.stringMatching(reason) });
  });

  test('a reason is short, however long the offence', () => {
    for (const text of [`1${'0'.repeat(5_000)}`, `{"${'n'.repeat(5_000)}":1,"${'n'.repeat(5_000)}":2}`]) {
      const parsed = parseJson(text);
      expect(parsed.kind === 'refused' && parsed.reason.length).toBeLessThan(120);
    }
  });

  test('the depth that is allowed can be given', () => {
    expect(parseJson('[[1]]', 1).kind).toBe('refused');
    expect(parseJson('[1]', 1).kind).toBe('value');
  });
});
