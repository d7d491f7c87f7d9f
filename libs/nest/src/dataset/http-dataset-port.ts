/**
 * The dataset port over HTTP: each call is one request to a gateway, of any region; the gateway forwards to the home. What
 * failed is `retryable` or `unknown` as `exchange` says.
 */
import { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import { exchange } from '@lockstep/transport';
import { openHttpFeed } from '../changes/http-feed.js';
import type { DatasetPort, PortAnswer, PortFeed, ReceiptCall, RowCall } from './dataset-port.js';
import { receiptQuery, rowQuery } from './gateway-query.js';

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
  const feeds = new Set<PortFeed>();
  let isClosed = false;
  const agent = isSecure ? new SecureAgent(options) : new Agent(options);
  const send = ({ path, ...call }: Call): Promise<PortAnswer> =>
    exchange({
      ...call,
      url: urlOf(gateway, path),
      agent,
      answerGraceMs: ANSWER_GRACE_MS,
      answerBytesMax: ANSWER_BYTES_MAX,
      decode: (bytes) => bytes.toString('utf8'),
      name: 'gateway',
      what: `${call.method} ${path.split('?')[0]}`,
    });
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
    changes: async ({ dataset, from, timeoutMs }) => {
      const url = urlOf(gateway, `/v1/datasets/${encodeURIComponent(dataset)}/changes`);
      const opened = await openHttpFeed(url, from, timeoutMs);
      if ('status' in opened) return opened;
      feeds.add(opened);
      if (isClosed) opened.close();
      return {
        next: () => opened.next(),
        close: () => {
          feeds.delete(opened);
          opened.close();
        },
      };
    },
    readiness: (timeoutMs) => send({ method: 'GET', path: '/readyz', headers: {}, body: null, timeoutMs }),
    close: () => {
      isClosed = true;
      for (const feed of feeds) feed.close();
      agent.destroy();
    },
  };
}

/** A gateway may stand behind a path. */
const urlOf = (gateway: string, path: string): URL => new URL(`${gateway.replace(/\/+$/, '')}${path}`);

function receiptCall(call: ReceiptCall): Call {
  const { dataset, idempotencyKey, timeoutMs } = call;
  const query = new URLSearchParams(receiptQuery(call));
  const key = encodeURIComponent(idempotencyKey);
  const path = `/v1/datasets/${encodeURIComponent(dataset)}/receipts/${key}?${query.toString()}`;
  return { method: 'GET', path, headers: {}, body: null, timeoutMs };
}

function rowCall(call: RowCall): Call {
  const { dataset, key, timeoutMs, token } = call;
  const query = new URLSearchParams(rowQuery(call));
  const row = `/v1/datasets/${encodeURIComponent(dataset)}/rows/${encodeURIComponent(key)}`;
  const headers: Call['headers'] = token === null ? {} : { 'lockstep-token': token };
  return { method: 'GET', path: `${row}?${query.toString()}`, headers, body: null, timeoutMs };
}
