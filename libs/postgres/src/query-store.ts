/**
 * The query store on Postgres: what gateways and coordinators ask, over a small pool; safe to call concurrently.
 */
import type { QueryStore } from '@lockstep/engine';
import type { ConfigurationContent, ConfigurationHash, ShardName } from '@lockstep/protocol';
import { quotedArray } from './array-literal.js';
import { assertDurable, DURABILITY_STATEMENT, openPool } from './connection.js';
import { CURSOR_LIST, cursorOf } from './cursor-row.js';
import { OUTCOME_EXPRESSIONS, outcomeOf } from './outcome-row.js';
import { ensureTable } from './projected-table.js';
import { QUARANTINED, quarantinedOf } from './quarantine-row.js';
import { readIncarnation } from './store-incarnation.js';
import { storedRows } from './stored-row.js';

export interface QueryStoreOptions {
  readonly url: string;
  readonly statementTimeoutMs?: number;
}

const STATEMENT_TIMEOUT_MS = 5_000;

const shardArray = (shards: readonly ShardName[]): string => quotedArray(shards, (shard) => shard);

/** Beside what the port asks for. */
export interface PostgresQueryStore extends QueryStore {
  /** Bytes of write-ahead log that the server has written since it was made, for every database in it. */
  walBytes(): Promise<bigint>;
}

export async function openQueryStore(options: QueryStoreOptions): Promise<PostgresQueryStore> {
  const pool = await openPool({
    url: options.url,
    applicationName: 'lockstep-query',
    statementTimeoutMs: options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS,
  });
  try {
    // A pool connects when it is first asked; a store that cannot be used is refused here.
    await readIncarnation(pool);
    return queryStoreOf(pool);
  } catch (error) {
    await pool.close();
    throw error;
  }
}

function queryStoreOf(pool: Awaited<ReturnType<typeof openPool>>): PostgresQueryStore {
  return {
    outcomes: async (shards, key) => {
      const rows = await pool.run('read', OUTCOMES, [shardArray(shards), key]);
      return rows.map((row) => ({ shard: row['shard'] as ShardName, outcome: outcomeOf(row) }));
    },
    quarantined: async (shards, limit) =>
      (await pool.run('read', QUARANTINED, [shardArray(shards), limit.toString()])).map(quarantinedOf),
    rows: (places) => storedRows(pool, places),
    cursors: async (shards) => (await pool.run('read', CURSORS, [shardArray(shards)])).map(cursorOf),
    configurations: async () => {
      const rows = await pool.run('read', CONFIGURATIONS);
      return rows.map((row) => ({
        hash: row['hash'] as ConfigurationHash,
        content: JSON.parse(row['content']!) as ConfigurationContent,
      }));
    },
    keepConfiguration: async (hash, content) => {
      await pool.run('write', KEEP_CONFIGURATION, [hash, JSON.stringify(content)]);
    },
    ensureTable: (table, writtenBy = 'fold') =>
      pool.transaction((statements) => ensureTable(statements, table, writtenBy)),
    check: async () => {
      const [row] = await pool.run('read', DURABILITY_STATEMENT);
      assertDurable(row);
    },
    walBytes: async () => BigInt((await pool.run('read', WAL_BYTES))[0]!['wal_bytes']!),
    close: () => pool.close(),
  };
}

const OUTCOMES = `
select o.shard, ${OUTCOME_EXPRESSIONS.join(', ')} from lockstep.outcome as o where o.shard = any($1::text[]) and o.key = $2`;

const CURSORS = `select ${CURSOR_LIST} from lockstep.cursor as c where c.shard = any($1::text[])`;

const WAL_BYTES = `select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') as wal_bytes`;

const CONFIGURATIONS = 'select hash, content from lockstep.configuration order by hash';

/** Content of a hash never changes: the first one stays. */
const KEEP_CONFIGURATION = `
insert into lockstep.configuration (hash, content) values ($1, $2::json) on conflict (hash) do nothing`;
