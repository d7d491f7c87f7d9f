/** The closed subset of JSON Schema: whatever passes, Postgres stores and gives back (B26). */
import { describe, expect, test } from '@jest/globals';
import type { Schema } from './content.js';
import { compileSchema } from './schema.js';

const text: Schema = { type: 'string', minLength: 1, maxLength: 3 };
const choice: Schema = { type: 'string', maxLength: 9, enum: ['red', 'green'] };
const instant: Schema = { type: 'string', format: 'date-time' };
const integer: Schema = { type: 'integer', minimum: -2, maximum: 5 };
const everyInteger: Schema = {
  type: 'integer',
  minimum: Number.MIN_SAFE_INTEGER,
  maximum: Number.MAX_SAFE_INTEGER,
};
const number: Schema = { type: 'number' };
const share: Schema = { type: 'number', minimum: 0, maximum: 1 };
const flag: Schema = { type: 'boolean' };
const object: Schema = {
  type: 'object',
  required: ['name'],
  properties: {
    name: text,
    at: { type: 'object', required: ['x'], properties: { x: integer }, additionalProperties: false },
  },
  additionalProperties: false,
};

describe('what fits', () => {
  test.each<[string, Schema, unknown]>([
    ['the shortest string', text, 'a'],
    ['the longest string', text, 'abc'],
    ['a string is measured in code points', text, '😀😀😀'],
    ['an empty string where no least length is named', { type: 'string', maxLength: 0 }, ''],
    ['a listed word', choice, 'green'],
    ['the least integer', integer, -2],
    ['the greatest integer', integer, 5],
    ['2^53 - 1', everyInteger, 9_007_199_254_740_991],
    ['-(2^53 - 1)', everyInteger, -9_007_199_254_740_991],
    ['the smallest number above zero', number, 5e-324],
    ['the greatest number', number, Number.MAX_VALUE],
    ['an integer where a number belongs', number, 3],
    ['both ends of a range', share, 0],
    ['both ends of a range', share, 1],
    ['true', flag, true],
    ['false', flag, false],
    ['an object with its optional part', object, { name: 'a', at: { x: 1 } }],
    ['an object without it', object, { name: 'a' }],
    ['an object without a prototype', object, Object.assign(Object.create(null), { name: 'a' })],
  ])('%s', (_, schema, value) => {
    expect(compileSchema(schema)(value, 'data')).toBeNull();
  });
});

describe('what does not fit, and where', () => {
  test.each<[string, Schema, unknown, string]>([
    ['a string that is too short', text, '', 'data must have at least 1'],
    ['a string that is too long', text, 'abcd', 'data must have at most 3'],
    ['a string that is too long in code points', text, '😀😀😀😀', 'data must have at most 3'],
    ['NUL', text, 'a\u0000', 'data must not contain NUL'],
    ['a lone surrogate', text, '\ud83d', 'data contains a lone surrogate'],
    ['no string', text, 1, 'data must be a string'],
    ['null for a string', text, null, 'data must be a string'],
    ['a word that is not listed', choice, 'blue', 'data must be one of red, green'],
    ['a word in other letters', choice, 'Red', 'data must be one of'],
    ['an integer below', integer, -3, 'data must be at least -2'],
    ['an integer above', integer, 6, 'data must be at most 5'],
    ['a fraction', integer, 1.5, 'data must be an integer'],
    ['2^53', everyInteger, 2 ** 53, 'data must be an integer'],
    ['an integer as text', integer, '1', 'data must be an integer'],
    ['NaN', number, Number.NaN, 'data must be a finite number'],
    ['an infinite number', number, Infinity, 'data must be a finite number'],
    ['a number below', share, -1e-9, 'data must be at least 0'],
    ['a number above', share, 1.000001, 'data must be at most 1'],
    ['a number as text', number, '1', 'data must be a finite number'],
    ['1 for true', flag, 1, 'data must be true or false'],
    ['null for false', flag, null, 'data must be true or false'],
    ['no object', object, 'a', 'data must be an object'],
    ['null for an object', object, null, 'data must be an object'],
    ['a list for an object', object, [], 'data must be an object'],
    ['a missing part', object, {}, 'data.name is missing'],
    ['a part that is inherited', object, Object.create({ name: 'a' }), 'data.name is missing'],
    ['an unknown part', object, { name: 'a', other: 1 }, 'data has a property "other"'],
    ['`__proto__`', object, JSON.parse('{"name":"a","__proto__":{}}'), 'data has a property "__proto__"'],
    ['`constructor`', object, { name: 'a', constructor: 1 }, 'data has a property "constructor"'],
    ['an optional part that is null', object, { name: 'a', at: null }, 'data.at must be an object'],
    ['a part of a part', object, { name: 'a', at: { x: 9 } }, 'data.at.x must be at most 5'],
    ['a missing part of a part', object, { name: 'a', at: {} }, 'data.at.x is missing'],
  ])('%s', (_, schema, value, reason) => {
    expect(compileSchema(schema)(value, 'data')).toContain(reason);
  });

  test('a required part may bear the name of something every object has', () => {
    const schema: Schema = {
      type: 'object',
      required: ['toString'],
      properties: { toString: flag },
      additionalProperties: false,
    };
    expect(compileSchema(schema)({}, 'data')).toBe('data.toString is missing');
    expect(compileSchema(schema)({ toString: true }, 'data')).toBeNull();
  });
});

