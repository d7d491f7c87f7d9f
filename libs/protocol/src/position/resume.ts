/**
 * May a region go on from its cursor? Decided on taking a shard from what the log shows there, and while reading when
 * the log answers that the position lies outside. Nothing is ever skipped: what cannot be continued is halted by name.
 */
import { sameHash } from '../entry/digest.js';
import type { LogRecord } from '../entry/record.js';
import type { Cursor } from '../fold/state.js';
import { offset, type Offset } from '../identity/identity.js';
import type { Halt } from './watermark.js';

export type Resume =
  { readonly kind: 'resume'; readonly from: Offset } | { readonly kind: 'halt'; readonly halt: Halt };

/** What the log shows at the cursor. */
export interface LogObservation {
  readonly startOffset: Offset;
  readonly endOffset: Offset;
  /** First record at or after the cursor's offset; null when there is none. */
  readonly record: LogRecord | null;
}

export function decideResume(cursor: Cursor, log: LogObservation): Resume {
  const next = offset(cursor.offset + 1n);
  if (log.startOffset > next) {
    const detail =
      `the log begins at offset ${log.startOffset}, this region needs ${next}: ` +
      `retention has passed it; rebuild this region from a snapshot`;
    return { kind: 'halt', halt: { code: 'retention-overrun', detail } };
  }
  if (cursor.offset < 0n || log.startOffset === next) return { kind: 'resume', from: next };
  if (log.endOffset <= cursor.offset) {
    const detail =
      `the log ends at offset ${log.endOffset}, this region has folded ${cursor.offset}: ` +
      `the log lost its tail or was replaced; restore the log, or decide which side is right`;
    return { kind: 'halt', halt: { code: 'log-truncated', detail } };
  }
  const same =
    log.record !== null &&
    log.record.offset === cursor.offset &&
    sameHash(log.record.digest, cursor.recordDigest);
  if (same) return { kind: 'resume', from: next };
  const detail =
    `the record at offset ${cursor.offset} is not the one that this region folded: ` +
    `the log was replaced; point this region to the log it came from, or rebuild it`;
  return { kind: 'halt', halt: { code: 'log-replaced', detail } };
}
