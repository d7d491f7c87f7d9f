/**
 * The Forwarder port over HTTP: one POST to the same route of a gateway of the home region, once. What failed is
 * `retryable` or `unknown` as `exchange` says.
 */
import { Agent } from 'node:http';
import type { OutgoingHttpHeaders } from 'node:http';
import type { RegionName } from '@lockstep/protocol';
import { PortError } from '@lockstep/engine';
import type { ForwardAnswer, ForwardedWrite, Forwarder } from '@lockstep/engine';
import { exchange } from './exchange.js';
import { encodeForwarded, FORWARDED_HEADER, type Forwarded } from './forwarded-header.js';

/** Writes under way at one time to all regions; one more is refused `retryable`, so that nothing queues unseen. */
export const FORWARDS_IN_FLIGHT_MAX = 512;
/** The other side answers at the caller's time-out, 202 in the worst case; this is for that answer's way back. */
const ANSWER_GRACE_MS = 500;
/** A receipt or problem of a write is far smaller. */
const ANSWER_BYTES_MAX = 1024 * 1024;
/** Belong to one connection or are made anew by whoever passes the answer on. */
const HEADERS_NOT_PASSED_ON = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'date',
]);

export interface HttpForwarder extends Forwarder {
  /** Ends idle connections; writes under way are answered `unknown`. */
  close(): void;
}

/** @param addresses base URL of a gateway by region, for example `http://127.0.0.1:7101`. */
export function httpForwarder(addresses: ReadonlyMap<RegionName, string>): HttpForwarder {
  // Node's agents switch Nagle's delay off by themselves.
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 64 });
  let inFlight = 0;
  return {
    forward: async (write) => {
      const address = addresses.get(write.to);
      if (address === undefined) {
        throw new PortError(
          'region-unknown',
          'fatal',
          `No gateway address of region ${write.to}: add it to topology.yaml.`,
        );
      }
      if (inFlight >= FORWARDS_IN_FLIGHT_MAX) {
        throw new PortError(
          'forward-overloaded',
          'retryable',
          `${inFlight} forwarded writes are under way; try again later.`,
        );
      }
      inFlight += 1;
      try {
        return await send(
          new URL(`/v1/datasets/${encodeURIComponent(write.dataset)}/entries`, address),
          write,
          agent,
        );
      } finally {
        inFlight -= 1;
      }
    },
    close: () => agent.destroy(),
  };
}

async function send(url: URL, write: ForwardedWrite, agent: Agent): Promise<ForwardAnswer> {
  const { status, headers, body } = await exchange({
    method: 'POST',
    url,
    agent,
    headers: headersOf(write),
    body: write.body,
    timeoutMs: write.timeoutMs,
    answerGraceMs: ANSWER_GRACE_MS,
    answerBytesMax: ANSWER_BYTES_MAX,
    decode: (bytes) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes),
    name: 'forward',
    what: `Forwarding to ${write.to} (${url.host})`,
  });
  const passedOn = Object.entries(headers).filter(([name]) => !HEADERS_NOT_PASSED_ON.has(name));
  return { status, headers: Object.fromEntries(passedOn), body };
}

function headersOf(write: ForwardedWrite): OutgoingHttpHeaders {
  const key = keyWordOf(write);
  const { hops, epoch, timeoutMs, principal } = write;
  return {
    'content-type': 'application/json; charset=utf-8',
    [FORWARDED_HEADER]: encodeForwarded({ hops, epoch, key, timeoutMs, principal }),
    ...(write.idempotencyKey === null ? {} : { 'idempotency-key': write.idempotencyKey }),
    ...(write.traceparent === null ? {} : { traceparent: write.traceparent }),
  };
}

function keyWordOf({ idempotencyKey, isReapplied, keyWasMinted }: ForwardedWrite): Forwarded['key'] {
  if (idempotencyKey === null) return 'none';
  if (isReapplied) return 'outbox';
  return keyWasMinted ? 'minted' : 'given';
}
