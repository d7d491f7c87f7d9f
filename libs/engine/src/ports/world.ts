/**
 * Time, chance and identities. A simulated world owns every completion; the engine uses nothing ambient.
 */
import type { Fingerprint, KeyHash, LogIncarnation, PublisherId } from '@lockstep/protocol';

export interface Clock {
  /** Wall clock, milliseconds since 1970; for display, `notAfter` and deadlines, never for safety (I16). */
  nowMs(): number;
  /** Never goes back; for measuring and waiting. */
  monotonicMs(): number;
  /**
   * Resolves after the time has passed, or at once after `wake` of the returned handle. Never shorter than 1 ms: whoever
   * sleeps until a moment that is nearer than a clock can tell would find it as far away as before.
   */
  sleep(ms: number): Sleep;
}

export interface Sleep {
  readonly done: Promise<void>;
  /** Ends the sleep early; the promise resolves. */
  wake(): void;
}

export interface Identities {
  /** A fresh session of this process; its first 16 hex digits are `publisherPrefix`. */
  publisherId(): PublisherId;
  readonly publisherPrefix: string;
  logIncarnation(): LogIncarnation;
  /** A minted idempotency key: 1-128 printable ASCII. */
  idempotencyKey(): string;
  /** 32 hex digits, not all zero. */
  traceId(): string;
  /** 16 hex digits, not all zero. */
  spanId(): string;
  /** First 128 bits of the SHA-256 of the canonical events' UTF-8. */
  fingerprint(canonicalEvents: string): Fingerprint;
  /** First 128 bits of the SHA-256 of the length-prefixed principal and the key. */
  keyHash(principal: string, idempotencyKey: string): KeyHash;
  /** Between 0 (included) and 1. */
  random(): number;
}
