/** A fenced attempt as a row of `lockstep.quarantine`, and the query for the newest of them. */
import type { Quarantined } from '@lockstep/engine';
import { entryNumber, epoch, sequence } from '@lockstep/protocol';
import type {
  BindingVerdict,
  FencedAttempt,
  KeyHash,
  LogIncarnation,
  PublisherId,
  RegionName,
  ShardName,
} from '@lockstep/protocol';
import type { Row } from './connection.js';

/** Besides the shard. */
export const QUARANTINE_COLUMNS: readonly {
  readonly name: string;
  readonly type: 'text' | 'bigint';
  readonly textOf: (attempt: FencedAttempt) => string | null;
}[] = [
  { name: 'sequence', type: 'bigint', textOf: (attempt) => attempt.sequence.toString() },
  { name: 'log_incarnation', type: 'text', textOf: (attempt) => attempt.logIncarnation },
  { name: 'region', type: 'text', textOf: (attempt) => attempt.region },
  { name: 'publisher', type: 'text', textOf: (attempt) => attempt.publisher },
  { name: 'number', type: 'bigint', textOf: (attempt) => attempt.number.toString() },
  { name: 'epoch', type: 'bigint', textOf: (attempt) => attempt.epoch.toString() },
  { name: 'shard_epoch', type: 'bigint', textOf: (attempt) => attempt.shardEpoch.toString() },
  { name: 'first_key', type: 'text', textOf: (attempt) => attempt.firstKey },
  { name: 'idempotency_key', type: 'text', textOf: (attempt) => attempt.idempotencyKey },
  { name: 'traceparent', type: 'text', textOf: (attempt) => attempt.traceparent },
  { name: 'log_time_ms', type: 'bigint', textOf: (attempt) => attempt.logTimeMs.toString() },
];

/** What became of the key is looked up when it is asked: it may be bound long after the attempt. */
export const QUARANTINED = `
select q.shard, ${QUARANTINE_COLUMNS.map(({ name }) => `q.${name}`).join(', ')},
  o.verdict as outcome_verdict, o.sequence as outcome_sequence
from lockstep.quarantine as q
left join lockstep.outcome as o on o.shard = q.shard and o.key = q.idempotency_key
where q.shard = any($1::text[])
order by q.log_time_ms desc, q.shard, q.sequence desc
limit $2::bigint`;

export function quarantinedOf(row: Row): Quarantined {
  const verdict = (row['outcome_verdict'] ?? null) as BindingVerdict | null;
  return {
    shard: row['shard'] as ShardName,
    attempt: {
      sequence: sequence(BigInt(row['sequence']!)),
      logIncarnation: row['log_incarnation'] as LogIncarnation,
      region: row['region'] as RegionName,
      publisher: row['publisher'] as PublisherId,
      number: entryNumber(BigInt(row['number']!)),
      epoch: epoch(BigInt(row['epoch']!)),
      shardEpoch: epoch(BigInt(row['shard_epoch']!)),
      firstKey: row['first_key']!,
      idempotencyKey: row['idempotency_key'] as KeyHash | null,
      traceparent: row['traceparent'] ?? null,
      logTimeMs: Number(row['log_time_ms']),
    },
    outcome: verdict === null ? null : { verdict, sequence: sequence(BigInt(row['outcome_sequence']!)) },
  };
}