describe('times', () => {
  const check = compileSchema(instant);

  test.each([
    '2026-11-21T08:56:38Z',
    '2026-11-21T08:56:38.2Z',
    '2026-11-21T08:56:38.250001Z',
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59.999999Z',
    '2024-02-29T00:00:00Z',
    '2000-02-29T00:00:00Z',
    '2026-04-30T00:00:00Z',
  ])('%s fits', (value) => {
    expect(check(value, 'data.at')).toBeNull();
  });

  test.each([
    ['a year that Postgres does not have', '0000-01-01T00:00:00Z'],
    ['February 29th of a common year', '2026-02-29T00:00:00Z'],
    ['February 29th of a century', '1900-02-29T00:00:00Z'],
    ['February 30th of a leap year', '2024-02-30T00:00:00Z'],
    ['April 31st', '2026-04-31T00:00:00Z'],
    ['month 0', '2026-00-10T00:00:00Z'],
    ['month 13', '2026-13-10T00:00:00Z'],
    ['day 0', '2026-01-00T00:00:00Z'],
    ['hour 24', '2026-01-01T24:00:00Z'],
    ['minute 60', '2026-01-01T00:60:00Z'],
    ['a leap second', '2016-12-31T23:59:60Z'],
  ])('%s does not exist', (_, value) => {
    expect(check(value, 'data.at')).toBe('data.at is not a time that exists');
  });

  test.each<[string, unknown]>([
    ['nanoseconds', '2026-11-21T08:56:38.2500001Z'],
    ['a point without digits', '2026-11-21T08:56:38.Z'],
    ['an offset', '2026-11-21T08:56:38+00:00'],
    ['no zone', '2026-11-21T08:56:38'],
    ['a small t', '2026-11-21t08:56:38Z'],
    ['a small z', '2026-11-21T08:56:38z'],
    ['a blank', '2026-11-21 08:56:38Z'],
    ['no seconds', '2026-11-21T08:56Z'],
    ['a date', '2026-11-21'],
    ['five digits of a year', '12026-11-21T08:56:38Z'],
    ['a year before Christ', '-0001-11-21T08:56:38Z'],
    ['digits that are not ASCII', '２０２６-11-21T08:56:38Z'],
    ['a line end', '2026-11-21T08:56:38Z\n'],
    ['infinity', 'infinity'],
    ['now', 'now'],
    ['a number', 1_800_000_000_000],
    ['null', null],
  ])('%s is not how a time is written', (_, value) => {
    expect(check(value, 'data.at')).toContain('data.at must be a time such as');
  });
});
