/**
 * The query store on Postgres: what gateways and coordinators ask, over a small pool; safe to call concurrently.
 */
import type { DatabaseStanding, OutboxParkingStore, QueryStore, UndoneStore } from '@lockstep/engine';
import type { ConfigurationContent, ConfigurationHash, DatasetName, ShardName } from '@lockstep/protocol';
import { textArray } from './array-literal.js';
import { assertDurable, DURABILITY_STATEMENT, openPool } from './connection.js';
import { CURSOR_LIST, cursorOf } from './cursor-row.js';
import { OUTCOME_EXPRESSIONS, outcomeOf } from './outcome-row.js';
import { ensureTable } from './projected-table.js';
import { QUARANTINED, quarantinedOf } from './quarantine-row.js';
import { readIncarnation } from './store-incarnation.js';
import { storedRows } from './stored-row.js';
import { ASK_UNDONE, SETTLE_UNDONE, UNDONE, UNDONE_BY_KEY, undoneInFullOf, undoneOf } from './undone-row.js';

export interface QueryStoreOptions {
  readonly url: string;
  readonly statementTimeoutMs?: number;
}

const STATEMENT_TIMEOUT_MS = 5_000;

/** Beside what the port asks for. */
export interface PostgresQueryStore extends QueryStore, UndoneStore, OutboxParkingStore {
  standing(): Promise<DatabaseStanding>;
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
      const rows = await pool.run('read', OUTCOMES, [textArray(shards), key]);
      return rows.map((row) => ({ shard: row['shard'] as ShardName, outcome: outcomeOf(row) }));
    },
    quarantined: async (shards, limit) =>
      (await pool.run('read', QUARANTINED, [textArray(shards), limit.toString()])).map(quarantinedOf),
    undone: async (shards, limit) =>
      (await pool.run('read', UNDONE, [textArray(shards), limit.toString()])).map(undoneOf),
    undoneByKey: async (shards, idempotencyKey) => {
      const [row] = await pool.run('read', UNDONE_BY_KEY, [textArray(shards), idempotencyKey]);
      return row === undefined ? null : undoneInFullOf(row);
    },
    askUndone: async (number, { atMs, by }) =>
      (await pool.run('write', ASK_UNDONE, [number.toString(), atMs.toString(), by])).length === 1,
    settleUndone: async (number, settlement, { atMs, by }, ifAsked) => {
      const rows = await pool.run('write', SETTLE_UNDONE, [
        number.toString(),
        atMs.toString(),
        by,
        settlement.as,
        settlement.why,
        settlement.sequence?.toString() ?? null,
        ifAsked === 'ever' ? 't' : 'f',
        ifAsked === 'ever' ? null : (ifAsked?.atMs.toString() ?? null),
      ]);
      return rows.length === 1;
    },
    parkOutbox: async (shard, parking, forMs) => {
      await pool.run('write', PARK, [shard, parking, forMs.toString()]);
    },
    unparkOutbox: async (shard, parking) => {
      await pool.run('write', UNPARK, [shard, parking]);
    },
    outboxStanding: async (shard) => {
      const [row] = await pool.run('read', OUTBOX_STANDING, [shard]);
      return { parkedFor: row!['parked_for'] ?? null, pending: Number(row!['pending']) };
    },
    rows: (places) => storedRows(pool, places),
    cursors: async (shards) => (await pool.run('read', CURSORS, [textArray(shards)])).map(cursorOf),
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
    standing: async () => {
      const rows = await pool.run('read', STANDING);
      return {
        walBytes: BigInt(rows[0]!['wal_bytes']!),
        held: rows.flatMap(({ dataset, pending, undone, late }) =>
          dataset === null
            ? []
            : [
                {
                  dataset: dataset as DatasetName,
                  pending: Number(pending),
                  undone: Number(undone),
                  late: Number(late),
                },
              ],
        ),
      };
    },
    close: () => pool.close(),
  };
}

const OUTCOMES = `
select o.shard, ${OUTCOME_EXPRESSIONS.join(', ')} from lockstep.outcome as o where o.shard = any($1::text[]) and o.key = $2`;

const PARK = 'select lockstep.park_shard($1, $2, $3::bigint)';

const UNPARK = `
update lockstep.ownership set parked_until = null where shard = $1 and parked_for = $2 and parked_until is not null`;

const OUTBOX_STANDING = `
select (select parked_for from lockstep.ownership where shard = $1 and owned and parked_until > clock_timestamp()) as parked_for,
  (select count(*) from lockstep.outbox where shard = $1) as pending`;

const CURSORS = `select ${CURSOR_LIST} from lockstep.cursor as c where c.shard = any($1::text[])`;

const countOf = ([table, where]: readonly [table: string, where: string]): string =>
  `left join (select split_part(shard, '/', 1) as dataset, count(*) from lockstep.${table}${where} group by 1) as ${table} using (dataset)`;

const COUNTED = [
  ['outbox', ''],
  ['outbox_quarantine', ' where settled_at_ms is null'],
  ['quarantine', ''],
] as const;

/** One row where nothing is folded yet. */
const STANDING = `
select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') as wal_bytes, dataset, coalesce(outbox.count, 0) as pending,
  coalesce(outbox_quarantine.count, 0) as undone, coalesce(quarantine.count, 0) as late
from (values (1)) as one
left join (select distinct split_part(shard, '/', 1) as dataset from lockstep.cursor) as folded on true
${COUNTED.map(countOf).join('\n')}`;

const CONFIGURATIONS = 'select hash, content from lockstep.configuration order by hash';

/** Content of a hash never changes: the first one stays. */
const KEEP_CONFIGURATION = `
insert into lockstep.configuration (hash, content) values ($1, $2::json) on conflict (hash) do nothing`;
