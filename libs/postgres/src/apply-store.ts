/**
 * The apply store on Postgres: one connection, one statement per call, each its own transaction.
 *
 * The statement of a commit stands in `commit-statement.ts`. Leases: the number stands in `lease` and in `cursor`; a
 * claim raises both in one statement and thereby waits for a commit under way and fences every later one of the former
 * holder. A renewal touches `lease` only.
 */
import { isPortError } from '@lockstep/engine';
import type { ApplyStore, CommitRequest, Lease, ProjectedTable } from '@lockstep/engine';
import { entryNumber, leaseNumber, NO_SEQUENCE, sequence } from '@lockstep/protocol';
import type {
  KeyHash,
  Outcome,
  PublisherId,
  ReadRow,
  Sequence,
  Session,
  ShardName,
  ShardState,
} from '@lockstep/protocol';
import { plainArray, quotedArray, textArray } from './array-literal.js';
import { columnValue } from './column-type.js';
import { commitStatement } from './commit-statement.js';
import { openConnection } from './connection.js';
import type { Connection, Row } from './connection.js';
import { CURSOR_LIST, cursorOf } from './cursor-row.js';
import { qualifiedTable, quoteIdentifier } from './identifier.js';
import { commitWithOutbox } from './outbox-commit.js';
import { OUTCOME_EXPRESSIONS, outcomeOf } from './outcome-row.js';
import { isNotAllMoved } from './store-failure.js';
import { readIncarnation } from './store-incarnation.js';

export interface ApplyStoreOptions {
  readonly url: string;
  /** Bound of every statement, commits included; the socket is given up two seconds later. */
  readonly statementTimeoutMs?: number;
}

const STATEMENT_TIMEOUT_MS = 10_000;
/** Rows of each kind that one `clean` deletes at most. */
const CLEAN_ROWS_MAX = 1_000;

export async function openApplyStore(options: ApplyStoreOptions): Promise<ApplyStore> {
  const connection = await openConnection({
    url: options.url,
    applicationName: 'lockstep-apply',
    folds: true,
    statementTimeoutMs: options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS,
  });
  return {
    incarnation: () => readIncarnation(connection),
    renewIncarnation: async (from, generation) => {
      await connection.run('write', RENEW_INCARNATION, [from, generation.toString()]);
      return readIncarnation(connection);
    },
    ensureShards: async (shards) => {
      await connection.run('write', ENSURE_SHARDS, [textArray(shards.toSorted())]);
    },
    claim: async ({ holder, shards, leaseMs }) =>
      leasesOf(await connection.run('write', CLAIM, [textArray(shards), holder, leaseMs.toString()])),
    renew: async ({ holder, held, leaseMs }) =>
      leasesOf(await connection.run('write', RENEW, [...heldArrays(held), holder, leaseMs.toString()])),
    release: async (held) => {
      await connection.run('write', RELEASE, heldArrays(held));
    },
    load: async (shards) => statesOf(await connection.run('read', LOAD, [textArray(shards)])),
    read: (table, reads, withColumns) => read(connection, table, reads, withColumns),
    commit: async (request) => {
      try {
        if (request.shards.some(({ outbox }) => outbox !== undefined))
          await commitWithOutbox(connection, request);
        else await commitAlone(connection, request);
      } catch (error) {
        if (isPortError(error) && isNotAllMoved(error)) return { kind: 'lost' };
        throw error;
      }
      return { kind: 'committed' };
    },
    clean: async (shards) => {
      const rows = await connection.run('write', CLEAN, [textArray(shards), CLEAN_ROWS_MAX.toString()]);
      return Number(rows[0]!['deleted']);
    },
    close: () => connection.close(),
  };
}

async function commitAlone(connection: Connection, request: CommitRequest): Promise<void> {
  const { text, parameters } = commitStatement(request);
  await connection.run('commit', text, parameters);
}

const RENEW_INCARNATION = `
update lockstep.store
set incarnation = lpad(to_hex($2::bigint), 8, '0') || right(replace(gen_random_uuid()::text, '-', ''), 24)
where incarnation = $1`;

/** Cursor first: the lease refers to it. */
const ENSURE_SHARDS = `
with wanted as (select unnest($1::text[]) as shard),
made as (insert into lockstep.cursor (shard) select shard from wanted on conflict do nothing)
insert into lockstep.lease (shard) select shard from wanted on conflict do nothing`;

