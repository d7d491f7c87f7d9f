/** The Outboxes port over HTTP: asked of a gateway of the home. A try is short, for writes are held meanwhile. */
import { Agent } from 'node:http';
import { PortError, type Outboxes, type OutboxStanding } from '@lockstep/engine';
import type { RegionName } from '@lockstep/protocol';
import { exchange } from './exchange.js';

const ANSWER_MS_MAX = 500;
const ANSWER_BYTES_MAX = 4_096;

export interface HttpOutboxes extends Outboxes {
  close(): void;
}

/** @param addresses base URL of a gateway by region. */
export function httpOutboxes(addresses: ReadonlyMap<RegionName, string>): HttpOutboxes {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 4 });
  return {
    ask: async (home, shard) => {
      const address = addresses.get(home);
      if (address === undefined)
        throw new PortError(
          'region-unknown',
          'fatal',
          `No gateway address of region ${home}: add it to topology.yaml.`,
        );
      const { body, status } = await exchange({
        method: 'GET',
        url: new URL(`/v1/shards/${shard}/outbox`, address),
        agent,
        headers: {},
        body: null,
        timeoutMs: ANSWER_MS_MAX,
        answerGraceMs: 0,
        answerBytesMax: ANSWER_BYTES_MAX,
        decode: (bytes) => new TextDecoder('utf-8', { fatal: true }).decode(bytes),
        name: 'outbox',
        what: `The gateway of ${home}`,
      });
      const told = status === 200 ? standingIn(body) : null;
      if (told === null)
        throw new PortError(
          'outbox-refused',
          'retryable',
          `The gateway of ${home} answered ${status}; ask again.`,
        );
      return told;
    },
    close: () => agent.destroy(),
  };
}

/** Null where the text is none of a gateway. */
function standingIn(text: string): OutboxStanding | null {
  try {
    const { parkedFor, pending } = JSON.parse(text) as { readonly [name: string]: unknown };
    const isParkedFor = parkedFor === null || typeof parkedFor === 'string';
    return isParkedFor && Number.isSafeInteger(pending) ? { parkedFor, pending: pending as number } : null;
  } catch {
    return null;
  }
}
