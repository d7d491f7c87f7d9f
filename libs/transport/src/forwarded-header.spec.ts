import { expect, test } from '@jest/globals';
import { epoch } from '@lockstep/protocol';
import { encodeForwarded, parseForwarded } from './forwarded-header.js';

const forwarded = {
  hops: 1,
  epoch: epoch(7n),
  key: 'given',
  timeoutMs: 9_500,
  principal: 'alice@example.com; hops=2 ü',
} as const;
const header = 'hops=1;epoch=7;key=given;timeoutMs=9500;principal=alice%40example.com%3B%20hops%3D2%20%C3%BC';

test('a forwarded write is told in one header that cannot be read as another', () => {
  expect(encodeForwarded(forwarded)).toBe(header);
  expect(parseForwarded(header)).toEqual(forwarded);
});

test.each([
  ['nothing', ''],
  ['a space', header.replace(';', '; ')],
  ['another order', 'epoch=7;hops=1;key=given;timeoutMs=9500;principal=a'],
  ['a field too many', `${header};hops=1`],
  ['a missing field', 'hops=1;epoch=7;key=given;principal=a'],
  ['no hops', header.replace('hops=1', 'hops=0')],
  ['ten hops', header.replace('hops=1', 'hops=10')],
  ['a leading zero', header.replace('epoch=7', 'epoch=07')],
  ['a sign', header.replace('epoch=7', 'epoch=-7')],
  ['an epoch beyond 2^53 - 1', header.replace('epoch=7', 'epoch=9007199254740992')],
  ['an unknown key', header.replace('key=given', 'key=maybe')],
  ['upper case', header.replace('key=given', 'key=GIVEN')],
  ['no time left', header.replace('timeoutMs=9500', 'timeoutMs=0')],
  ['more time than a caller may ask for', header.replace('timeoutMs=9500', 'timeoutMs=60001')],
  ['no principal', 'hops=1;epoch=7;key=given;timeoutMs=9500;principal='],
  ['a broken escape', 'hops=1;epoch=7;key=given;timeoutMs=9500;principal=%4'],
  ['an escape that is no UTF-8', 'hops=1;epoch=7;key=given;timeoutMs=9500;principal=%FF'],
  ['an escape that was not needed', 'hops=1;epoch=7;key=given;timeoutMs=9500;principal=%61'],
  ['lower-case hex digits', 'hops=1;epoch=7;key=given;timeoutMs=9500;principal=%c3%bc'],
  ['an endless principal', `hops=1;epoch=7;key=given;timeoutMs=9500;principal=${'a'.repeat(513)}`],
  ['a line break', `${header}\n`],
])('a header outside the grammar is no forwarded write: %s', (_what, text) => {
  expect(parseForwarded(text)).toBeNull();
});

test('the bounds of the grammar are inside it', () => {
  const widest = {
    hops: 9,
    epoch: epoch(2n ** 53n - 1n),
    key: 'none',
    timeoutMs: 60_000,
    principal: 'a'.repeat(512),
  } as const;
  expect(parseForwarded(encodeForwarded(widest))).toEqual(widest);
});

test('a principal that cannot be carried stops the sender', () => {
  expect(() => encodeForwarded({ ...forwarded, principal: '' })).toThrow(RangeError);
});
