/**
 * A record as the log port hands it over, and as the publisher gives it to the port.
 *
 * The adapter decodes nothing of ours: it hands over bytes, the text of the value where that is well-formed UTF-8
 * without NUL, and the digest. The fold decodes and judges.
 */
import type { Offset } from '../identity/identity.js';
import type { Hash128 } from './digest.js';

export const RECORD_HEADER = 'lockstep';
export const TRACE_HEADER = 'traceparent';

export interface LogRecord {
  readonly offset: Offset;
  /** Broker's append time (LogAppendTime), milliseconds since 1970. */
  readonly appendTimeMs: number;
  readonly key: Uint8Array | null;
  /** Value as text; null when the value is null, not well-formed UTF-8, or contains NUL. */
  readonly valueText: string | null;
  readonly valueBytes: number;
  /** The one `lockstep` header; null when absent or anything but exactly one buffer. */
  readonly header: Uint8Array | null;
  /** W3C trace context, when the record carries one; neither hashed nor folded. */
  readonly traceparent: string | null;
  /** `recordDigest` of this record. */
  readonly digest: Hash128;
}

export interface OutgoingRecord {
  /** Key of the first event, or the control entry's kind; readable. */
  readonly key: string;
  /** Serialised once by the publisher and never again. */
  readonly value: string;
  readonly header: Uint8Array;
  readonly traceparent: string | null;
}
