/**
 * Creates the table of a projection, or says how the one that exists differs. It never alters a table: what to do with
 * the rows in it is not for a start to decide.
 */
import type { ProjectedTable, TableWriter } from '@lockstep/engine';
import type { ColumnContent } from '@lockstep/protocol';
import { FOLD_SETTING, type Row, type Statements } from './connection.js';
import { qualifiedTable, quoteIdentifier } from './identifier.js';

export const VERSION_COLUMN = 'lockstep_version';

/** Several processes start at once, and `create table if not exists` is not safe among them: run in a transaction. */
export async function ensureTable(
  statements: Statements,
  table: ProjectedTable,
  writtenBy: TableWriter,
): Promise<readonly string[]> {
  await statements.run('write', `select pg_advisory_xact_lock(hashtextextended('lockstep ' || $1, 0))`, [
    table.table,
  ]);
  const [found] = await statements.run('read', FIND_TABLE, [table.table]);
  if (found === undefined) {
    await statements.run('write', createStatement(table));
    await guard(statements, table, writtenBy);
    return [];
  }
  if (found['kind'] !== 'r' && found['kind'] !== 'p')
    return [`"${table.table}" in schema public is not a table.`];
  const columns = await statements.run('read', FIND_COLUMNS, [found['oid']!]);
  const [key] = await statements.run('read', FIND_PRIMARY_KEY, [found['oid']!]);
  const differences = [
    ...columnDifferences(table, columns),
    ...keyDifferences(table, key?.['columns'] ?? ''),
  ];
  if (differences.length === 0) await guard(statements, table, writtenBy);
  return differences;
}

/**
 * Where services change the rows, every change that is not the fold's is caught. Once guarded a table stays so: when its dataset
 * is written otherwise from now on, changes of services that do not know it yet are refused instead of lost.
 */
async function guard(
  statements: Statements,
  { table }: ProjectedTable,
  writtenBy: TableWriter,
): Promise<void> {
  if (writtenBy !== 'outbox') return;
  const [found] = await statements.run('read', FIND_GUARD, [table]);
  if (found !== undefined) return;
  for (const trigger of GUARD)
    await statements.run('write', `create trigger ${trigger.replace('TABLE', qualifiedTable(table))}`);
}

const NOT_THE_FOLD = `when (current_setting('${FOLD_SETTING}', true) is distinct from 'on')`;

const GUARD = [
  `lockstep_keep_version before insert or update on TABLE
   for each row ${NOT_THE_FOLD} execute function lockstep.keep_version()`,
  `lockstep_refuse_truncate before truncate on TABLE
   for each statement execute function lockstep.refuse_truncate()`,
  `lockstep_catch_change after insert or update or delete on TABLE
   for each row ${NOT_THE_FOLD} execute function lockstep.catch_change()`,
];

/** The trigger that is made last. */
const FIND_GUARD = `
select 1 as found from pg_trigger as g join pg_class as c on c.oid = g.tgrelid
where c.relnamespace = 'public'::regnamespace and c.relname = $1 and g.tgname = 'lockstep_catch_change'`;

function createStatement(table: ProjectedTable): string {
  const columns = table.columns.map((column) => `${quoteIdentifier(column.name)} ${column.type}`);
  const list = ['id text collate "C" primary key', ...columns, `${VERSION_COLUMN} bigint not null`];
  // Room for updates in place after a bulk load.
  return `create table ${qualifiedTable(table.table)} (${list.join(', ')}) with (fillfactor = 90)`;
}

const FIND_TABLE = `
select c.oid, c.relkind as kind from pg_class as c
where c.relnamespace = 'public'::regnamespace and c.relname = $1`;

const FIND_COLUMNS = `
select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, co.collname as collation,
  a.attnotnull as not_null, a.attgenerated <> '' or a.attidentity <> '' as generated
from pg_attribute as a left join pg_collation as co on co.oid = a.attcollation
where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped
order by a.attnum`;

const FIND_PRIMARY_KEY = `
select string_agg(a.attname, ', ' order by k.place) as columns
from pg_index as i
cross join unnest(i.indkey) with ordinality as k(attnum, place)
join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
where i.indrelid = $1::oid and i.indisprimary`;

/** `timestamptz` is Postgres' own short name. */
const SQL_NAME: { readonly [type: string]: string } = { timestamptz: 'timestamp with time zone' };

interface ExpectedColumn extends ColumnContent {
  readonly notNull: boolean;
}

function columnDifferences({ table, columns }: ProjectedTable, found: readonly Row[]): readonly string[] {
  const expected: readonly ExpectedColumn[] = [
    { name: 'id', type: 'text', notNull: true },
    ...columns.map((column) => ({ ...column, notNull: false })),
    { name: VERSION_COLUMN, type: 'bigint', notNull: true },
  ];
  const byName = new Map(found.map((column) => [column['name'], column]));
  const differences: string[] = [];
  for (const column of expected) {
    const present = byName.get(column.name);
    if (present === undefined) {
      differences.push(`Table "${table}" lacks column "${column.name}" of type ${column.type}.`);
      continue;
    }
    byName.delete(column.name);
    const place = `Column "${column.name}" of table "${table}"`;
    const type = SQL_NAME[column.type] ?? column.type;
    if (present['type'] !== type) {
      differences.push(`${place} has type ${present['type']} instead of ${type}.`);
    } else if (column.name === 'id' && present['collation'] !== 'C') {
      differences.push(`${place} has collation "${present['collation']}" instead of "C".`);
    }
    if (present['generated'] === 't')
      differences.push(`${place} is generated; the fold must be able to write it.`);
    if (column.notNull && present['not_null'] === 'f') differences.push(`${place} must be not null.`);
    if (!column.notNull && present['not_null'] === 't') differences.push(`${place} must allow null.`);
  }
  for (const name of byName.keys())
    differences.push(`Table "${table}" has a column "${name}" that the projection does not name.`);
  return differences;
}

function keyDifferences({ table }: ProjectedTable, found: string): readonly string[] {
  if (found === 'id') return [];
  return [
    `Table "${table}" has ${found === '' ? 'no primary key' : `the primary key (${found})`} instead of the primary key (id).`,
  ];
}
