/**
 * The HTTP server under Nest, with bounds against callers that are slow, broken or many.
 *
 * Time-outs are checked every second, not every 30 as Node does by itself, so that a caller who dribbles a header
 * holds a connection for about `HEADER_MS_MAX`. What Node would refuse by itself, without a word, is answered with a
 * problem document as well; but never while an earlier request of the connection waits for its answer, because the
 * caller would take the refusal for that answer and believe that nothing was written.
 *
 * A write that the gateway will not take now is answered here, before routing and with its body unread: refused a
 * thousand times a second, it must cost next to nothing, and what is taken must not wait behind it (decision 0026).
 *
 * Whoever may reach a role may act on it, and a browser reaches it for any page that it shows. So what a browser sends for a
 * page from elsewhere is only read from.
 */
import { ExpressAdapter } from '@nestjs/platform-express';
import { createServer, STATUS_CODES } from 'node:http';
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { KnockingWrite } from '@lockstep/engine';
import { problemAnswer, writeAnswer } from './http-answer.js';
import type { HttpAnswer } from './http-answer.js';
import { isForwarded } from './incoming.js';

const HEADER_MS_MAX = 10_000;
/** For receiving a whole request; longer than the longest time-out that a caller may ask for. */
const REQUEST_MS_MAX = 75_000;
/** Longer than forwarding gateways and load balancers keep idle connections: they close first, never under a request. */
const IDLE_MS_MAX = 65_000;
const CONNECTIONS_MAX = 10_000;
/** A connection that got its last answer is cut after this silence, whether its caller has hung up or not. */
const LINGER_MS_MAX = 1_000;

const OPTIONS: ServerOptions = {
  headersTimeout: HEADER_MS_MAX,
  requestTimeout: REQUEST_MS_MAX,
  keepAliveTimeout: IDLE_MS_MAX,
  connectionsCheckingInterval: 1_000,
  noDelay: true,
  // Node would refuse a request without Host by an empty answer; the adapter below refuses it by a problem document.
  requireHostHeader: false,
};

type RequestListener = (request: IncomingMessage, response: ServerResponse) => void;

/** The refusal of a write; null when it may go on. */
export type Door = (write: KnockingWrite) => HttpAnswer | null;

/** Other spellings of the path go on, and are refused where they are routed to. */
const WRITE_PATH = /^\/v1\/datasets\/([^/?%]+)\/entries(?::batch)?$/;

export class BoundedExpressAdapter extends ExpressAdapter {
  readonly #door: Door;

  constructor(door: Door) {
    super();
    this.#door = door;
  }

  /** Instead of the plain server that the adapter would make: some bounds can be set only when it is made. */
  override initHttpServer(): void {
    const application = this.getInstance<RequestListener>();
    const waiting = new WeakMap<Socket, Set<ServerResponse>>();
    const server = createServer(OPTIONS);
    server.maxConnections = CONNECTIONS_MAX;
    server.on('clientError', (error, socket: Socket) => answerUnparsable(error, socket, waiting.get(socket)));
    server.on('connect', (_request, socket: Socket) => answerConnect(socket, waiting.get(socket)));
    server.on('checkExpectation', (_request, response) => {
      writeAnswer(response, problemAnswer('malformed', 'Expect can only be 100-continue.'));
    });
    server.on('request', (request, response) => {
      const { socket } = request;
      const responses = waiting.get(socket) ?? new Set();
      waiting.set(socket, responses.add(response));
      response.on('close', () => {
        responses.delete(response);
        // While the server drains, a kept connection is closed with its last answer.
        if (!server.listening) server.closeIdleConnections();
      });
      if (request.headers.host === undefined && request.httpVersion === '1.1') {
        writeAnswer(response, problemAnswer('malformed', 'HTTP/1.1 demands the header Host.'));
        return;
      }
      const refusal = this.#refusalOf(request);
      if (refusal === null) application(request, response);
      else writeAnswer(response, refusal);
    });
    this.httpServer = server;
    this.disable('x-powered-by');
  }

  #refusalOf(request: IncomingMessage): HttpAnswer | null {
    if (isForeignAct(request))
      return problemAnswer('foreign-page', 'A browser sent this for a page that is not served here.');
    const { method, url = '' } = request;
    const dataset = method === 'POST' ? WRITE_PATH.exec(url)?.[1] : undefined;
    return dataset === undefined ? null : this.#door({ dataset, forwarded: isForwarded(request) });
  }
}

/** By what browsers say of every request, and no page can change; other callers do not say it. */
function isForeignAct({ headers, method }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  const isForeign = site !== undefined && site !== 'same-origin' && site !== 'none';
  return isForeign && method !== 'GET' && method !== 'HEAD';
}

/**
 * Stops listening and waits until every request under way is answered and every connection closed, at most `msMax`;
 * then what is left is cut off.
 */
export async function drain(server: Server, msMax: number): Promise<void> {
  const cutOff = setTimeout(() => server.closeAllConnections(), msMax);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearTimeout(cutOff);
}

/** Answers of one connection that are still owed. */
type Waiting = ReadonlySet<ServerResponse> | undefined;

function answerUnparsable(error: Error & { readonly code?: string }, socket: Socket, waiting: Waiting): void {
  if (error.code === 'ECONNRESET') socket.destroy();
  else endWith(socket, unparsableAnswer(error.code), waiting);
}

/** CONNECT asks for a tunnel; from here on Node leaves the socket alone. */
function answerConnect(socket: Socket, waiting: Waiting): void {
  socket.on('error', () => socket.destroy());
  const headers = { allow: 'GET, HEAD, POST' };
  endWith(socket, problemAnswer('method-not-allowed', 'There are no tunnels here.', headers), waiting);
}

function endWith(socket: Socket, { status, headers, body }: HttpAnswer, waiting: Waiting): void {
  const owed = [...(waiting ?? [])].some((response) => response.req.complete || response.headersSent);
  if (owed || !socket.writable) {
    socket.destroy();
    return;
  }
  const lines = Object.entries({
    ...headers,
    connection: 'close',
    'content-length': Buffer.byteLength(body),
  });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.setTimeout(LINGER_MS_MAX, () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n${body}`);
}

function unparsableAnswer(code: string | undefined): HttpAnswer {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return problemAnswer('header-too-large', 'URL and headers together are larger than 16 KiB.');
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return problemAnswer(
      'request-timeout',
      `A header may take ${HEADER_MS_MAX} ms, a request ${REQUEST_MS_MAX} ms.`,
    );
  }
  return problemAnswer('malformed', 'This is not an HTTP/1.1 request.');
}
