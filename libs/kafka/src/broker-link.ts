/**
 * One connection to one broker. It carries one call at a time as far as its owner is concerned, and every call is bounded.
 *
 * - `close` ends it at once: the socket is destroyed and whatever waits on it rejects. A client alone would wait for the
 *   answers under way, or would leave a socket connecting behind a time-out.
 * - A call that ends by time-out closes the link, so that nothing keeps running behind it and a late answer meets nobody.
 * - A link that failed is dead; its owner opens another. Opening costs one TCP connect and no request.
 */
import type {
  BrokerAddress,
  BrokerCall,
  Connection,
  ConnectionOptions,
  KafkaClient,
} from './kafka-client.js';
import { LinkError } from './log-failure.js';

export interface LinkOptions extends Pick<ConnectionOptions, 'clientId' | 'socketFactory' | 'onClientLog'> {
  readonly client: KafkaClient;
}

interface CallBound {
  readonly timeoutMs: number;
  /** A large answer on a slow line is no time-out: prolong while bytes arrive, at most this often. */
  readonly prolongTimesMax: number;
}

export const sameAddress = (x: BrokerAddress, y: BrokerAddress): boolean =>
  x.host === y.host && x.port === y.port;

/** The client's own timer stays on as a second fence, well behind ours. */
const FENCE_MS = 5_000;

export class BrokerLink {
  readonly address: BrokerAddress;
  readonly #options: LinkOptions;
  #connection: Connection | null = null;
  #closed = false;
  /** Fails what is under way, before the client wraps the end of the socket in an error of its own. */
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
      this.#connection.socket?.writable === true
    );
  }

  async open(timeoutMs: number): Promise<void> {
    if (this.#closed) throw new LinkError('link-closed', `the link to ${this.#name} was closed`);
    const { client, ...options } = this.#options;
    const connection = client.newConnection({
      ...options,
      address: this.address,
      connectMsMax: timeoutMs + FENCE_MS,
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
    return this.#bounded(`${call.name} to ${this.#name}`, bound, connection.send(call));
  }

  close(): void {
    this.#end(new LinkError('link-closed', `the link to ${this.#name} was closed`));
  }

  get #name(): string {
    return `${this.address.host}:${this.address.port}`;
  }

  get #bytesRead(): number {
    return this.#connection?.socket?.bytesRead ?? 0;
  }

  #end(reason: LinkError): void {
    this.#closed = true;
    for (const fail of this.#waiting) fail(reason);
    // With an error, so that the client hears of it and rejects what it holds.
    this.#connection?.socket?.destroy(reason);
  }

  #bounded<T>(story: string, bound: CallBound, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      let prolonged = 0;
      let bytesSeen = this.#bytesRead;
      const onTime = (): void => {
        const bytesRead = this.#bytesRead;
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
