/**
 * What one region's Postgres holds of a run, read in one snapshot and past all product code: cursors, kept configurations,
 * and the rows whose ids belong to the run, in pages.
 */
import pg from 'pg';
import type { ColumnValue, Sequence } from '@lockstep/protocol';
import type { RegionalState, StoredCursor, StoredRow } from '@lockstep/testing/history';
import { LocalError } from '../../local-error.js';
import type { DeployedDataset } from './fold-configurations.js';

export interface RegionalSnapshot extends RegionalState {
  /** Offset of the last record that the region has folded, by shard. */
  readonly offsets: ReadonlyMap<string, bigint>;
  readonly kept: readonly DeployedDataset[];
}

const CONNECT_MS_MAX = 10_000;
const STATEMENT_MS_MAX = 60_000;
const PAGE_ROWS = 5_000;

export async function readRegion(asked: {
  readonly region: string;
  readonly url: string;
  readonly datasets: readonly DeployedDataset[];
  readonly run: string;
}): Promise<RegionalSnapshot> {
  const client = new pg.Client({
    connectionString: asked.url,
    application_name: 'lockstep-check',
    connectionTimeoutMillis: CONNECT_MS_MAX,
    statement_timeout: STATEMENT_MS_MAX,
  });
  // A connection that breaks fails the statement under way; without a listener it would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('begin transaction isolation level repeatable read read only');
    await client.query(`set local time zone 'UTC'`);
    const { cursors, offsets } = await readCursors(client);
    const { rows: kept } = await client.query<DeployedDataset>(
      'select hash, content from lockstep.configuration',
    );
    const rows = new Map<string, ReadonlyMap<string, StoredRow>>();
    for (const { content } of asked.datasets)
      rows.set(content.dataset, await readRows(client, content, asked.run));
    return { cursors, offsets, kept, rows };
  } catch (error) {
    // The message of a driver may repeat the URL with its password; the code never does.
    const code = (error as { code?: string }).code ?? (error as Error).name;
    throw new LocalError(
      'not-ready',
      `The database of ${asked.region} cannot be read (${code}). See npx lockstep local status.`,
    );
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function readCursors(client: pg.Client): Promise<Pick<RegionalSnapshot, 'cursors' | 'offsets'>> {
  const { rows } = await client.query<{ [name: string]: string }>(
    'select shard, log_incarnation, sequence, log_offset, input_hash, effects_hash from lockstep.cursor',
  );
  const cursors = new Map<string, StoredCursor>();
  const offsets = new Map<string, bigint>();
  for (const row of rows) {
    cursors.set(row['shard']!, {
      logIncarnation: row['log_incarnation'] ?? null,
      sequence: BigInt(row['sequence']!) as Sequence,
      inputHash: row['input_hash']!,
      effectsHash: row['effects_hash']!,
    });
    offsets.set(row['shard']!, BigInt(row['log_offset']!));
  }
  return { cursors, offsets };
}

async function readRows(
  client: pg.Client,
  { projection }: DeployedDataset['content'],
  run: string,
): Promise<ReadonlyMap<string, StoredRow>> {
  const times = projection.columns.filter(({ type }) => type === 'timestamptz').map(({ name }) => name);
  const table = pg.escapeIdentifier(projection.table);
  const found = new Map<string, StoredRow>();
  let after = '';
  for (;;) {
    const { rows } = await client.query<{
      id: string;
      version: string;
      columns: { [name: string]: ColumnValue };
    }>(
      `select id, lockstep_version as version, to_jsonb(t) - 'id' - 'lockstep_version' as columns
       from public.${table} as t
       where id > $1 and starts_with(substr(id, strpos(id, ':') + 1), $2)
       order by id limit ${PAGE_ROWS}`,
      [after, `${run}-`],
    );
    for (const { id, version, columns } of rows) {
      for (const name of times) columns[name] = utc(columns[name]);
      found.set(id, { version: BigInt(version) as Sequence, columns });
    }
    if (rows.length < PAGE_ROWS) return found;
    after = rows.at(-1)!.id;
  }
}

const utc = (value: ColumnValue | undefined): ColumnValue =>
  typeof value === 'string' ? value.replace(/\+00:00$/, 'Z') : (value ?? null);
