/** The law of coalescing: applied to any row, the batch gives what its operations give one by one (I4, I11). */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { sequence, type Sequence } from '../identity/identity.js';
import { applyColumn } from './fold.fixture.js';
import { coalesce, type ColumnOperation, type RowOperation } from './row-operation.js';

/** One kind of operation per column, as the catalogue admits. */
const OPERATIONS: { readonly [column: string]: fc.Arbitrary<ColumnOperation> } = (() => {
  const number = fc.oneof(
    fc.integer({ min: -3, max: 3 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
  );
  const time = fc
    .tuple(
      fc.constantFrom('2026-01-01T00:00:00', '2025-12-31T23:59:59', '2026-01-01T00:00:01'),
      fc.stringMatching(/^(\.[0-9]{1,6})?$/),
    )
    .map(([second, fraction]) => `${second}${fraction}Z`);
  return {
    label: fc.option(fc.string()).map((value) => ({ kind: 'set', value })),
    total: fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map((value) => ({ kind: 'add', value })),
    peak: number.map((value) => ({ kind: 'max', value })),
    low: number.map((value) => ({ kind: 'min', value })),
    latest: time.map((value) => ({ kind: 'max', value })),
    earliest: time.map((value) => ({ kind: 'min', value })),
  };
})();

type Row = {
  readonly version: Sequence;
  readonly columns: { readonly [column: string]: string | number | boolean | null };
};
const NOTHING = Object.fromEntries(Object.keys(OPERATIONS).map((column) => [column, null]));

/** Microseconds since the first of the times above: what a database compares. */
function instant(time: string): number {
  const [, whole, fraction = ''] = /^(.*?)(?:\.([0-9]+))?Z$/.exec(time)!;
  return (
    (Date.parse(`${whole}Z`) - Date.parse('2025-12-31T23:59:59Z')) * 1_000 + Number(fraction.padEnd(6, '0'))
  );
}

/** A database in one line per column: `applyColumn` of the fixture, with times as instants and -0 as 0. */
function apply(
  rows: ReadonlyMap<string, Row>,
  operations: readonly RowOperation[],
): ReadonlyMap<string, Row> {
  const after = new Map(rows);
  for (const operation of operations) {
    if (operation.kind === 'delete') {
      after.delete(operation.key);
      continue;
    }
    const columns = { ...NOTHING, ...(operation.replaces ? {} : after.get(operation.key)?.columns) };
    for (const [column, change] of operation.columns) {
      const ordered = change.kind === 'max' || change.kind === 'min';
      const stored = ordered
        ? { ...change, value: typeof change.value === 'string' ? instant(change.value) : change.value + 0 }
        : change;
      columns[column] = applyColumn(columns[column] ?? null, stored);
    }
    after.set(operation.key, { version: operation.version, columns });
  }
  return after;
}

const changes = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      columns: fc.record(OPERATIONS, { requiredKeys: [] }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ key: fc.constantFrom('a', 'b', 'c'), columns: fc.constant(null) }) },
);
const batches = fc.array(changes, { maxLength: 14, size: 'max' }).map((all) =>
  all.map(({ key, columns }, index): RowOperation => {
    const version = sequence(BigInt(index + 10));
    if (columns === null) return { kind: 'delete', key, version };
    return {
      kind: 'put',
      key,
      version,
      replaces: false,
      columns: new Map(Object.entries(columns) as [string, ColumnOperation][]),
    };
  }),
);
const before = batches.map((batch) => apply(new Map(), batch));

test('a coalesced batch gives every row what its operations give one by one', () => {
  fc.assert(
    fc.property(before, batches, (rows, batch) => {
      const coalesced = coalesce(batch);
      expect(new Map([...apply(rows, coalesced)].sort())).toEqual(new Map([...apply(rows, batch)].sort()));
      expect(coalesced.map((operation) => operation.key)).toEqual(
        [...new Set(batch.map(({ key }) => key))].sort(),
      );
    }),
    { numRuns: 500 },
  );
});

test('coalescing what was coalesced before gives the same rows, wherever the batch was cut', () => {
  fc.assert(
    fc.property(before, batches, fc.nat(14), (rows, batch, cut) => {
      const parts = coalesce([...coalesce(batch.slice(0, cut)), ...coalesce(batch.slice(cut))]);
      expect(new Map([...apply(rows, parts)].sort())).toEqual(new Map([...apply(rows, batch)].sort()));
      expect(coalesce(coalesce(batch))).toEqual(coalesce(batch));
    }),
    { numRuns: 300 },
  );
});
