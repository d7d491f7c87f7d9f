/** Time, chance and identities of a real process: the ports of `engine/ports/world` on Node. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as after, clearTimeout } from 'node:timers';
import type { Clock, Identities } from '@lockstep/engine';
import type { Fingerprint, KeyHash, LogIncarnation, PublisherId } from '@lockstep/protocol';

export function nodeClock(): Clock {
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    sleep: (ms) => {
      let wake!: () => void;
      const done = new Promise<void>((resolve) => {
        const timer = after(resolve, Math.max(1, ms));
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      return { done, wake };
    },
  };
}

export function nodeIdentities(): Identities {
  const publisherPrefix = hex(8);
  return {
    publisherPrefix,
    publisherId: () => (publisherPrefix + hex(8)) as PublisherId,
    logIncarnation: () => hex(16) as LogIncarnation,
    idempotencyKey: () => randomUUID(),
    traceId: () => hex(16),
    spanId: () => hex(8),
    fingerprint: (canonicalEvents) => hash128(canonicalEvents) as Fingerprint,
    keyHash: (principal, idempotencyKey) =>
      hash128(`${Buffer.byteLength(principal)}:${principal}${idempotencyKey}`) as KeyHash,
    random: () => randomBytes(4).readUInt32BE() / 2 ** 32,
  };
}

/** Random and, in 128 or 64 bits, never all zero in practice. */
const hex = (bytes: number): string => randomBytes(bytes).toString('hex');

const hash128 = (text: string): string =>
  createHash('sha256').update(text, 'utf8').digest('hex').slice(0, 32);