/**
 * Rows are locked in the order of shards, so that two claims never wait for each other. Who waited for a lock judges
 * the lease as it is then. A cursor is locked while its former holder commits: the time of a lease begins when all are had.
 */
const CLAIM = `
with free as (
  select shard, number + 1 as number from lockstep.lease
  where shard = any($1::text[]) and (holder is null or expires_at <= clock_timestamp())
  order by shard for update
),
fenced as (
  update lockstep.cursor as c set lease_number = free.number from free where c.shard = free.shard
  returning c.shard, c.lease_number as number
),
all_fenced as (select count(*) from fenced)
update lockstep.lease as l
set number = fenced.number, holder = $2, expires_at = clock_timestamp() + $3::bigint * interval '1 millisecond'
from fenced, all_fenced where l.shard = fenced.shard
returning l.shard, l.number`;

/** Expired and not taken by another is still held: expiry decides only who may try. */
const RENEW = `
update lockstep.lease as l set expires_at = clock_timestamp() + $4::bigint * interval '1 millisecond'
from unnest($1::text[], $2::bigint[]) as h(shard, number)
where l.shard = h.shard and l.number = h.number and l.holder = $3
returning l.shard, l.number`;

const RELEASE = `
update lockstep.lease as l set holder = null, expires_at = null
from unnest($1::text[], $2::bigint[]) as h(shard, number)
where l.shard = h.shard and l.number = h.number`;

/** Sessions repeat their cursor; a shard is loaded once per lease. */
const LOAD = `
select ${CURSOR_LIST}, s.publisher, s.last, s.holed, s.log_time_ms as session_log_time_ms
from lockstep.cursor as c left join lockstep.session as s on s.shard = c.shard
where c.shard = any($1::text[])`;

/**
 * By the log time of the cursor: the fold has forgotten whatever is older than that by the retention. Undone entries that
 * somebody has settled are kept as long as sessions.
 */
const CLEAN = `
with old_outcome as (
  select o.shard, o.key, c.outcomes_since_ms as before_ms
  from lockstep.cursor as c join lockstep.outcome as o on o.shard = c.shard and o.log_time_ms < c.outcomes_since_ms
  where c.shard = any($1::text[]) limit $2::bigint
),
old_session as (
  select s.shard, s.publisher, c.sessions_since_ms as before_ms
  from lockstep.cursor as c join lockstep.session as s on s.shard = c.shard and s.log_time_ms < c.sessions_since_ms
  where c.shard = any($1::text[]) limit $2::bigint
),
old_attempt as (
  select q.shard, q.log_incarnation, q.sequence
  from lockstep.cursor as c
  join lockstep.quarantine as q on q.shard = c.shard and q.log_time_ms < c.outcomes_since_ms
  where c.shard = any($1::text[]) limit $2::bigint
),
old_settled as (
  select q.id
  from lockstep.cursor as c
  join lockstep.outbox_quarantine as q on q.shard = c.shard and q.settled_at_ms < c.sessions_since_ms
  where c.shard = any($1::text[]) limit $2::bigint
),
settled_gone as (
  delete from lockstep.outbox_quarantine as q using old_settled as old where q.id = old.id returning 1
),
attempt_gone as (
  delete from lockstep.quarantine as q using old_attempt as old
  where q.shard = old.shard and q.log_incarnation = old.log_incarnation and q.sequence = old.sequence returning 1
),
outcome_gone as (
  delete from lockstep.outcome as o using old_outcome as old
  where o.shard = old.shard and o.key = old.key and o.log_time_ms < old.before_ms returning 1
),
session_gone as (
  delete from lockstep.session as s using old_session as old
  where s.shard = old.shard and s.publisher = old.publisher and s.log_time_ms < old.before_ms returning 1
)
select (select count(*) from outcome_gone) + (select count(*) from session_gone)
  + (select count(*) from attempt_gone) + (select count(*) from settled_gone) as deleted`;

const heldArrays = (held: readonly Lease[]): readonly string[] => [
  quotedArray(held, (lease) => lease.shard),
  plainArray(held, (lease) => lease.number.toString()),
];

