/**
 * The dataset port over HTTP: each call is one request to a gateway, of any region; the gateway forwards to the home.
 *
 * The line between `retryable` and `unknown` is the moment the request gets a connected socket: before it not one byte
 * can have left. From then on every failure is `unknown`, a reset of a kept-alive socket included.
 */
import { Agent, request } from 'node:http';
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { PortError } from '@lockstep/engine';
import type { DatasetPort, PortAnswer, ReceiptCall, RowCall } from './dataset-port.js';

const CONNECT_MS_MAX = 2_000;
/** The gateway answers at the call's time-out in the worst case; this is for that answer's way back. */
const ANSWER_GRACE_MS = 1_000;
/** A thousand receipts in one answer stay far below. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;
const IDLE_SOCKETS_MAX = 64;

interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: { readonly [name: string]: string };
  readonly body: string | null;
  readonly timeoutMs: number;
}

/** @param gateway base URL, for example `http://127.0.0.1:7101`. */
export function httpDatasetPort(gateway: string): DatasetPort {
  const isSecure = new URL(gateway).protocol === 'https:';
  const options = { keepAlive: true, maxFreeSockets: IDLE_SOCKETS_MAX };
  const agent = isSecure ? new SecureAgent(options) : new Agent(options);
  const open = isSecure ? secureRequest : request;
  const send = (call: Call): Promise<PortAnswer> =>
    exchange(call, (path, how) => open(urlOf(gateway, path), { ...how, agent }));
  const post = (path: string, { body, timeoutMs }: Pick<Call, 'timeoutMs'> & { readonly body: string }) => ({
    method: 'POST' as const,
    path,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body,
    timeoutMs,
  });
  return {
    write: ({ dataset, idempotencyKey, ...call }) => {
      const asked = post(`/v1/datasets/${encodeURIComponent(dataset)}/entries`, call);
      const key = idempotencyKey === null ? {} : { 'idempotency-key': idempotencyKey };
      return send({ ...asked, headers: { ...asked.headers, ...key } });
    },
    writeBatch: ({ dataset, ...call }) =>
      send(post(`/v1/datasets/${encodeURIComponent(dataset)}/entries:batch`, call)),
    receipt: (call) => send(receiptCall(call)),
    row: (call) => send(rowCall(call)),
    readiness: (timeoutMs) => send({ method: 'GET', path: '/readyz', headers: {}, body: null, timeoutMs }),
    close: () => agent.destroy(),
  };
}

/** A gateway may stand behind a path. */
const urlOf = (gateway: string, path: string): URL => new URL(`${gateway.replace(/\/+$/, '')}${path}`);

function receiptCall({ dataset, idempotencyKey, settle, timeoutMs, wait }: ReceiptCall): Call {
  const query = new URLSearchParams({ timeoutMs: String(timeoutMs) });
  if (wait !== null) query.set('wait', wait);
  if (settle !== null) {
    query.set('shard', settle.shard);
    query.set('deadline', String(settle.deadlineMs));
  }
  const key = encodeURIComponent(idempotencyKey);
  const path = `/v1/datasets/${encodeURIComponent(dataset)}/receipts/${key}?${query.toString()}`;
  return { method: 'GET', path, headers: {}, body: null, timeoutMs };
}

function rowCall({ consistency, dataset, key, timeoutMs, token }: RowCall): Call {
  const query = new URLSearchParams({ consistency, timeoutMs: String(timeoutMs) });
  const row = `/v1/datasets/${encodeURIComponent(dataset)}/rows/${encodeURIComponent(key)}`;
  const headers: Call['headers'] = token === null ? {} : { 'lockstep-token': token };
  return { method: 'GET', path: `${row}?${query.toString()}`, headers, body: null, timeoutMs };
}

function exchange(
  call: Call,
  open: (path: string, how: RequestOptions) => ClientRequest,
): Promise<PortAnswer> {
  const { method, path, timeoutMs } = call;
  const body = call.body === null ? null : Buffer.from(call.body, 'utf8');
  const length = body === null ? {} : { 'content-length': body.length };
  return new Promise((resolve, reject) => {
    const outgoing = open(path, { method, headers: { ...call.headers, ...length } });
    let mayHaveLeft = false;
    const giveUp = (code: string, message: string, cause?: unknown): void => {
      clearTimeout(connectBound);
      clearTimeout(answerBound);
      const disposition = mayHaveLeft ? 'unknown' : 'retryable';
      reject(new PortError(code, disposition, `${method} ${path.split('?')[0]}: ${message}`, cause));
      outgoing.destroy();
    };
    const answerBound = setTimeout(
      () => giveUp('gateway-timeout', `no answer within ${timeoutMs} ms`),
      timeoutMs + ANSWER_GRACE_MS,
    );
    const connectBound = setTimeout(
      () => giveUp('gateway-unreachable', 'no connection in time'),
      Math.min(CONNECT_MS_MAX, timeoutMs),
    );
    // A socket of the pool is connected already; then the request is written as soon as it is assigned.
    outgoing.on('socket', (socket) => {
      const connected = (): void => {
        mayHaveLeft = true;
        clearTimeout(connectBound);
      };
      if (socket.connecting) socket.once('connect', connected);
      else connected();
    });
    outgoing.on('error', (error) =>
      giveUp(mayHaveLeft ? 'gateway-broken' : 'gateway-unreachable', error.message, error),
    );
    outgoing.on('response', (response) => {
      readAnswer(response).then(
        (answer) => {
          clearTimeout(answerBound);
          resolve(answer);
        },
        (error: Error) => giveUp('gateway-broken', error.message, error),
      );
    });
    outgoing.end(body ?? undefined);
  });
}

async function readAnswer(response: IncomingMessage): Promise<PortAnswer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`the answer is longer than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return { status: response.statusCode!, headers, body: Buffer.concat(chunks).toString('utf8') };
}
