/**
 * One HTTP request and its answer, once, within a time.
 *
 * The line between `retryable` and `unknown` is the moment the request gets a connected socket. Before it not one byte
 * can have left, so the other side cannot have seen it. From then on every failure is `unknown`, a reset of a kept-alive
 * socket included: this side cannot tell whether the request was read before (I9).
 */
import { request } from 'node:http';
import type { Agent, ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { request as secureRequest } from 'node:https';
import type { Socket } from 'node:net';
import { PortError } from '@lockstep/engine';

const CONNECT_MS_MAX = 2_000;

export interface Exchange {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly agent: Agent;
  /** Without the length of the body. */
  readonly headers: OutgoingHttpHeaders;
  readonly body: string | null;
  /** By then the other side answers in the worst case. */
  readonly timeoutMs: number;
  /** For that answer's way back. */
  readonly answerGraceMs: number;
  readonly answerBytesMax: number;
  /** What throws makes the exchange `unknown`. */
  readonly decode: (body: Buffer) => string;
  /** Codes of failures are `NAME-unreachable`, `NAME-broken` and `NAME-timeout`. */
  readonly name: string;
  /** Begins the messages of failures. */
  readonly what: string;
}

export interface ExchangeAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: { readonly [lowerCaseName: string]: string };
  readonly body: string;
}

/** @throws PortError as the head of this file says. */
export function exchange(asked: Exchange): Promise<ExchangeAnswer> {
  const { agent, answerGraceMs, method, name, timeoutMs, url, what } = asked;
  const body = asked.body === null ? null : Buffer.from(asked.body, 'utf8');
  const length = body === null ? {} : { 'content-length': body.length };
  const open = url.protocol === 'https:' ? secureRequest : request;
  return new Promise((resolve, reject) => {
    const outgoing = open(url, { method, agent, headers: { ...asked.headers, ...length } });
    let mayHaveLeft = false;
    const giveUp = (failure: string, message: string, cause?: unknown): void => {
      clearTimeout(connectBound);
      clearTimeout(answerBound);
      const disposition = mayHaveLeft ? 'unknown' : 'retryable';
      reject(new PortError(`${name}-${failure}`, disposition, `${what}: ${message}`, cause));
      outgoing.destroy();
    };
    const answerBound = setTimeout(
      () => giveUp('timeout', `no answer within ${timeoutMs} ms`),
      timeoutMs + answerGraceMs,
    );
    const connectBound = setTimeout(
      () => giveUp('unreachable', 'no connection in time'),
      Math.min(CONNECT_MS_MAX, timeoutMs),
    );
    onConnected(outgoing, () => {
      mayHaveLeft = true;
      clearTimeout(connectBound);
    });
    outgoing.on('error', (error) => giveUp(mayHaveLeft ? 'broken' : 'unreachable', error.message, error));
    outgoing.on('response', (response) => {
      readAnswer(response, asked).then(
        (answer) => {
          clearTimeout(answerBound);
          resolve(answer);
        },
        (error: Error) => giveUp('broken', error.message, error),
      );
    });
    outgoing.end(body ?? undefined);
  });
}

/** A socket of the pool is connected already; then the request is written as soon as it is assigned. */
function onConnected(outgoing: ClientRequest, call: () => void): void {
  outgoing.on('socket', (socket: Socket) => {
    if (socket.connecting) socket.once('connect', call);
    else call();
  });
}

async function readAnswer(
  response: IncomingMessage,
  { answerBytesMax, decode }: Exchange,
): Promise<ExchangeAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) throw new Error(`the answer is longer than ${answerBytesMax} bytes`);
    chunks.push(chunk);
  }
  const headers: { [name: string]: string } = {};
  for (const [name, value] of Object.entries(response.headers))
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  return { status: response.statusCode ?? 0, headers, body: decode(Buffer.concat(chunks)) };
}
