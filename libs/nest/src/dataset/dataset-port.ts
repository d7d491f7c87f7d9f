/**
 * The port between the typed handles and whatever carries their calls: a gateway over HTTP, a gateway in this
 * process, the in-memory world of the test kit. Every adapter passes `DATASET_PORT_PROMISES`.
 *
 * Promises: an answer is what a gateway says, word for word (design section 17), refusals too. What is not an answer is
 * a `PortError`: `retryable` when the call certainly had no effect, `unknown` when it may have had, never the one for
 * the other (I9). A call ends at most a second after its `timeoutMs`. The port repeats nothing by itself.
 */
import type { Stage } from '@lockstep/protocol';
import type { FeedEvent } from '../changes/event-parser.js';

export interface PortAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: { readonly [lowerCaseName: string]: string };
  /** JSON text. */
  readonly body: string;
}

export interface WriteCall {
  readonly dataset: string;
  /** As the gateway reads it: `{"events", "ack"?, "timeoutMs"}`, for a batch `{"entries", ...}`. */
  readonly body: string;
  readonly timeoutMs: number;
}

export interface ReceiptCall {
  readonly dataset: string;
  readonly idempotencyKey: string;
  readonly wait: Stage | null;
  /** With a moment: when nothing is known of the key by then, it is bound to `expired` there, so that it stays so. */
  readonly settle: { readonly shard: string; readonly deadlineMs: number } | null;
  readonly timeoutMs: number;
}

export interface RowCall {
  readonly dataset: string;
  readonly key: string;
  readonly consistency: 'local' | 'session' | 'strong';
  readonly token: string | null;
  readonly timeoutMs: number;
}

export interface ChangesCall {
  readonly dataset: string;
  /** Null: from now on. */
  readonly from: string | null;
  /** Until it is open. */
  readonly timeoutMs: number;
}

/** An open change feed; its first event carries the position at which it begins. */
export interface PortFeed {
  /** The events since the last call, at least one; null when it has ended. Rejects `retryable` when it broke off. */
  next(): Promise<readonly FeedEvent[] | null>;
  /** Idempotent; settles a `next` that waits. */
  close(): void;
}

export interface DatasetPort {
  /** @param idempotencyKey null: a repeat would be another write. */
  write(call: WriteCall & { readonly idempotencyKey: string | null }): Promise<PortAnswer>;
  writeBatch(call: WriteCall): Promise<PortAnswer>;
  receipt(call: ReceiptCall): Promise<PortAnswer>;
  row(call: RowCall): Promise<PortAnswer>;
  /** A feed, or an answer that says why there is none. Whoever is given a feed closes it. */
  changes(call: ChangesCall): Promise<PortFeed | PortAnswer>;
  /** 200 when writes can be taken. */
  readiness(timeoutMs: number): Promise<PortAnswer>;
  /** Calls under way end with `unknown`, feeds end. Idempotent. */
  close(): void | Promise<void>;
}
