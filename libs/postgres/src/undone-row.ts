/** An undone entry as a row of `lockstep.outbox_quarantine`, and what is asked of that table. */
import type { UndoneInFull } from '@lockstep/engine';
import { sequence } from '@lockstep/protocol';
import type { BindingVerdict, KeyHash, SettledEntry, ShardName, UndoneEntry } from '@lockstep/protocol';
import type { Row } from './connection.js';

/** What became of the key is looked up when it is asked: it may be bound long after the entry was undone. */
const undoneList = (more: string): string => `
select q.id, q.shard, q.key, q.idempotency_key, q.first_key, q.reason, q.stored_at_ms, q.sequence, q.asked_at_ms, q.asked_by,
  q.settled_at_ms, q.settled_by, q.settled_as, q.settled_why, q.settled_sequence,
  o.verdict as outcome_verdict, o.sequence as outcome_sequence${more}
from lockstep.outbox_quarantine as q
left join lockstep.outcome as o on o.shard = q.shard and o.key = q.key
where q.shard = any($1::text[])`;

export const UNDONE = `${undoneList('')}
order by q.settled_at_ms is not null, q.id desc
limit $2::bigint`;

export const UNDONE_BY_KEY = `${undoneList(', q.body, q.changes::text as changes')}
and q.idempotency_key = $2
order by q.id desc
limit 1`;

/** The first time stays: from then on the log may have the entry. */
export const ASK_UNDONE = `
update lockstep.outbox_quarantine
set asked_at_ms = coalesce(asked_at_ms, $2::bigint), asked_by = coalesce(asked_by, $3)
where id = $1::bigint and settled_at_ms is null
returning id`;

export const SETTLE_UNDONE = `
update lockstep.outbox_quarantine
set settled_at_ms = $2::bigint, settled_by = $3, settled_as = $4, settled_why = $5, settled_sequence = $6::bigint
where id = $1::bigint and settled_at_ms is null and ($7::boolean or asked_at_ms is not distinct from $8::bigint)
returning id`;

export function undoneOf(row: Row): UndoneEntry {
  const verdict = (row['outcome_verdict'] ?? null) as BindingVerdict | null;
  const askedAtMs = row['asked_at_ms'] ?? null;
  return {
    number: BigInt(row['id']!),
    shard: row['shard'] as ShardName,
    key: row['key'] as KeyHash,
    idempotencyKey: row['idempotency_key']!,
    firstKey: row['first_key']!,
    reason: row['reason'] as UndoneEntry['reason'],
    storedAtMs: Number(row['stored_at_ms']),
    sequence: sequence(BigInt(row['sequence']!)),
    asked: askedAtMs === null ? null : { atMs: Number(askedAtMs), by: row['asked_by']! },
    settled: settledOf(row),
    outcome: verdict === null ? null : { verdict, sequence: sequence(BigInt(row['outcome_sequence']!)) },
  };
}

export const undoneInFullOf = (row: Row): UndoneInFull => ({
  ...undoneOf(row),
  body: row['body']!,
  changes: JSON.parse(row['changes']!) as UndoneInFull['changes'],
});

function settledOf(row: Row): SettledEntry | null {
  const atMs = row['settled_at_ms'] ?? null;
  const at = row['settled_sequence'] ?? null;
  if (atMs === null) return null;
  return {
    as: row['settled_as'] as SettledEntry['as'],
    why: row['settled_why']!,
    sequence: at === null ? null : sequence(BigInt(at)),
    atMs: Number(atMs),
    by: row['settled_by']!,
  };
}
