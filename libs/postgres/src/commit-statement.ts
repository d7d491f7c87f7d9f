/**
 * A commit as one statement: one round trip, and as a transaction of its own either whole or absent (I4).
 *
 *   moved    compare-and-set of every cursor on (offset, sequence, lease number); takes the cursors' row locks
 *   gate     counts `moved` and fails the statement unless it is all of them (B18)
 *   bound, remembered, put, deleted, kept
 *            sessions, outcomes, rows and fenced attempts; each reads `gate`, so none is touched before every cursor is ours
 *
 * The row locks of the cursors are held until the end, so two commits never write rows of one shard at the same time.
 */
import type { CommitRequest, ShardCommit } from '@lockstep/engine';
import type { FencedAttempt, Outcome, Session, ShardName } from '@lockstep/protocol';
import { plainArray, quotedArray } from './array-literal.js';
import { CURSOR_COLUMNS } from './cursor-row.js';
import { QUARANTINE_COLUMNS } from './quarantine-row.js';
import { rowStatement } from './row-statement.js';

export interface CommitStatement {
  readonly text: string;
  readonly parameters: readonly string[];
}

interface ArrayColumn<T> {
  readonly name: string;
  readonly type: 'text' | 'bigint' | 'boolean';
  readonly textOf: (item: T) => string | null;
}

const EXPECTED: readonly ArrayColumn<ShardCommit>[] = [
  { name: 'shard', type: 'text', textOf: (commit) => commit.shard },
  { name: 'expected_lease', type: 'bigint', textOf: (commit) => commit.lease.toString() },
  { name: 'expected_offset', type: 'bigint', textOf: (commit) => commit.expectedOffset.toString() },
  { name: 'expected_sequence', type: 'bigint', textOf: (commit) => commit.expectedSequence.toString() },
  ...CURSOR_COLUMNS.map(({ name, type, textOf }): ArrayColumn<ShardCommit> => ({
    name,
    type,
    textOf: ({ cursor }) => textOf(cursor),
  })),
];

interface Of<T> {
  readonly shard: ShardName;
  readonly item: T;
}

const SESSIONS: readonly ArrayColumn<Of<Session>>[] = [
  { name: 'shard', type: 'text', textOf: ({ shard }) => shard },
  { name: 'publisher', type: 'text', textOf: ({ item }) => item.publisher },
  { name: 'last', type: 'bigint', textOf: ({ item }) => item.last.toString() },
  { name: 'holed', type: 'boolean', textOf: ({ item }) => (item.holed ? 't' : 'f') },
  { name: 'log_time_ms', type: 'bigint', textOf: ({ item }) => item.logTimeMs.toString() },
];

const OUTCOMES: readonly ArrayColumn<Of<Outcome>>[] = [
  { name: 'shard', type: 'text', textOf: ({ shard }) => shard },
  { name: 'key', type: 'text', textOf: ({ item }) => item.key },
  { name: 'fingerprint', type: 'text', textOf: ({ item }) => item.fingerprint },
  { name: 'verdict', type: 'text', textOf: ({ item }) => item.verdict },
  { name: 'sequence', type: 'bigint', textOf: ({ item }) => item.sequence.toString() },
  { name: 'epoch', type: 'bigint', textOf: ({ item }) => item.epoch.toString() },
  { name: 'log_time_ms', type: 'bigint', textOf: ({ item }) => item.logTimeMs.toString() },
  { name: 'append_time_ms', type: 'bigint', textOf: ({ item }) => item.appendTimeMs.toString() },
  { name: 'degraded', type: 'boolean', textOf: ({ item }) => (item.degraded ? 't' : 'f') },
  // An array of arrays must not be ragged; so each is text here and becomes an array in the statement.
  { name: 'event_keys', type: 'text', textOf: ({ item }) => quotedArray(item.eventKeys, (key) => key) },
];

const FENCED: readonly ArrayColumn<Of<FencedAttempt>>[] = [
  { name: 'shard', type: 'text', textOf: ({ shard }) => shard },
  ...QUARANTINE_COLUMNS.map(({ name, type, textOf }): ArrayColumn<Of<FencedAttempt>> => ({
    name,
    type,
    textOf: ({ item }) => textOf(item),
  })),
];

const names = (columns: readonly { readonly name: string }[]): string =>
  columns.map(({ name }) => name).join(', ');

