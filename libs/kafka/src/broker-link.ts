/**
 * One connection to one broker. It carries one call at a time as far as its owner is concerned, and every call is bounded.
 *
 * - `close` ends it at once: the socket is destroyed and whatever waits on it rejects. kafkajs alone would wait for the
 *   answers under way, and would leave a socket connecting behind a time-out.
 * - A call that ends by time-out closes the link, so that nothing keeps running behind it and a late answer meets nobody.
 * - A link that failed is dead; its owner opens another. Opening costs one TCP connect and no request.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { BrokerCall, Connection, ConnectionLogger } from './kafkajs-internals.js';
import { newConnection, protocolOf } from './kafkajs-internals.js';
import { LinkError } from './log-failure.js';

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

/** Makes a socket that connects to a broker, or to a proxy that stands for it. */
export type SocketFactory = (address: BrokerAddress) => Socket;

export interface LinkOptions {
  readonly clientId: string;
  readonly socketFactory: SocketFactory | null;
  /** Told what kafkajs would log as a warning or an error. Failures arrive as PortErrors as well. */
  readonly onClientLog: ((level: 'warn' | 'error', message: string) => void) | null;
}

interface CallBound {
  readonly timeoutMs: number;
  /** A large answer on a slow line is no time-out: prolong while bytes arrive, at most this often. */
  readonly prolongTimesMax: number;
}

export const sameAddress = (x: BrokerAddress, y: BrokerAddress): boolean =>
  x.host === y.host && x.port === y.port;

const KEEP_ALIVE_DELAY_MS = 10_000;
/** kafkajs' own timers stay on as a second fence, well behind ours. */
const FENCE_MS = 5_000;

export class BrokerLink {
  readonly address: BrokerAddress;
  readonly #options: LinkOptions;
  #connection: Connection | null = null;
  #socket: Socket | null = null;
  #closed = false;
  /** Fails what is under way, before kafkajs wraps the end of the socket in an error of its own. */
  readonly #waiting = new Set<(reason: unknown) => void>();

  constructor(address: BrokerAddress, options: LinkOptions) {
    this.address = address;
    this.#options = options;
  }

  get usable(): boolean {
    return (
      !this.#closed &&
      this.#connection !== null &&
      this.#connection.isConnected() &&
      this.#socket?.writable === true
    );
  }

  async open(timeoutMs: number): Promise<void> {
    if (this.#closed) throw new LinkError('link-closed', `the link to ${this.#name} was closed`);
    const connection = newConnection({
      ...this.address,
      clientId: this.#options.clientId,
      logger: quietLogger(this.#options.onClientLog),
      socketFactory: ({ onConnect }) => this.#newSocket(onConnect),
      connectionTimeout: timeoutMs + FENCE_MS,
      // Used by kafkajs only for its interval timer, which is off: calls are bounded by `send`.
      requestTimeout: FENCE_MS,
      enforceRequestTimeout: false,
    });
    this.#connection = connection;
    await this.#bounded(
      `connecting to ${this.#name}`,
      { timeoutMs, prolongTimesMax: 0 },
      connection.connect(),
    );
  }

  send<Answer>(call: BrokerCall<Answer>, bound: CallBound): Promise<Answer> {
    const connection = this.#connection;
    if (connection === null || !this.usable) {
      return Promise.reject(
        new LinkError(this.#closed ? 'link-closed' : 'link-unreachable', `no connection to ${this.#name}`),
      );
    }
    return this.#bounded(
      `${call.name} to ${this.#name}`,
      bound,
      connection.send(protocolOf(call)) as Promise<Answer>,
    );
  }

  close(): void {
    this.#end(new LinkError('link-closed', `the link to ${this.#name} was closed`));
  }

  get #name(): string {
    return `${this.address.host}:${this.address.port}`;
  }

  #newSocket(onConnect: () => void): Socket {
    const socket =
      this.#options.socketFactory === null
        ? connect(this.address)
        : this.#options.socketFactory(this.address);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
    socket.once('connect', onConnect);
    this.#socket = socket;
    return socket;
  }

  #end(reason: LinkError): void {
    this.#closed = true;
    for (const fail of this.#waiting) fail(reason);
    // With an error, so that kafkajs hears of it and rejects what it holds.
    this.#socket?.destroy(reason);
  }

  #bounded<T>(story: string, bound: CallBound, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      let prolonged = 0;
      let bytesSeen = this.#socket?.bytesRead ?? 0;
      const onTime = (): void => {
        const bytesRead = this.#socket?.bytesRead ?? 0;
        if (bytesRead > bytesSeen && prolonged < bound.prolongTimesMax) {
          bytesSeen = bytesRead;
          prolonged += 1;
          timer = setTimeout(onTime, bound.timeoutMs);
          return;
        }
        this.#end(new LinkError('link-timed-out', `${story} took longer than ${bound.timeoutMs} ms`));
      };
      let timer = setTimeout(onTime, bound.timeoutMs);
      const settle = (finish: () => void): void => {
        clearTimeout(timer);
        this.#waiting.delete(fail);
        finish();
      };
      const fail = (reason: unknown): void => settle(() => reject(reason));
      this.#waiting.add(fail);
      work.then((answer) => settle(() => resolve(answer)), fail);
    });
  }
}

function quietLogger(onClientLog: LinkOptions['onClientLog']): ConnectionLogger {
  const logger: ConnectionLogger = {
    namespace: () => logger,
    debug: () => {},
    info: () => {},
    warn: (message) => onClientLog?.('warn', message),
    error: (message) => onClientLog?.('error', message),
  };
  return logger;
}
