/**
 * What follows from what was heard of a write: tell it, say the write again, or ask for its receipt. Pure.
 *
 * A write is said again only under an idempotency key, so that it has one effect however often it arrives (I8), and
 * only within its time. What may stand is never told as refused, whatever a later attempt hears (I9).
 */
import type { Heard } from './hear-answer.js';

export interface WriteProgress {
  readonly heard: Heard;
  readonly isKeyed: boolean;
  /** Until the caller's time-out. */
  readonly leftMs: number;
  /** An earlier attempt of the same write was met with silence. */
  readonly mayStand: boolean;
}

export type NextStep =
  | { readonly kind: 'tell' }
  | { readonly kind: 'again'; readonly afterMs: number }
  /** Under its key, so that unknown becomes definite. */
  | { readonly kind: 'ask' }
  | { readonly kind: 'tell-unknown' };

/** Between a silence and the next attempt. */
export const SILENCE_PAUSE_MS = 100;

export function decideNext({ heard, isKeyed, leftMs, mayStand }: WriteProgress): NextStep {
  const again = (afterMs: number): NextStep | null =>
    isKeyed && afterMs < leftMs ? { kind: 'again', afterMs } : null;
  const inDoubt: NextStep = isKeyed ? { kind: 'ask' } : { kind: 'tell-unknown' };
  switch (heard.kind) {
    case 'receipt':
      return heard.receipt.outcome === 'unknown' ? inDoubt : { kind: 'tell' };
    case 'rejected':
      return { kind: 'tell' };
    case 'refused':
      return mayStand ? inDoubt : { kind: 'tell' };
    case 'busy':
      return again(heard.retryAfterMs) ?? (mayStand ? inDoubt : { kind: 'tell' });
    case 'silence':
      return again(SILENCE_PAUSE_MS) ?? (mayStand || heard.mayStand ? inDoubt : { kind: 'tell' });
  }
}
