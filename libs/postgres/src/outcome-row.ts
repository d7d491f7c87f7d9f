/**
 * An outcome as a row of `lockstep.outcome`. The keys of its events are selected as a JSON array, which needs no
 * parser of Postgres array literals.
 */
import { epoch, sequence } from '@lockstep/protocol';
import type { BindingVerdict, Fingerprint, KeyHash, Outcome } from '@lockstep/protocol';
import type { Row } from './connection.js';

/** `o.` must be `lockstep.outcome`. */
export const OUTCOME_LIST =
  'o.key, o.fingerprint, o.verdict, o.sequence, o.epoch, o.log_time_ms, o.append_time_ms, o.degraded, to_json(o.event_keys)::text as event_keys';

export function outcomeOf(row: Row): Outcome {
  return {
    key: row['key'] as KeyHash,
    fingerprint: row['fingerprint'] as Fingerprint | null,
    verdict: row['verdict'] as BindingVerdict,
    sequence: sequence(BigInt(row['sequence']!)),
    epoch: epoch(BigInt(row['epoch']!)),
    logTimeMs: Number(row['log_time_ms']),
    appendTimeMs: Number(row['append_time_ms']),
    degraded: row['degraded'] === 't',
    eventKeys: JSON.parse(row['event_keys']!) as readonly string[],
  };
}
