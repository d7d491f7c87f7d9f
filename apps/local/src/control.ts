/**
 * How a running supervisor is spoken to: HTTP over an abstract socket whose name follows from the data folder, with a
 * token that only readers of the data folder know.
 *
 * The socket is the lock too. The system lets one process hold the name and takes it away with the process, so "is a
 * cluster running on this data?" has a definite answer whatever crashed before.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { resolve } from 'node:path';
import type { ClusterFile, RegionProcess } from './cluster-file.js';
import { replaceFile, type DataFolder } from './data-folder.js';
import { isLocalError, isLocalErrorCode, LocalError, type LocalErrorCode } from './local-error.js';
import type { ClusterOptions } from './options.js';
import type { Cut, WideAreaStatus } from './wide-area.js';

export type ProcessOrder = 'kill' | 'pause' | 'continue' | 'stop' | 'start';

export type Target =
  | { readonly kind: 'region'; readonly region: string; readonly process: RegionProcess | null }
  | { readonly kind: 'kafka'; readonly node: number | null };

export type Order =
  | {
      readonly kind: 'process';
      readonly order: ProcessOrder;
      readonly target: Target;
      readonly stayDown: boolean;
    }
  | ({ readonly kind: 'cut' } & Cut)
  | { readonly kind: 'heal'; readonly region: string }
  /** The next so many produce responses to the region's roles; 0 takes an order back. */
  | { readonly kind: 'swallow'; readonly region: string; readonly responses: number };

export interface ProcessStatus {
  readonly name: string;
  readonly pid: number | null;
  readonly state: 'ready' | 'not ready' | 'paused' | 'restarting' | 'down';
  readonly log: string;
}

export interface ClusterStatus {
  readonly state: 'starting' | 'running' | 'ending';
  readonly pid: number;
  readonly options: ClusterOptions | null;
  readonly cluster: ClusterFile | null;
  readonly processes: readonly ProcessStatus[];
  readonly wideArea: WideAreaStatus | null;
}

export interface ControlHandler {
  status(): Promise<ClusterStatus>;
  /** Answers what was done, a line per process. */
  carryOut(order: Order): Promise<readonly string[]>;
  /** Begins to end everything; the socket closes when nothing is left. */
  end(): void;
}

const BODY_BYTES_MAX = 16 * 1024;
const ANSWER_MS_MAX = 120_000;

export class ControlServer {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** `undefined`: another supervisor holds this data folder. */
  static async take(data: DataFolder, handler: ControlHandler): Promise<ControlServer | undefined> {
    const token = randomBytes(24).toString('hex');
    const server = createServer((incoming, response) => void answer(incoming, response, token, handler));
    const taken = await new Promise<boolean>((settle, fail) => {
      server.once('error', (error: NodeJS.ErrnoException) =>
        error.code === 'EADDRINUSE' ? settle(false) : fail(error),
      );
      server.listen(socketName(data.folder), () => settle(true));
    });
    if (!taken) return undefined;
    await replaceFile(data.control, { socket: `@${socketName(data.folder).slice(1)}`, token });
    return new ControlServer(server);
  }

  async close(): Promise<void> {
    const closed = new Promise((settle) => this.#server.close(settle));
    this.#server.closeAllConnections();
    await closed;
  }
}

/** Throws `not-running` when nobody holds the folder, `not-possible-now` when somebody does but cannot be spoken to. */
export async function askStatus(data: DataFolder): Promise<ClusterStatus> {
  return (await ask(data, 'GET', '/status')) as ClusterStatus;
}

export async function askEnd(data: DataFolder): Promise<void> {
  await ask(data, 'POST', '/end');
}

/** Answers what was done, a line per process; throws what the supervisor refuses it with. */
export async function askOrder(data: DataFolder, order: Order): Promise<readonly string[]> {
  return ((await ask(data, 'POST', '/orders', order)) as { done: readonly string[] }).done;
}

async function ask(data: DataFolder, method: string, path: string, body?: object): Promise<unknown> {
  // Asked without a token too: only the socket knows whether somebody is there.
  const { token } = (
    existsSync(data.control) ? JSON.parse(readFileSync(data.control, 'utf8')) : { token: '' }
  ) as { token: string };
  const mute = (what: string) =>
    new LocalError(
      'not-possible-now',
      `A supervisor holds ${data.folder} but cannot be spoken to: ${what}. Its token stands in ${data.control}.`,
    );
  return new Promise((settle, fail) => {
    const outgoing = request(
      { socketPath: socketName(data.folder), path, method, headers: { authorization: `Bearer ${token}` } },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          if (response.statusCode === 200) settle(JSON.parse(text));
          else fail(refusalIn(text) ?? mute(`answered ${response.statusCode}`));
        });
      },
    );
    outgoing.setTimeout(ANSWER_MS_MAX, () => outgoing.destroy(new Error('no answer')));
    outgoing.on('error', (error: NodeJS.ErrnoException) =>
      fail(
        error.code === 'ECONNREFUSED'
          ? new LocalError('not-running', `No local cluster runs on ${data.folder}.`)
          : mute(error.message),
      ),
    );
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function refusalIn(text: string): LocalError | undefined {
  const { code, message } = JSON.parse(text) as { readonly code: string; readonly message: string };
  return isLocalErrorCode(code) ? new LocalError(code, message) : undefined;
}

function socketName(folder: string): string {
  const real = existsSync(folder) ? realpathSync(folder) : resolve(folder);
  return `\0lockstep-local-${createHash('sha256').update(real).digest('hex').slice(0, 32)}`;
}

async function answer(
  incoming: IncomingMessage,
  response: ServerResponse,
  token: string,
  handler: ControlHandler,
): Promise<void> {
  const reply = (status: number, body: unknown) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(body)}\n`);
  };
  try {
    if (!knows(token, incoming.headers.authorization))
      return reply(401, { code: 'unauthenticated', message: 'The token of control.json is needed.' });
    const call = `${incoming.method} ${incoming.url}`;
    if (call === 'GET /status') return reply(200, await handler.status());
    if (call === 'POST /orders')
      return reply(200, { done: await handler.carryOut(JSON.parse(await readBody(incoming)) as Order) });
    if (call === 'POST /end') {
      handler.end();
      return reply(200, { done: [] });
    }
    reply(404, { code: 'unknown-call', message: `There is no ${call}.` });
  } catch (error) {
    if (isLocalError(error))
      reply(httpStatuses[error.code] ?? 409, { code: error.code, message: error.message });
    else reply(500, { code: 'failed', message: String(error) });
  }
}

const httpStatuses: Partial<Record<LocalErrorCode, number>> = { 'unknown-target': 422, 'no-wide-area': 422 };

function knows(token: string, header: string | undefined): boolean {
  const given = Buffer.from(header ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) throw new Error(`An order has at most ${BODY_BYTES_MAX} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
