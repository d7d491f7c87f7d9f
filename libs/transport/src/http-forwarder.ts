/**
 * The Forwarder port over HTTP: one POST to the same route of a gateway of the home region, once.
 *
 * The line between `retryable` and `unknown` is the moment the request gets a connected socket. Before it not one byte
 * can have left, so the other side cannot have seen the write. From then on every failure is `unknown`, a reset of a
 * kept-alive socket included: this side cannot tell whether the request was read before.
 */
import { Agent, request } from 'node:http';
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import type { RegionName } from '@lockstep/protocol';
import { PortError } from '@lockstep/engine';
import type { ForwardAnswer, ForwardedWrite, Forwarder } from '@lockstep/engine';
import { encodeForwarded, FORWARDED_HEADER } from './forwarded-header.js';

/** Writes under way at one time to all regions; one more is refused `retryable`, so that nothing queues unseen. */
export const FORWARDS_IN_FLIGHT_MAX = 512;
const CONNECT_MS_MAX = 2_000;
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

function send(url: URL, write: ForwardedWrite, agent: Agent): Promise<ForwardAnswer> {
  const body = Buffer.from(write.body, 'utf8');
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: 'POST', agent, headers: headersOf(write, body.length) });
    let mayHaveLeft = false;
    const giveUp = (code: string, message: string, cause?: unknown): void => {
      clearTimeout(connectBound);
      clearTimeout(answerBound);
      const disposition = mayHaveLeft ? 'unknown' : 'retryable';
      reject(new PortError(code, disposition, `Forwarding to ${write.to} (${url.host}): ${message}`, cause));
      outgoing.destroy();
    };
    const answerBound = setTimeout(
      () => giveUp('forward-timeout', `no answer within ${write.timeoutMs} ms`),
      write.timeoutMs + ANSWER_GRACE_MS,
    );
    const connectBound = setTimeout(
      () => giveUp('forward-unreachable', 'no connection in time'),
      Math.min(CONNECT_MS_MAX, write.timeoutMs),
    );
    onConnected(outgoing, () => {
      mayHaveLeft = true;
      clearTimeout(connectBound);
    });
    outgoing.on('error', (error) =>
      giveUp(mayHaveLeft ? 'forward-broken' : 'forward-unreachable', error.message, error),
    );
    outgoing.on('response', (response) => {
      readAnswer(response).then(
        (answer) => {
          clearTimeout(answerBound);
          resolve(answer);
        },
        (error: Error) => giveUp('forward-broken', error.message, error),
      );
    });
    outgoing.end(body);
  });
}

function headersOf(write: ForwardedWrite, bodyBytes: number): OutgoingHttpHeaders {
  const key = write.idempotencyKey === null ? 'none' : write.keyWasMinted ? 'minted' : 'given';
  const { hops, epoch, timeoutMs, principal } = write;
  return {
    'content-type': 'application/json; charset=utf-8',
    'content-length': bodyBytes,
    [FORWARDED_HEADER]: encodeForwarded({ hops, epoch, key, timeoutMs, principal }),
    ...(write.idempotencyKey === null ? {} : { 'idempotency-key': write.idempotencyKey }),
    ...(write.traceparent === null ? {} : { traceparent: write.traceparent }),
  };
}

/** A socket of the pool is connected already; then the request is written as soon as it is assigned. */
function onConnected(outgoing: ClientRequest, call: () => void): void {
  outgoing.on('socket', (socket: Socket) => {
    if (socket.connecting) socket.once('connect', call);
    else call();
  });
}

async function readAnswer(response: IncomingMessage): Promise<ForwardAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`the answer is longer than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  const body = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  const headers: { [name: string]: string } = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value === undefined || HEADERS_NOT_PASSED_ON.has(name)) continue;
    headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return { status: response.statusCode ?? 0, headers, body };
}
