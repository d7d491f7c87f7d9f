/**
 * A commit of the home of a dataset that services write through their outbox: one transaction around the statement that
 * every commit is.
 *
 *   gate      taken alone where a shard's entries are undone, or where its home changes: then no service has a transaction open on
 *             it, and all they stored is seen. Else it is shared with the services
 *   ownership what services hold on to, moved with the fold
 *   restore   rows with pending changes are put back to what the log says of them (pre-image of the oldest). A row that the log does
 *             not know stays as it is, with version 0, and counts as absent
 *   commit    the statement of every region, upon these rows; so a home cannot come to differ by what its services did
 *   settle    entries that were decided leave the outbox, those undone into the quarantine
 *   rebase    what the log now says becomes the pre-image of the oldest that is left
 *   relay     and the rows are once more as the last pending change left them
 *
 * A row that has nothing pending any more is therefore the log's. Undoing in reverse order from pre-images and putting back
 * the oldest are the same, because each pre-image but the oldest is only what the change before it left.
 *
 * A row that services see before and after a fold is never removed and put again by it: whoever waits for the row would not find
 * the new one and change nothing, and what refers to the row would go with it.
 *
 * Beside services a row may change until it is restored or written, which waits for whoever changes it. What is pending in `rebase`
 * and was not in `restore` came in between, and the row that was taken for the log's holds it; or what the commit inserts is there already.
 * Either way the transaction begins anew, with the gate alone.
 */
import type { CommitRequest, ProjectedTable } from '@lockstep/engine';
import { endedBy, settleOutbox, undoesAny } from '@lockstep/protocol';
import type {
  KeyHash,
  OutboxFacts,
  PendingEntry,
  RowOperation,
  Settlement,
  ShardName,
} from '@lockstep/protocol';
import { plainArray, quotedArray, textArray } from './array-literal.js';
import { commitStatement } from './commit-statement.js';
import type { Connection, Row } from './connection.js';
import { qualifiedTable, quoteIdentifier } from './identifier.js';
import { VERSION_COLUMN } from './projected-table.js';
import { sqlStateBehind } from './store-failure.js';

/**
 * Less than the server takes to look for a deadlock: the fold gives way and comes again, so that it never ends a service's
 * transaction. Services that come meanwhile queue behind it for at most so long.
 */
const GATE_WAIT_MS = 500;

type Gate = 'alone' | 'shared where it may be';

export async function commitWithOutbox(connection: Connection, request: CommitRequest): Promise<void> {
  try {
    await attempt(connection, request, 'shared where it may be');
  } catch (error) {
    if (!isOfService(error)) throw error;
    await attempt(connection, request, 'alone');
  }
}

/** A service has changed a row while it was folded. */
class ChangedByService extends Error {}

const UNIQUE_VIOLATION = '23505';

const isOfService = (error: unknown): boolean =>
  error instanceof ChangedByService || sqlStateBehind(error) === UNIQUE_VIOLATION;

async function attempt(connection: Connection, request: CommitRequest, gate: Gate): Promise<void> {
  await connection.run('commit', `begin; set local lock_timeout = ${GATE_WAIT_MS}`);
  try {
    await commitInside(connection, request, gate);
    await connection.run('commit', 'commit');
  } catch (error) {
    // On a dead connection there is nothing left to roll back, and this rejects too.
    await connection.run('write', 'rollback').catch(() => undefined);
    throw error;
  }
}

async function commitInside(connection: Connection, request: CommitRequest, gate: Gate): Promise<void> {
  const { rows, table } = request;
  const shards = request.shards.filter(({ outbox }) => outbox !== undefined);
  const ownership = [
    textArray(shards.map(({ shard }) => shard)),
    plainArray(shards, ({ outbox }) => (outbox!.owned ? 't' : 'f')),
    quotedArray(shards, ({ cursor }) => cursor.home),
    plainArray(shards, ({ cursor }) => cursor.epoch.toString()),
  ];
  const isAlone = (facts: OutboxFacts): boolean => gate === 'alone' || undoesAny(facts);
  const [gates] = await connection.run('commit', ENTER, [
    ...ownership,
    plainArray(shards, ({ outbox }) => (isAlone(outbox!) ? 't' : 'f')),
  ]);
  if (gates!['alone'] !== '0') await connection.run('commit', OWN, ownership);
  const settled: Settled[] = [];
  const ended = new Set<bigint>();
  const touched = new Set(rows.map(({ key }) => key));
  for (const { cursor, outbox, shard } of shards) {
    const pending = await pendingOf(connection, shard, undoesAny(outbox!) ? null : outbox!.judged);
    const settlement = settleOutbox(pending, outbox!);
    for (const id of endedBy(settlement)) ended.add(id);
    for (const { id, rows: changed } of pending)
      if (ended.has(id)) for (const key of changed) touched.add(key);
    settled.push({ shard, sequence: cursor.sequence, settlement });
  }

  const keys = textArray([...touched].toSorted());
  const putAside = await connection.run('commit', restoreStatement(table), [table.table, keys]);
  const expected = putAside.filter(({ entry }) => !ended.has(BigInt(entry!)));
  const inPlace = keepInPlace(rows, putAside, expected);
  const { text, parameters } = commitStatement({ ...request, rows: inPlace.rows });
  await connection.run('commit', text, parameters);
  if (inPlace.unlogged.length > 0)
    await connection.run('commit', unlogStatement(table), [textArray(inPlace.unlogged)]);
  if (inPlace.removed.length > 0)
    await connection.run('commit', removeStatement(table), [textArray(inPlace.removed)]);
  for (const one of settled) await quarantine(connection, one);
  if (ended.size > 0) await connection.run('commit', FORGET, [plainArray([...ended], (id) => id.toString())]);
  const left = await connection.run('commit', rebaseStatement(table), [table.table, keys]);
  if (idsOf(left) !== idsOf(expected)) throw new ChangedByService();
  if (left.length > 0) await connection.run('commit', relayStatement(table), [table.table, keys]);
}

