/**
 * The part of a commit that changes rows: a merge and a delete over arrays, guarded by the stored version.
 *
 * A merge and not an insert that turns into an update: a row that is there is neither locked nor tried as a new one first,
 * which spares a quarter of the log's bytes (0070). Nobody else can insert the same row meanwhile: rows of a shard are
 * written under the lock of its cursor.
 *
 * How a column is changed is decided by the shape of the batch. Where every row treats the column alike, the column
 * costs one array and one expression. Where rows differ (some name it, some do not; some were deleted before), each row
 * carries a letter for the column. A projection has few shapes, so its statements are prepared once.
 */
import type { ProjectedTable } from '@lockstep/engine';
import type { ColumnContent, ColumnOperation, RowOperation } from '@lockstep/protocol';
import { plainArray, quotedArray } from './array-literal.js';
import { columnArray } from './column-type.js';
import { qualifiedTable, quoteIdentifier } from './identifier.js';
import { effectsRefused } from './store-failure.js';

type Put = Extract<RowOperation, { kind: 'put' }>;

/** `absent`: no row names the column. `mixed`: the rows differ. */
type ColumnMode = 'absent' | 'mixed' | ColumnOperation['kind'];

/** Letters of a mixed column. */
const LETTERS = { absent: 'k', set: 's', add: 'a', max: 'g', min: 'l' } as const;

export interface RowStatement {
  /** Common table expressions, each with a leading comma. They read `gate`. */
  readonly expressions: string;
  readonly parameters: readonly string[];
}

/** @param firstParameter number of the first parameter that is free. */
export function rowStatement(
  table: ProjectedTable,
  rows: readonly RowOperation[],
  firstParameter: number,
): RowStatement {
  const puts = rows.filter((row) => row.kind === 'put');
  const deletes = puts.length === rows.length ? [] : rows.filter((row) => row.kind === 'delete');
  const parameters: string[] = [];
  /** Takes a parameter up and answers its place in the statement. */
  const array = (literal: string, type: string): string => {
    parameters.push(literal);
    return `$${firstParameter + parameters.length - 1}::${type}[]`;
  };
  let expressions = '';
  if (puts.length > 0) expressions += merge(table, puts, array);
  if (deletes.length > 0) expressions += deletion(table, deletes, array);
  return { expressions, parameters };
}

type TakeArray = (literal: string, type: string) => string;

function merge(table: ProjectedTable, puts: readonly Put[], array: TakeArray): string {
  const given = table.columns.map(({ name }) => puts.map((put) => put.columns.get(name)));
  assertAllKnown(table, puts, given);
  const replaces = puts.some((put) => put.replaces);
  const modes = table.columns.map((column, index) => modeOf(column, given[index]!));

  const arrays = [
    array(
      quotedArray(puts, (put) => put.key),
      'text',
    ),
    array(
      plainArray(puts, (put) => put.version.toString()),
      'bigint',
    ),
  ];
  const names = ['id', 'version'];
  if (replaces) {
    arrays.push(
      array(
        plainArray(puts, (put) => (put.replaces ? 't' : 'f')),
        'boolean',
      ),
    );
    names.push('replaces');
  }
  const targets: string[] = [];
  const inserted: string[] = [];
  const assigned: string[] = [];
  table.columns.forEach((column, index) => {
    const [mode, operations] = [modes[index]!, given[index]!];
    if (mode === 'absent' && !replaces) return;
    const target = quoteIdentifier(column.name);
    const incoming = `r.c${index}`;
    const nothing = `null::${column.type}`;
    const stored = `t.${target}`;
    const kept = replaces ? `case when r.replaces then ${nothing} else ${stored} end` : stored;
    if (mode !== 'absent') {
      arrays.push(
        array(
          columnArray(
            column,
            operations.map((operation) => operation?.value ?? null),
          ),
          column.type,
        ),
      );
      names.push(`c${index}`);
    }
    if (mode === 'mixed') {
      arrays.push(
        array(
          plainArray(operations, (operation) => LETTERS[operation?.kind ?? 'absent']),
          'text',
        ),
      );
      names.push(`m${index}`);
    }
    const after = (old: string): string =>
      mode === 'mixed' ? mixed(column, `r.m${index}`, old, incoming) : combined(mode, column, old, incoming);
    targets.push(target);
    inserted.push(after(nothing));
    assigned.push(`${target} = ${after(kept)}`);
  });
  return `,
put as (
  merge into ${qualifiedTable(table.table)} as t
  using (select * from unnest(${arrays.join(', ')}) as u(${names.join(', ')}) where (select open from gate)) as r
  on t.id = r.id
  when matched and t.lockstep_version < r.version then
    update set ${[...assigned, 'lockstep_version = r.version'].join(', ')}
  when not matched then
    insert (${['id', ...targets, 'lockstep_version'].join(', ')})
    values (${['r.id', ...inserted, 'r.version'].join(', ')})
)`;
}

