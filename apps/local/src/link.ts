/**
 * The way from one region to another: TCP proxies with a delay per direction that can be cut and healed.
 *
 * Bytes keep their order and none are lost: a cut holds them back as a network does whose packets are sent again, so
 * that connections outlive a short cut and go on after it. A connection made during a cut is accepted by this machine
 * but reaches nobody until the cut is healed. What waits is bounded: beyond the limit the sender is not read.
 *
 * The one loss there is: a link to a broker can swallow produce responses, each together with its connection.
 */
import { createServer, connect, type Server, type Socket } from 'node:net';
import { KafkaConversation, type ResponseSwallower } from './response-swallower.js';

/** `onward` is from the region that opens connections to the one that is connected to. */
export type Direction = 'onward' | 'back';

export interface LinkAddress {
  readonly host: string;
  readonly port: number;
}

export interface LinkOptions {
  readonly from: string;
  readonly to: string;
  readonly delayMs: number;
  /** Where all connections lead to brokers: what happens to their produce responses. */
  readonly swallower?: ResponseSwallower;
}

const WAITING_BYTES_MAX = 4 * 1024 * 1024;
const CONNECTIONS_MAX = 1_000;

export class Link {
  readonly from: string;
  readonly to: string;
  readonly #options: LinkOptions;
  readonly #cut = new Set<Direction>();
  readonly #servers: Server[] = [];
  readonly #connections = new Set<Connection>();

  constructor(options: LinkOptions) {
    this.from = options.from;
    this.to = options.to;
    this.#options = options;
  }

  /** Listens at `here` for connections to `there`; port 0 takes a free one. */
  async open(here: LinkAddress, there: LinkAddress): Promise<LinkAddress> {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
      const connection = new Connection(socket, there, this.#options, this.#cut, () =>
        this.#connections.delete(connection),
      );
      this.#connections.add(connection);
      connection.begin();
    });
    server.maxConnections = CONNECTIONS_MAX;
    await new Promise<void>((settle, fail) => {
      server.once('error', fail);
      server.listen({ host: here.host, port: here.port }, settle);
    });
    this.#servers.push(server);
    return { host: here.host, port: (server.address() as { port: number }).port };
  }

  /** Cuts exactly these directions and heals the others, in one step. */
  setCut(directions: readonly Direction[]): void {
    this.#cut.clear();
    for (const direction of directions) this.#cut.add(direction);
    for (const connection of this.#connections) connection.proceed();
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.drop();
    await Promise.all(this.#servers.splice(0).map((server) => new Promise((settle) => server.close(settle))));
  }
}

/** One client's connection: waits for the way to be free, takes a handshake's time, then two lanes carry the bytes. */
class Connection {
  readonly #client: Socket;
  readonly #there: LinkAddress;
  readonly #options: LinkOptions;
  readonly #cut: ReadonlySet<Direction>;
  readonly #over: () => void;
  #upstream: Socket | undefined;
  #lanes: readonly Lane[] = [];
  #handshake: NodeJS.Timeout | undefined;

  constructor(
    client: Socket,
    there: LinkAddress,
    options: LinkOptions,
    cut: ReadonlySet<Direction>,
    over: () => void,
  ) {
    this.#client = client;
    this.#there = there;
    this.#options = options;
    this.#cut = cut;
    this.#over = over;
  }

  begin(): void {
    this.#client.on('error', () => undefined);
    this.#client.once('close', () => {
      if (this.#upstream === undefined) this.drop();
    });
    this.proceed();
  }

  /** The cuts have changed. */
  proceed(): void {
    for (const lane of this.#lanes) lane.flush();
    if (this.#upstream !== undefined || this.#handshake !== undefined || this.#cut.size > 0) return;
    // This machine has accepted at once; over a distance that takes a round trip.
    this.#handshake = setTimeout(() => {
      this.#handshake = undefined;
      if (this.#cut.size === 0) this.#connect();
    }, 2 * this.#options.delayMs);
  }

  #connect(): void {
    const upstream = connect({ ...this.#there, noDelay: true, allowHalfOpen: true });
    this.#upstream = upstream;
    const { delayMs, swallower } = this.#options;
    const conversation = swallower === undefined ? undefined : new KafkaConversation(swallower);
    const lane = (source: Socket, sink: Socket, direction: Direction) =>
      new Lane(source, sink, delayMs, {
        isCut: () => this.#cut.has(direction),
        deliverable: (bytes) => {
          if (direction === 'back') return conversation?.deliverable(bytes) ?? bytes.length;
          conversation?.follow(bytes);
          return bytes.length;
        },
      });
    this.#lanes = [lane(this.#client, upstream, 'onward'), lane(upstream, this.#client, 'back')];
    let open = 2;
    for (const socket of [this.#client, upstream]) {
      socket.once('close', () => {
        open -= 1;
        if (open === 0) this.drop();
      });
    }
  }

  drop(): void {
    clearTimeout(this.#handshake);
    this.#client.destroy();
    this.#upstream?.destroy();
    for (const lane of this.#lanes) lane.stop();
    this.#over();
  }
}

type Parcel =
  | { readonly kind: 'bytes'; readonly dueMs: number; readonly bytes: Buffer }
  /** The sender has finished. */
  | { readonly kind: 'end'; readonly dueMs: number }
  /** The sender is gone. */
  | { readonly kind: 'reset'; readonly dueMs: number };

interface Passage {
  isCut(): boolean;
  /** How many of the bytes that came are delivered; fewer than all: the connection ends behind those. */
  deliverable(bytes: Buffer): number;
}

/** One direction of one connection. */
class Lane {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #delayMs: number;
  readonly #passage: Passage;
  readonly #parcels: Parcel[] = [];
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #sinkIsFull = false;

  constructor(source: Socket, sink: Socket, delayMs: number, passage: Passage) {
    this.#source = source;
    this.#sink = sink;
    this.#delayMs = delayMs;
    this.#passage = passage;
    source.on('data', (bytes: Buffer) => {
      const length = passage.deliverable(bytes);
      this.#waitingBytes += length;
      if (this.#waitingBytes > WAITING_BYTES_MAX) source.pause();
      this.#post({ kind: 'bytes', dueMs: this.#due(), bytes: bytes.subarray(0, length) });
      if (length < bytes.length) source.destroy();
    });
    source.once('end', () => this.#post({ kind: 'end', dueMs: this.#due() }));
    source.once('error', () => undefined);
    source.once('close', () => this.#post({ kind: 'reset', dueMs: this.#due() }));
    sink.on('drain', () => {
      this.#sinkIsFull = false;
      this.flush();
    });
    source.resume();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (!this.#passage.isCut() && !this.#sinkIsFull) {
      const next = this.#parcels[0];
      if (next === undefined) return;
      const waitMs = next.dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.flush(), Math.ceil(waitMs));
        return;
      }
      this.#parcels.shift();
      this.#deliver(next);
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#parcels.length = 0;
  }

  #deliver(parcel: Parcel): void {
    switch (parcel.kind) {
      case 'bytes':
        this.#waitingBytes -= parcel.bytes.length;
        if (this.#waitingBytes <= WAITING_BYTES_MAX) this.#source.resume();
        if (!this.#sink.destroyed) this.#sinkIsFull = !this.#sink.write(parcel.bytes);
        return;
      case 'end':
        this.#sink.end();
        return;
      case 'reset':
        this.#sink.destroySoon();
        return;
    }
  }

  #due(): number {
    return performance.now() + this.#delayMs;
  }

  #post(parcel: Parcel): void {
    this.#parcels.push(parcel);
    if (this.#timer === undefined) this.flush();
  }
}
