/**
 * A commit of the home of a dataset that services write through their outbox: one transaction around the statement that
 * every commit is.
 *
 *   gate      the shards are taken exclusively: no service has a transaction open on them, and all they stored is seen
 *   ownership what services hold on to, moved with the fold
 *   restore   rows with pending changes are put back to what the log says of them (pre-image of the oldest)
 *   commit    the statement of every region, upon these rows; so a home cannot come to differ by what its services did
 *   settle    entries that were decided leave the outbox, those undone into the quarantine
 *   rebase    what the log now says becomes the pre-image of the oldest that is left
 *   relay     and the rows are once more as the last pending change left them
 *
 * A row that has nothing pending any more is therefore the log's. Undoing in reverse order from pre-images and putting back
 * the oldest are the same, because each pre-image but the oldest is only what the change before it left.
 */
import type { CommitRequest, ProjectedTable } from '@lockstep/engine';
import { settleOutbox, undoesAny } from '@lockstep/protocol';
import type { KeyHash, PendingEntry, Settlement, ShardName } from '@lockstep/protocol';
import { plainArray, quotedArray, textArray } from './array-literal.js';
import { commitStatement } from './commit-statement.js';
import type { Connection } from './connection.js';
import { qualifiedTable, quoteIdentifier } from './identifier.js';
import { VERSION_COLUMN } from './projected-table.js';

/**
 * Less than the server takes to look for a deadlock: the fold gives way and comes again, so that it never ends a service's
 * transaction. Services that come meanwhile queue behind it for at most so long.
 */
const GATE_WAIT_MS = 500;

export async function commitWithOutbox(connection: Connection, request: CommitRequest): Promise<void> {
  await connection.run('commit', `begin; set local lock_timeout = ${GATE_WAIT_MS}`);
  try {
    await commitInside(connection, request);
    await connection.run('commit', 'commit');
  } catch (error) {
    // On a dead connection there is nothing left to roll back, and this rejects too.
    await connection.run('write', 'rollback').catch(() => undefined);
    throw error;
  }
}

async function commitInside(connection: Connection, request: CommitRequest): Promise<void> {
  const { rows, table } = request;
  const shards = request.shards.filter(({ outbox }) => outbox !== undefined);
  await connection.run('commit', ENTER, [textArray(shards.map(({ shard }) => shard).toSorted())]);
  await connection.run('commit', OWN, [
    textArray(shards.map(({ shard }) => shard)),
    plainArray(shards, ({ outbox }) => (outbox!.owned ? 't' : 'f')),
    quotedArray(shards, ({ cursor }) => cursor.home),
    plainArray(shards, ({ cursor }) => cursor.epoch.toString()),
  ]);
  const settled: Settled[] = [];
  const touched = new Set(rows.map(({ key }) => key));
  for (const { cursor, outbox, shard } of shards) {
    const pending = await pendingOf(connection, shard, undoesAny(outbox!) ? null : outbox!.judged);
    const settlement = settleOutbox(pending, outbox!);
    const ended = new Set([...settlement.confirmed, ...settlement.undone.map(({ id }) => id)]);
    for (const { id, rows: changed } of pending)
      if (ended.has(id)) for (const key of changed) touched.add(key);
    settled.push({ shard, sequence: cursor.sequence, settlement });
  }

  const keys = textArray([...touched].toSorted());
  await connection.run('commit', restoreStatement(table), [table.table, keys]);
  const { text, parameters } = commitStatement(request);
  await connection.run('commit', text, parameters);
  for (const one of settled) await settle(connection, one);
  const [rebased] = await connection.run('commit', rebaseStatement(table), [table.table, keys]);
  if (rebased !== undefined) await connection.run('commit', relayStatement(table), [table.table, keys]);
}

interface Settled {
  readonly shard: ShardName;
  readonly sequence: bigint;
  readonly settlement: Settlement;
}

/** @param judged null: all that is pending. */
async function pendingOf(
  connection: Connection,
  shard: ShardName,
  judged: readonly { readonly key: KeyHash }[] | null,
): Promise<readonly PendingEntry[]> {
  if (judged?.length === 0) return [];
  const keys = judged === null ? null : textArray(judged.map(({ key }) => key));
  const rows = await connection.run('commit', keys === null ? PENDING : PENDING_OF_KEYS, [
    shard,
    ...(keys === null ? [] : [keys]),
  ]);
  const entries = new Map<string, PendingEntry & { readonly rows: string[] }>();
  for (const row of rows) {
    const id = row['id']!;
    const known = entries.get(id);
    if (known === undefined)
      entries.set(id, { id: BigInt(id), key: row['key'] as KeyHash, rows: [row['row']!] });
    else known.rows.push(row['row']!);
  }
  return [...entries.values()];
}

