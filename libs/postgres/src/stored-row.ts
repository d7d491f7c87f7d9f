/**
 * A row of a projection together with its shard's cursor, in one statement and therefore from one snapshot.
 */
import { PortError } from '@lockstep/engine';
import type { ProjectedTable, StoredRow } from '@lockstep/engine';
import { sequence } from '@lockstep/protocol';
import type { ShardName } from '@lockstep/protocol';
import { columnValue } from './column-type.js';
import type { Statements } from './connection.js';
import { CURSOR_LIST, cursorOf } from './cursor-row.js';
import { qualifiedTable, quoteIdentifier } from './identifier.js';

export async function storedRow(
  statements: Statements,
  table: ProjectedTable,
  shard: ShardName,
  key: string,
): Promise<StoredRow> {
  const columns = table.columns
    .map((column, index) => `, t.${quoteIdentifier(column.name)}::text as c${index}`)
    .join('');
  const [row] = await statements.run(
    'read',
    `select ${CURSOR_LIST}, t.lockstep_version${columns}
     from lockstep.cursor as c left join ${qualifiedTable(table.table)} as t on t.id = $2
     where c.shard = $1`,
    [shard, key],
  );
  if (row === undefined) {
    throw new PortError(
      'shard-unknown',
      'retryable',
      `No replicator of this region has taken ${shard} up yet; see that one runs.`,
    );
  }
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