/** `unnest($3::text[], ...) as alias(...)`. */
function unnested<T>(columns: readonly ArrayColumn<T>[], alias: string, firstParameter: number): string {
  const arrays = columns.map(({ type }, index) => `$${firstParameter + index}::${type}[]`);
  return `unnest(${arrays.join(', ')}) as ${alias}(${names(columns)})`;
}

const FIRST_EXPECTED = 2;
const FIRST_SESSION = FIRST_EXPECTED + EXPECTED.length;
const FIRST_OUTCOME = FIRST_SESSION + SESSIONS.length;
const FIRST_ROW = FIRST_OUTCOME + OUTCOMES.length;

const assignExcluded = (columns: readonly { readonly name: string }[], key: readonly string[]): string =>
  columns
    .filter(({ name }) => !key.includes(name))
    .map(({ name }) => `${name} = excluded.${name}`)
    .join(', ');

const HEAD = `with moved as (
  update lockstep.cursor as c
  set ${CURSOR_COLUMNS.map(({ name }) => `${name} = e.${name}`).join(', ')}
  from ${unnested(EXPECTED, 'e', FIRST_EXPECTED)}
  where c.shard = e.shard and c.lease_number = e.expected_lease
    and c.log_offset = e.expected_offset and c.sequence = e.expected_sequence
  returning c.shard
),
gate as materialized (
  select lockstep.all_moved((select count(*) from moved), $1::bigint) as open
)`;

const SESSIONS_UPSERT = `,
remembered as (
  insert into lockstep.session (${names(SESSIONS)})
  select ${names(SESSIONS)} from ${unnested(SESSIONS, 's', FIRST_SESSION)}
  where (select open from gate)
  on conflict (shard, publisher) do update set ${assignExcluded(SESSIONS, ['shard', 'publisher'])}
)`;

const OUTCOMES_UPSERT = `,
bound as (
  insert into lockstep.outcome (${names(OUTCOMES)})
  select ${names(OUTCOMES.slice(0, -1))}, event_keys::text[] from ${unnested(OUTCOMES, 'o', FIRST_OUTCOME)}
  where (select open from gate)
  on conflict (shard, key) do update set ${assignExcluded(OUTCOMES, ['shard', 'key'])}
)`;

/** Stands in few commits of a lifetime, so the others do not carry it. */
const fencedInsert = (firstParameter: number): string => `,
kept as (
  insert into lockstep.quarantine (${names(FENCED)})
  select ${names(FENCED)} from ${unnested(FENCED, 'f', firstParameter)}
  where (select open from gate)
  on conflict do nothing
)`;

/** Reads the gate in every case, also when there is nothing but cursors to write. */
const TAIL = '\nselect open from gate';

/** Shards in the order of their names: two commits then lock cursors in the same order. */
const byShard = (x: ShardCommit, y: ShardCommit): number => (x.shard < y.shard ? -1 : 1);

export function commitStatement({ shards, table, rows }: CommitRequest): CommitStatement {
  const ordered = shards.toSorted(byShard);
  const sessions = ordered.flatMap(({ shard, sessions: items }) => items.map((item) => ({ shard, item })));
  const outcomes = ordered.flatMap(({ shard, outcomes: items }) => items.map((item) => ({ shard, item })));
  const fenced = ordered.flatMap(({ shard, fenced: items }) => items.map((item) => ({ shard, item })));
  const changes = rowStatement(table, rows, FIRST_ROW);
  const kept = fenced.length === 0 ? '' : fencedInsert(FIRST_ROW + changes.parameters.length);
  return {
    text: HEAD + SESSIONS_UPSERT + OUTCOMES_UPSERT + changes.expressions + kept + TAIL,
    parameters: [
      shards.length.toString(),
      ...arraysOf(EXPECTED, ordered),
      ...arraysOf(SESSIONS, sessions),
      ...arraysOf(OUTCOMES, outcomes),
      ...changes.parameters,
      ...(fenced.length === 0 ? [] : arraysOf(FENCED, fenced)),
    ],
  };
}

function arraysOf<T>(columns: readonly ArrayColumn<T>[], items: readonly T[]): readonly string[] {
  return columns.map(({ type, textOf }) =>
    type === 'text' ? quotedArray(items, textOf) : plainArray(items, textOf),
  );
}
