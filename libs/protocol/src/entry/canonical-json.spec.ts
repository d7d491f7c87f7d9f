/** One text for one JSON value: the form that fingerprints and configuration hashes are made from. */
import { describe, expect, test } from '@jest/globals';
import { canonicalJson } from './canonical-json.js';

describe('the canonical text', () => {
  test.each<[string, unknown, string]>([
    [
      'keys are sorted by code unit, not by language or length',
      { b: 1, a: 2, B: 3, aa: 4, ä: 5 },
      '{"B":3,"a":2,"aa":4,"b":1,"ä":5}',
    ],
    ['also keys beyond the basic plane', { '\uffff': 1, '😀': 2 }, '{"😀":2,"\uffff":1}'],
    ['also keys that look like indices', { 10: 1, 9: 2, a: 3 }, '{"10":1,"9":2,"a":3}'],
    ['below, too', [{ b: { d: 1, c: 2 }, a: [] }], '[{"a":[],"b":{"c":2,"d":1}}]'],
    ['lists keep their order', [3, 1, 2], '[3,1,2]'],
    ['numbers as the language prints them', [1e21, 1e-7, 100, 0.1, 5e-324], '[1e+21,1e-7,100,0.1,5e-324]'],
    ['-0 is 0', [-0, { a: -0 }], '[0,{"a":0}]'],
    ['strings as JSON.stringify escapes them', '"\\\n\u0001é\u2028😀/', '"\\"\\\\\\n\\u0001é\u2028😀/"'],
    ['a name that is escaped', { 'a"': 1 }, '{"a\\"":1}'],
    ['true, false, null', [true, false, null], '[true,false,null]'],
    ['a property that is undefined is absent', { a: undefined, b: null }, '{"b":null}'],
    [
      '`__proto__` is a name like any other',
      JSON.parse('{"__proto__":{"b":1,"a":2},"A":0}'),
      '{"A":0,"__proto__":{"a":2,"b":1}}',
    ],
    ['empty', [{}, [], ''], '[{},[],""]'],
  ])('%s', (_, value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });
});

test.each<[string, unknown]>([
  ['undefined', undefined],
  ['undefined in a list', [undefined]],
  ['NaN', Number.NaN],
  ['an infinite number', { a: -Infinity }],
  ['a bigint', { a: 1n }],
  ['a function', { a: () => 1 }],
  ['a symbol', [Symbol('a')]],
])('what is not JSON throws, so that nothing is left out silently: %s', (_, value) => {
  expect(() => canonicalJson(value)).toThrow(TypeError);
});
