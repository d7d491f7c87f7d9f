/**
 * The header `Lockstep-Forwarded`: what the first gateway tells the home's gateway about a write beside its body.
 *
 * Grammar, in exactly this order, no spaces:
 *   hops=1;epoch=7;key=given;timeoutMs=9500;principal=alice%40example.com
 *   hops       1-9, no leading zero          epoch    0..2^53-1, the shard's epoch as the sender knows it
 *   key        given | minted | outbox | none  timeoutMs  1..60000, what remains of the caller's time-out
 *   principal  1-512 characters of encodeURIComponent's own form (another spelling of the same bytes is refused)
 * There is one spelling of each value, so that a parser that answers null has seen no header of a gateway.
 */
import { epoch } from '@lockstep/protocol';
import type { Epoch } from '@lockstep/protocol';

export const FORWARDED_HEADER = 'lockstep-forwarded';

export interface Forwarded {
  readonly hops: number;
  readonly epoch: Epoch;
  /**
   * Who made the `Idempotency-Key` header: the client, the first gateway, an outbox (then its entry is applied again), or nobody
   * (then there is none).
   */
  readonly key: 'given' | 'minted' | 'outbox' | 'none';
  readonly timeoutMs: number;
  readonly principal: string;
}

const GRAMMAR =
  /^hops=([1-9]);epoch=(0|[1-9][0-9]{0,15});key=(given|minted|outbox|none);timeoutMs=([1-9][0-9]{0,4});principal=([A-Za-z0-9\-_.!~*'()%]{1,512})$/;
const TIMEOUT_MS_MAX = 60_000;

/** @throws RangeError for values that the grammar cannot carry: a defect of the sender. */
export function encodeForwarded(forwarded: Forwarded): string {
  const text =
    `hops=${forwarded.hops};epoch=${forwarded.epoch};key=${forwarded.key};timeoutMs=${forwarded.timeoutMs};` +
    `principal=${encodeURIComponent(forwarded.principal)}`;
  if (parseForwarded(text) === null) throw new RangeError(`cannot be forwarded: ${text}`);
  return text;
}

/** Null when the text is not exactly of the grammar. */
export function parseForwarded(text: string): Forwarded | null {
  const match = GRAMMAR.exec(text);
  if (match === null) return null;
  const [, hops = '', epochText = '', key = '', timeoutText = '', principalText = ''] = match;
  const timeoutMs = Number(timeoutText);
  const principal = decodedOnce(principalText);
  if (BigInt(epochText) > BigInt(Number.MAX_SAFE_INTEGER) || timeoutMs > TIMEOUT_MS_MAX || principal === null)
    return null;
  return {
    hops: Number(hops),
    epoch: epoch(BigInt(epochText)),
    key: key as Forwarded['key'],
    timeoutMs,
    principal,
  };
}

function decodedOnce(text: string): string | null {
  try {
    const decoded = decodeURIComponent(text);
    return encodeURIComponent(decoded) === text ? decoded : null;
  } catch {
    return null;
  }
}
