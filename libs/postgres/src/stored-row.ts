/**
 * Rows of projections together with their shards' cursors, from one snapshot: of one table by one statement, of several
 * in one transaction.
 */
import { PortError } from '@lockstep/engine';
import type { ProjectedTable, RowPlace, StoredRow } from '@lockstep/engine';
import { sequence } from '@lockstep/protocol';
import { quotedArray } from './array-literal.js';
import { columnValue } from './column-type.js';
import type { Pool, Row, Statements } from './connection.js';
import { CURSOR_LIST, cursorOf } from './cursor-row.js';
import { qualifiedTable, quoteIdentifier } from './identifier.js';

export async function storedRows(pool: Pool, places: readonly RowPlace[]): Promise<readonly StoredRow[]> {
  const byTable = new Map<string, RowPlace[]>();
  for (const place of places) {
    const { table } = place.table;
    const known = byTable.get(table);
    if (known === undefined) byTable.set(table, [place]);
    else known.push(place);
  }
  const groups = [...byTable.values()];
  const read = async (statements: Statements): Promise<ReadonlyMap<RowPlace, StoredRow>> => {
    const found = new Map<RowPlace, StoredRow>();
    for (const group of groups)
      for (const [index, row] of (await rowsOfTable(statements, group)).entries())
        found.set(group[index]!, row);
    return found;
  };
  const found = groups.length === 1 ? await read(pool) : await pool.snapshot(read);
  return places.map((place) => found.get(place)!);
}

/** @param places of one table. */
async function rowsOfTable(
  statements: Statements,
  places: readonly RowPlace[],
): Promise<readonly StoredRow[]> {
  const { table } = places[0]!;
  const columns = table.columns
    .map((column, index) => `, t.${quoteIdentifier(column.name)}::text as c${index}`)
    .join('');
  const rows = await statements.run(
    'read',
    `select ${CURSOR_LIST}, t.lockstep_version${columns}
     from unnest($1::text[], $2::text[]) with ordinality as a(shard, key, n)
     join lockstep.cursor as c on c.shard = a.shard
     left join ${qualifiedTable(table.table)} as t on t.id = a.key
     order by a.n`,
    [quotedArray(places, ({ shard }) => shard), quotedArray(places, ({ key }) => key)],
  );
  if (rows.length < places.length) {
    const known = new Set(rows.map((row) => row['shard']));
    const { shard } = places.find((place) => !known.has(place.shard))!;
    throw new PortError(
      'shard-unknown',
      'retryable',
      `No replicator of this region has taken ${shard} up yet; see that one runs.`,
    );
  }
  return rows.map((row) => storedRow(table, row));
}

function storedRow(table: ProjectedTable, row: Row): StoredRow {
  const version = row['lockstep_version'] ?? null;
  if (version === null) return { cursor: cursorOf(row), row: null };
  return {
    cursor: cursorOf(row),
    row: {
      version: sequence(BigInt(version)),
      columns: Object.fromEntries(
        table.columns.map((column, index) => [column.name, columnValue(column, row[`c${index}`] ?? null)]),
      ),
    },
  };
}