function leasesOf(rows: readonly Row[]): readonly Lease[] {
  return rows.map((row) => ({
    shard: row['shard'] as ShardName,
    number: leaseNumber(BigInt(row['number']!)),
  }));
}

function statesOf(rows: readonly Row[]): readonly ShardState[] {
  const states = new Map<
    string,
    { readonly state: ShardState; readonly sessions: Map<PublisherId, Session> }
  >();
  for (const row of rows) {
    let loaded = states.get(row['shard']!);
    if (loaded === undefined) {
      const sessions = new Map<PublisherId, Session>();
      loaded = { state: { cursor: cursorOf(row), sessions }, sessions };
      states.set(row['shard']!, loaded);
    }
    if (row['publisher'] === null) continue;
    const publisher = row['publisher'] as PublisherId;
    loaded.sessions.set(publisher, {
      publisher,
      last: entryNumber(BigInt(row['last']!)),
      holed: row['holed'] === 't',
      logTimeMs: Number(row['session_log_time_ms']),
    });
  }
  return [...states.values()].map(({ state }) => state);
}

/** Places, outcomes and rows in one statement, hence from one snapshot; `kind` tells them apart. */
async function read(
  connection: Connection,
  table: ProjectedTable,
  reads: Parameters<ApplyStore['read']>[1],
  withColumns: boolean,
): ReturnType<ApplyStore['read']> {
  const outcomeKeys: Asked[] = [];
  const rowKeys: Asked[] = [];
  const answers = new Map<
    ShardName,
    { readonly outcomes: Map<KeyHash, Outcome>; readonly rows: Map<string, ReadRow>; sequence: Sequence }
  >();
  for (const [shard, asked] of reads) {
    answers.set(shard, { outcomes: new Map(), rows: new Map(), sequence: NO_SEQUENCE });
    for (const key of asked.outcomes) outcomeKeys.push({ shard, key });
    for (const key of asked.rows) rowKeys.push({ shard, key });
  }

  const columns = withColumns ? table.columns : [];
  const rows = await connection.run('read', readStatement(table, withColumns), [
    ...askedArrays(outcomeKeys),
    ...askedArrays(rowKeys),
    textArray([...reads.keys()]),
  ]);
  for (const row of rows) {
    const answer = answers.get(row['shard'] as ShardName)!;
    if (row['kind'] === 'place') {
      answer.sequence = sequence(BigInt(row['reached']!));
    } else if (row['kind'] === 'outcome') {
      const outcome = outcomeOf(row);
      answer.outcomes.set(outcome.key, outcome);
    } else {
      answer.rows.set(row['key']!, {
        version: sequence(BigInt(row['reached']!)),
        columns: withColumns
          ? Object.fromEntries(
              columns.map((column, index) => [column.name, columnValue(column, row[`c${index}`] ?? null)]),
            )
          : null,
      });
    }
  }
  return answers;
}

interface Asked {
  readonly shard: ShardName;
  readonly key: string;
}

const askedArrays = (asked: readonly Asked[]): readonly string[] => [
  quotedArray(asked, ({ shard }) => shard),
  quotedArray(asked, ({ key }) => key),
];

function readStatement(table: ProjectedTable, withColumns: boolean): string {
  const columns = withColumns ? table.columns : [];
  const nullColumns = columns.map((_, index) => `, null::text as c${index}`).join('');
  const rowColumns = columns.map((column) => `, t.${quoteIdentifier(column.name)}::text`).join('');
  const noOutcome = OUTCOME_EXPRESSIONS.slice(1)
    .map(() => 'null')
    .join(', ');
  return `
select 'outcome' as kind, o.shard, ${OUTCOME_EXPRESSIONS.join(', ')}, null::bigint as reached${nullColumns}
from unnest($1::text[], $2::text[]) as a(shard, key)
join lockstep.outcome as o on o.shard = a.shard and o.key = a.key
union all
select 'row', a.shard, t.id, ${noOutcome}, t.lockstep_version${rowColumns}
from unnest($3::text[], $4::text[]) as a(shard, key)
join ${qualifiedTable(table.table)} as t on t.id = a.key
union all
select 'place', c.shard, null, ${noOutcome}, c.sequence${nullColumns}
from lockstep.cursor as c where c.shard = any($5::text[])`;
}
