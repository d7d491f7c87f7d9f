/**
 * What an event does to its row, compiled once per configuration.
 *
 * Rows: declared operations on columns. Aggregates: a reducer makes the whole row or refuses. Effects never depend on
 * the stored row except through `ReadAnswers` (aggregates), so that every region computes the same.
 */
import type { EntryEvent } from '../entry/body.js';
import type { ColumnOperation } from '../fold/row-operation.js';
import type { ColumnContent, ColumnType, ColumnValue, ProjectionContent, RowRule } from './content.js';
import type { AggregateState, Reducer } from './reducer.js';

export type ColumnEffect =
  | { readonly kind: 'put'; readonly columns: ReadonlyMap<string, ColumnOperation> }
  | { readonly kind: 'delete' };

/** The operations of one event of a rows projection; `data` has passed its schema. */
export type RowsProjector = (event: EntryEvent) => ColumnEffect;

/** The row after one event of an aggregate; null refuses. */
export type AggregateProjector = (state: AggregateState | null, event: EntryEvent) => AggregateState | null;

type Data = { readonly [name: string]: unknown };

export function compileRows(projection: Extract<ProjectionContent, { kind: 'rows' }>): RowsProjector {
  const types = new Map(projection.columns.map(({ name, type }) => [name, type]));
  const rules = new Map(
    Object.entries(projection.reducer).map(([type, rule]) => [type, compileRule(rule, types)]),
  );
  const nothing: ColumnEffect = { kind: 'put', columns: new Map() };
  return (event) => rules.get(event.type)?.(event.data as Data) ?? nothing;
}

function compileRule(rule: RowRule, types: ReadonlyMap<string, ColumnType>): (data: Data) => ColumnEffect {
  if ('delete' in rule) return () => ({ kind: 'delete' });
  const steps: { column: string; operation: (data: Data) => ColumnOperation | null }[] = [];
  for (const [column, source] of Object.entries(rule.set ?? {})) {
    const read = reading(source);
    const numeric = types.get(column) === 'numeric';
    steps.push({
      column,
      operation: (data) => {
        const value = read(data);
        // A numeric column's values are text, because they may outgrow a double.
        return { kind: 'set', value: numeric && typeof value === 'number' ? String(value) : value };
      },
    });
  }
  for (const [column, source] of Object.entries(rule.add ?? {})) {
    const read = reading(source);
    steps.push({
      column,
      operation: (data) => {
        const value = read(data);
        return typeof value === 'number' ? { kind: 'add', value: BigInt(value) } : null;
      },
    });
  }
  for (const kind of ['max', 'min'] as const) {
    for (const [column, source] of Object.entries(rule[kind] ?? {})) {
      const read = reading(source);
      steps.push({
        column,
        operation: (data) => {
          const value = read(data);
          return typeof value === 'number' || typeof value === 'string' ? { kind, value } : null;
        },
      });
    }
  }
  return (data) => {
    const columns = new Map<string, ColumnOperation>();
    for (const step of steps) {
      const operation = step.operation(data);
      if (operation !== null) columns.set(step.column, operation);
    }
    return { kind: 'put', columns };
  };
}

/** `$.name` reads a property (null when it is optional and absent); anything else is a literal. */
function reading(source: ColumnValue): (data: Data) => ColumnValue {
  if (typeof source !== 'string' || !source.startsWith('$.')) return () => source;
  const name = source.slice(2);
  return (data) => (Object.hasOwn(data, name) ? (data[name] as ColumnValue) : null);
}

export function compileAggregate(columns: readonly ColumnContent[], reduce: Reducer): AggregateProjector {
  return (state, event) => {
    let result: unknown;
    try {
      result = reduce(state === null ? null : Object.freeze({ ...state }), {
        key: event.key,
        type: event.type,
        v: event.v,
        data: event.data as Data,
      });
    } catch {
      return null;
    }
    return toState(columns, result);
  };
}

/** The row with exactly the columns declared, or null where the reducer's answer does not fit them. */
function toState(columns: readonly ColumnContent[], result: unknown): AggregateState | null {
  if (typeof result !== 'object' || result === null || Object.hasOwn(result, 'refuse')) return null;
  const row = result as { readonly [column: string]: unknown };
  if (Object.keys(row).length !== columns.length) return null;
  const state: { [column: string]: ColumnValue } = {};
  for (const column of columns) {
    const value = Object.hasOwn(row, column.name) ? row[column.name] : undefined;
    if (value !== null && !fitsColumn(column, value)) return null;
    state[column.name] = value as ColumnValue;
  }
  return state;
}

function fitsColumn(column: ColumnContent, value: unknown): boolean {
  switch (column.type) {
    case 'text':
      return typeof value === 'string' && value.isWellFormed() && !value.includes('\u0000');
    case 'bigint':
      return typeof value === 'number' && Number.isSafeInteger(value);
    case 'double precision':
      return typeof value === 'number' && Number.isFinite(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'timestamptz':
    case 'numeric':
      return false;
  }
}
