/**
 * Carries a write that arrived elsewhere to a gateway of the home region.
 *
 * Promises: one attempt per call; `retryable` only when the other side cannot have seen the request; a lost answer is
 * `unknown` (the write is asked for again under its key).
 */
import type { Epoch, RegionName } from '@lockstep/protocol';

export interface Forwarder {
  forward(request: ForwardedWrite): Promise<ForwardAnswer>;
}

export interface ForwardedWrite {
  readonly to: RegionName;
  readonly dataset: string;
  /** The client's body, byte for byte. */
  readonly body: string;
  readonly principal: string;
  /** Given by the client or minted by the first gateway; null where the dataset mints none. */
  readonly idempotencyKey: string | null;
  readonly keyWasMinted: boolean;
  /** An entry of an outbox that was undone, under its key: only so does a gateway write a dataset of outboxes. */
  readonly isReapplied: boolean;
  /** Epoch of the shard as the sender knows it. */
  readonly epoch: Epoch;
  readonly hops: number;
  /** What remains of the caller's time-out. */
  readonly timeoutMs: number;
  readonly traceparent: string | null;
}

export interface ForwardAnswer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
}