async function settle(connection: Connection, { sequence, settlement }: Settled): Promise<void> {
  const { confirmed, undone } = settlement;
  if (undone.length > 0) {
    await connection.run('commit', QUARANTINE, [
      plainArray(undone, ({ id }) => id.toString()),
      textArray(undone.map(({ reason }) => reason)),
      sequence.toString(),
    ]);
  }
  const ended = [...confirmed, ...undone.map(({ id }) => id)];
  if (ended.length > 0) await connection.run('commit', FORGET, [plainArray(ended, (id) => id.toString())]);
}

/** One after the other in the order of their names, as every lane takes them. */
const ENTER = `
select count(pg_advisory_xact_lock(hashtextextended('lockstep shard ' || shard, 0)))
from unnest($1::text[]) as shard`;

const OWN = `
insert into lockstep.ownership as o (shard, owned, home, epoch)
select * from unnest($1::text[], $2::boolean[], $3::text[], $4::bigint[])
on conflict (shard) do update
set owned = excluded.owned, home = excluded.home, epoch = excluded.epoch, parked_for = null, parked_until = null
where (o.owned, o.home, o.epoch) is distinct from (excluded.owned, excluded.home, excluded.epoch)`;

const pendingWhere = (condition: string): string => `
select o.id, o.key, c.key as row from lockstep.outbox as o join lockstep.outbox_change as c on c.entry = o.id
where o.shard = $1${condition} order by o.id`;

const PENDING = pendingWhere('');
const PENDING_OF_KEYS = pendingWhere(' and o.key = any($2::text[])');

const QUARANTINE = `
insert into lockstep.outbox_quarantine
  (id, shard, key, fingerprint, idempotency_key, first_key, body, not_after_ms, stored_at_ms, reason, sequence, changes)
select o.id, o.shard, o.key, o.fingerprint, o.idempotency_key, o.first_key, o.body, o.not_after_ms, o.stored_at_ms,
  u.reason, $3::bigint,
  (select jsonb_agg(jsonb_build_object('table', c.relation, 'key', c.key, 'before', c.before, 'after', c.after) order by c.id)
   from lockstep.outbox_change as c where c.entry = o.id)
from unnest($1::bigint[], $2::text[]) as u(id, reason) join lockstep.outbox as o on o.id = u.id`;

const FORGET = `delete from lockstep.outbox where id = any($1::bigint[])`;

/** The change of each row that stands first, or last, among those pending. */
const outermost = (direction: 'asc' | 'desc'): string => `
  select distinct on (c.key) c.id, c.key, c.before, c.after from lockstep.outbox_change as c
  where c.relation = $1 and c.key = any($2::text[]) and c.entry is not null
  order by c.key, c.id ${direction}`;

/** Rows as images say, absent ones deleted. */
function put({ columns, table }: ProjectedTable, from: string, image: string): string {
  const name = qualifiedTable(table);
  const assigned = [...columns.map((column) => quoteIdentifier(column.name)), VERSION_COLUMN]
    .map((column) => `${column} = excluded.${column}`)
    .join(', ');
  return `removed as (
  delete from ${name} as t using ${from} where t.id = f.key and ${image} is null
)
insert into ${name} as t
select r.* from ${from} cross join lateral jsonb_populate_record(null::${name}, ${image}) as r
where ${image} is not null
on conflict (id) do update set ${assigned}`;
}

const restoreStatement = (table: ProjectedTable): string => `
with f as (${outermost('asc')}),
${put(table, 'f', 'f.before')}`;

const rebaseStatement = ({ table }: ProjectedTable): string => `
with f as (${outermost('asc')})
update lockstep.outbox_change as c
set before = (select to_jsonb(t) from ${qualifiedTable(table)} as t where t.id = f.key)
from f where c.id = f.id
returning c.id`;

const relayStatement = (table: ProjectedTable): string => `
with oldest as (${outermost('asc')}),
f as (
  select l.key, l.after || jsonb_build_object('${VERSION_COLUMN}', coalesce((o.before ->> '${VERSION_COLUMN}')::bigint, 0)) as image
  from (${outermost('desc')}) as l join oldest as o on o.key = l.key
),
${put(table, 'f', 'f.image')}`;
