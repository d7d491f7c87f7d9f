/** How operations on one row become one: what a batch writes is what its entries say, one after the other. */
import { describe, expect, test } from '@jest/globals';
import { sequence } from '../identity/identity.js';
import { coalesce, combine, type ColumnOperation, type RowOperation } from './row-operation.js';

const put = (
  key: string,
  version: bigint,
  columns: { readonly [name: string]: ColumnOperation } = {},
  replaces = false,
): RowOperation => ({
  kind: 'put',
  key,
  version: sequence(version),
  replaces,
  columns: new Map(Object.entries(columns)),
});
const remove = (key: string, version: bigint): RowOperation => ({
  kind: 'delete',
  key,
  version: sequence(version),
});
const set = (value: string | null): ColumnOperation => ({ kind: 'set', value });
const add = (value: bigint): ColumnOperation => ({ kind: 'add', value });
const max = (value: string | number): ColumnOperation => ({ kind: 'max', value });
const min = (value: string | number): ColumnOperation => ({ kind: 'min', value });

describe('two operations on one row', () => {
  test.each<[string, RowOperation, RowOperation, RowOperation]>([
    [
      'the later value stands',
      put('k', 1n, { a: set('x') }),
      put('k', 2n, { a: set('y') }),
      put('k', 2n, { a: set('y') }),
    ],
    [
      'also where it is null',
      put('k', 1n, { a: set('x') }),
      put('k', 2n, { a: set(null) }),
      put('k', 2n, { a: set(null) }),
    ],
    [
      'what only one names stays',
      put('k', 1n, { a: set('x') }),
      put('k', 2n, { b: set('y') }),
      put('k', 2n, { a: set('x'), b: set('y') }),
    ],
    [
      'sums add up, beyond 2^63',
      put('k', 1n, { a: add(2n ** 63n) }),
      put('k', 2n, { a: add(2n ** 63n) }),
      put('k', 2n, { a: add(2n ** 64n) }),
    ],
    [
      'the greater of numbers',
      put('k', 1n, { a: max(10) }),
      put('k', 2n, { a: max(9) }),
      put('k', 2n, { a: max(10) }),
    ],
    [
      'the lesser of numbers',
      put('k', 1n, { a: min(10) }),
      put('k', 2n, { a: min(9) }),
      put('k', 2n, { a: min(9) }),
    ],
    [
      'of equal ones the first, for max',
      put('k', 1n, { a: max(0) }),
      put('k', 2n, { a: max(-0) }),
      put('k', 2n, { a: max(0) }),
    ],
    [
      'of equal ones the first, for min',
      put('k', 1n, { a: min(-0) }),
      put('k', 2n, { a: min(0) }),
      put('k', 2n, { a: min(-0) }),
    ],
    [
      'an empty put raises the version',
      put('k', 1n, { a: set('x') }),
      put('k', 2n),
      put('k', 2n, { a: set('x') }),
    ],
    ['a delete forgets what was put', put('k', 1n, { a: set('x') }), remove('k', 2n), remove('k', 2n)],
    ['a second delete', remove('k', 1n), remove('k', 2n), remove('k', 2n)],
    [
      'a put after a delete begins anew',
      remove('k', 1n),
      put('k', 2n, { a: add(1n) }),
      put('k', 2n, { a: add(1n) }, true),
    ],
    [
      'what began anew goes on',
      put('k', 1n, { a: add(1n) }, true),
      put('k', 2n, { b: set('x') }),
      put('k', 2n, { a: add(1n), b: set('x') }, true),
    ],
    [
      'what begins anew forgets what was put',
      put('k', 1n, { a: set('x') }),
      put('k', 2n, { b: set('y') }, true),
      put('k', 2n, { b: set('y') }, true),
    ],
  ])('%s', (_, first, second, together) => {
    expect(combine(first, second)).toEqual(together);
  });

  test('times compare as times, whatever their precision', () => {
    const whole = '2026-01-01T00:00:00Z';
    const half = '2026-01-01T00:00:00.5Z';
    const micro = '2026-01-01T00:00:00.000001Z';
    for (const [earlier, later] of [
      [whole, half],
      [whole, micro],
      [micro, half],
    ] as const) {
      for (const [first, second] of [
        [earlier, later],
        [later, earlier],
      ] as const) {
        expect(combine(put('k', 1n, { a: max(first) }), put('k', 2n, { a: max(second) }))).toEqual(
          put('k', 2n, { a: max(later) }),
        );
        expect(combine(put('k', 1n, { a: min(first) }), put('k', 2n, { a: min(second) }))).toEqual(
          put('k', 2n, { a: min(earlier) }),
        );
      }
    }
  });

  test('a column of two kinds is a defect of the configuration and stops', () => {
    expect(() => combine(put('k', 1n, { a: add(1n) }), put('k', 2n, { a: max(1) }))).toThrow(
      'never both add and max',
    );
  });

  test('the operations that were combined stay as they were', () => {
    const first = put('k', 1n, { a: add(1n) });
    combine(first, put('k', 2n, { a: add(1n), b: set('x') }));
    expect(first).toEqual(put('k', 1n, { a: add(1n) }));
  });
});

test('a batch holds one operation per key, sorted by code unit so that two writers lock rows in one order', () => {
  const batch = coalesce([
    put('b', 1n),
    put('B', 2n),
    put('a/1', 3n),
    put('a', 4n),
    remove('b', 5n),
    put('a', 6n),
  ]);
  expect(batch.map(({ key, version, kind }) => `${key} ${version} ${kind}`)).toEqual([
    'B 2 put',
    'a 6 put',
    'a/1 3 put',
    'b 5 delete',
  ]);
});
