/**
 * What an accepted entry does to one row, and how operations on one row combine.
 *
 * A version is the sequence of the last accepted entry that touched the row. `coalesce` keeps one operation per key
 * and the result, applied to any row, equals the operations applied one by one (property test).
 */
import type { ColumnValue } from '../configuration/content.js';
import type { Sequence } from '../identity/identity.js';

export type ColumnOperation =
  | { readonly kind: 'set'; readonly value: ColumnValue }
  /** Null counts as zero. `numeric` columns only, so that no sum can overflow. */
  | { readonly kind: 'add'; readonly value: bigint }
  /** Null gives way to the value. A string is a time: the catalogue admits no `max` or `min` of text. */
  | { readonly kind: 'max'; readonly value: string | number }
  | { readonly kind: 'min'; readonly value: string | number };

export type RowOperation =
  | {
      readonly kind: 'put';
      readonly key: string;
      readonly version: Sequence;
      /** True when the row was deleted before in the same batch: columns that are not named become null. */
      readonly replaces: boolean;
      readonly columns: ReadonlyMap<string, ColumnOperation>;
    }
  | { readonly kind: 'delete'; readonly key: string; readonly version: Sequence };

/** `first`, then `second`, as one operation on the same key. */
export function combine(first: RowOperation, second: RowOperation): RowOperation {
  if (second.kind === 'delete' || second.replaces) return second;
  if (first.kind === 'delete') return { ...second, replaces: true };
  const columns = new Map(first.columns);
  for (const [column, operation] of second.columns) {
    const before = columns.get(column);
    columns.set(column, before === undefined ? operation : combineColumn(before, operation));
  }
  return { kind: 'put', key: second.key, version: second.version, replaces: first.replaces, columns };
}

/** The catalogue admits one kind of operation per column, so that only like kinds meet, or something meets `set`. */
function combineColumn(first: ColumnOperation, second: ColumnOperation): ColumnOperation {
  if (second.kind === 'set') return second;
  if (first.kind !== second.kind) throw new Error(`a column is never both ${first.kind} and ${second.kind}`);
  switch (second.kind) {
    case 'add':
      return { kind: 'add', value: (first as { value: bigint }).value + second.value };
    case 'max':
      return rank((first as { value: string | number }).value) >= rank(second.value) ? first : second;
    case 'min':
      return rank((first as { value: string | number }).value) <= rank(second.value) ? first : second;
  }
}

/** Times may differ in precision; only without their "Z" is the order of their texts the order in time. */
const rank = (value: string | number): string | number =>
  typeof value === 'string' ? value.slice(0, -1) : value;

/** One operation per key, sorted by key (code unit order). */
export function coalesce(operations: Iterable<RowOperation>): readonly RowOperation[] {
  const byKey = new Map<string, RowOperation>();
  for (const operation of operations) {
    const before = byKey.get(operation.key);
    byKey.set(operation.key, before === undefined ? operation : combine(before, operation));
  }
  return [...byKey.values()].sort((x, y) => (x.key < y.key ? -1 : 1));
}