/** What the fold does to rows, so that one that is there before and after it stays the same to those who wait for it. */
interface InPlace {
  /** What the log brings. */
  readonly rows: readonly RowOperation[];
  /** The log removes them, and a pending change has put them again: they become rows that the log does not know. */
  readonly unlogged: readonly string[];
  /** The log never knew them, and nothing that is pending has put them. */
  readonly removed: readonly string[];
}

/**
 * @param putAside changes that were pending, in their order
 * @param left those of them that go on to be
 */
function keepInPlace(rows: readonly RowOperation[], putAside: readonly Row[], left: readonly Row[]): InPlace {
  const unknown = new Set<string>();
  const seen = new Set<string>();
  for (const { key, logged } of putAside) {
    if (!seen.has(key!) && logged === 'f') unknown.add(key!);
    seen.add(key!);
  }
  const stay = new Set(left.map(({ key }) => key!));
  const brought: RowOperation[] = [];
  const unlogged: string[] = [];
  for (const row of rows) {
    if (row.kind === 'put') brought.push(unknown.has(row.key) ? { ...row, replaces: true } : row);
    else if (stay.has(row.key)) unlogged.push(row.key);
    else brought.push(row);
    unknown.delete(row.key);
  }
  return { rows: brought, unlogged, removed: [...unknown].filter((key) => !stay.has(key)) };
}

const idsOf = (changes: readonly Row[]): string => changes.map(({ id }) => id).join();

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

async function quarantine(
  connection: Connection,
  { sequence, settlement: { undone } }: Settled,
): Promise<void> {
  if (undone.length === 0) return;
  await connection.run('commit', QUARANTINE, [
    plainArray(undone, ({ id }) => id.toString()),
    textArray(undone.map(({ reason }) => reason)),
    sequence.toString(),
  ]);
}

/**
 * One after the other in the order of their names, as every lane takes them. Whether a home changes is asked before its gate is
 * taken: folds alone change it, and one whose lease has ended meanwhile fails with its commit.
 */
const ENTER = `
select count(*) filter (where s.alone) as alone,
  count(pg_advisory_xact_lock(s.gate)) filter (where s.alone),
  count(pg_advisory_xact_lock_shared(s.gate)) filter (where not s.alone)
from (
  select u.alone or (o.owned, o.home, o.epoch) is distinct from (u.owned, u.home, u.epoch) as alone,
    hashtextextended('lockstep shard ' || u.shard, 0) as gate
  from unnest($1::text[], $2::boolean[], $3::text[], $4::bigint[], $5::boolean[]) as u(shard, owned, home, epoch, alone)
  left join lockstep.ownership as o on o.shard = u.shard
  order by u.shard
) as s`;

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

/** Rows as the images of `f` say, where there is one. */
function placed({ columns, table }: ProjectedTable, image: string): string {
  const name = qualifiedTable(table);
  const assigned = [...columns.map((column) => quoteIdentifier(column.name)), VERSION_COLUMN]
    .map((column) => `${column} = excluded.${column}`)
    .join(', ');
  return `placed as (
  insert into ${name} as t
  select r.* from f cross join lateral jsonb_populate_record(null::${name}, ${image}) as r
  where ${image} is not null
  on conflict (id) do update set ${assigned}
)`;
}

/** All that is pending upon the rows, as the statement found it; `logged` tells of the oldest of a row whether the log knows it. */
const pendingChanges = (more = ''): string => `
select c.id, c.entry, c.key, c.before is not null as logged${more} from lockstep.outbox_change as c
where c.relation = $1 and c.key = any($2::text[]) and c.entry is not null order by c.id`;

/** What the log does not know is locked like the others, so that its services have ended. */
const restoreStatement = (table: ProjectedTable): string => `
with f as (${outermost('asc')}),
${placed(table, 'f.before')},
held as (
  select t.id from ${qualifiedTable(table.table)} as t join f on f.key = t.id where f.before is null for update of t
)${pendingChanges(', (select count(*) from held) as held')}`;

const unlogStatement = ({ table }: ProjectedTable): string =>
  `update ${qualifiedTable(table)} set ${VERSION_COLUMN} = 0 where id = any($1::text[])`;

const removeStatement = ({ table }: ProjectedTable): string =>
  `delete from ${qualifiedTable(table)} where id = any($1::text[])`;

const rebaseStatement = ({ table }: ProjectedTable): string => `
with f as (${outermost('asc')}),
rebased as (
  update lockstep.outbox_change as c
  set before = (
    select to_jsonb(t) from ${qualifiedTable(table)} as t where t.id = f.key and t.${VERSION_COLUMN} > 0
  )
  from f where c.id = f.id
)${pendingChanges()}`;

const relayStatement = (table: ProjectedTable): string => `
with oldest as (${outermost('asc')}),
f as (
  select l.key, l.after || jsonb_build_object('${VERSION_COLUMN}', coalesce((o.before ->> '${VERSION_COLUMN}')::bigint, 0)) as image
  from (${outermost('desc')}) as l join oldest as o on o.key = l.key
),
removed as (
  delete from ${qualifiedTable(table.table)} as t using f where t.id = f.key and f.image is null
),
${placed(table, 'f.image')}
select`;