function deletion(table: ProjectedTable, deletes: readonly RowOperation[], array: TakeArray): string {
  const ids = array(
    quotedArray(deletes, (row) => row.key),
    'text',
  );
  const versions = array(
    plainArray(deletes, (row) => row.version.toString()),
    'bigint',
  );
  return `,
deleted as (
  delete from ${qualifiedTable(table.table)} as t using unnest(${ids}, ${versions}) as r(id, version)
  where t.id = r.id and t.lockstep_version < r.version and (select open from gate)
)`;
}

/** What each row does to one column. */
type Given = readonly (ColumnOperation | undefined)[];

/** Every column that a row names is one of the table's if the table's are as many. */
function assertAllKnown(
  { columns, table }: ProjectedTable,
  puts: readonly Put[],
  given: readonly Given[],
): void {
  let unknown = 0;
  for (const put of puts) unknown += put.columns.size;
  for (const operations of given) for (const one of operations) if (one !== undefined) unknown -= 1;
  if (unknown === 0) return;
  const known = new Set(columns.map(({ name }) => name));
  const name = puts.flatMap((put) => [...put.columns.keys()]).find((named) => !known.has(named));
  throw effectsRefused(`Table "${table}" has no column "${name}"; correct the projection.`);
}

function modeOf(column: ColumnContent, given: Given): ColumnMode {
  let mode: ColumnMode | null = null;
  for (const operation of given) {
    const kind = operation?.kind ?? 'absent';
    if (kind === 'add' && column.type !== 'numeric') {
      throw effectsRefused(
        `Column "${column.name}" (${column.type}) cannot be added to; only numeric columns can.`,
      );
    }
    if (mode === null) mode = kind;
    else if (mode !== kind) return 'mixed';
  }
  return mode ?? 'absent';
}

/** The value after the operation. Null counts as zero for `add`; `greatest` and `least` pass over it. */
function combined(
  mode: Exclude<ColumnMode, 'mixed'>,
  column: ColumnContent,
  old: string,
  given: string,
): string {
  // Text is compared by bytes, whatever collation the table has (B28).
  const collate = column.type === 'text' ? ' collate "C"' : '';
  switch (mode) {
    case 'absent':
      return old;
    case 'set':
      return given;
    case 'add':
      return `coalesce(${old}, 0) + ${given}`;
    case 'max':
      return `greatest((${old})${collate}, ${given}${collate})`;
    case 'min':
      return `least((${old})${collate}, ${given}${collate})`;
  }
}

function mixed(column: ColumnContent, letter: string, old: string, given: string): string {
  const kinds: Exclude<ColumnMode, 'mixed'>[] = ['absent', 'set'];
  if (column.type === 'numeric') kinds.push('add');
  if (column.type !== 'boolean') kinds.push('max', 'min');
  const cases = kinds.map((kind) => `when '${LETTERS[kind]}' then ${combined(kind, column, old, given)}`);
  return `case ${letter} ${cases.join(' ')} end`;
}
