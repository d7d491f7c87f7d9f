/**
 * What a Kafka client is used for: connections, and reading record batches. Everything else of this library, which calls
 * are made, when, in which order and what their answers mean, is the same whichever client carries them.
 */
import type { Socket } from 'node:net';
import type { LogRecord } from '@lockstep/protocol';

/** Of every connection: an idle one that has died is noticed. */
export const KEEP_ALIVE_DELAY_MS = 10_000;

export interface KafkaClient {
  /** Nothing is opened by this. */
  newConnection(options: ConnectionOptions): Connection;
  readonly readBatch: BatchReader;
}

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

/** Makes a socket that connects to a broker, or to a proxy that stands for it. */
export type SocketFactory = (address: BrokerAddress) => Socket;

export interface ConnectionOptions {
  readonly address: BrokerAddress;
  readonly clientId: string;
  readonly socketFactory: SocketFactory | null;
  /** Told what the client would log as a warning or an error. Failures arrive as PortErrors as well. */
  readonly onClientLog: ((level: 'warn' | 'error', message: string) => void) | null;
  /** The owner has given up by then; a client's own timers are only a second fence. */
  readonly connectMsMax: number;
}

/** Its owner ends it by destroying the socket, with a reason; whatever waits then rejects. */
export interface Connection {
  /** Null until connecting has begun. */
  readonly socket: Socket | null;
  connect(): Promise<unknown>;
  isConnected(): boolean;
  send<Answer>(call: BrokerCall<Answer>): Promise<Answer>;
}

/** What one request asks and how its answer is read. */
export interface BrokerCall<Answer> {
  readonly name: string;
  readonly request: WireRequest;
  /** Reads the payload after the correlation id. */
  readonly decode: (payload: Buffer) => Promise<Answer>;
}

export interface WireRequest {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly apiName: string;
  /** The bytes behind the header of the request, in whatever the client collects them. */
  readonly encode: () => Promise<{ readonly buffer: Buffer }>;
}

/**
 * Adds the records at or behind `from` of one whole batch of format 2, compressed (`unpackedBatch`) or not, which is no
 * control batch. Bytes that are no such batch throw `batch-unreadable` or `batch-compressed`, in a time and with memory bounded
 * by their number and by what may be unpacked.
 * @returns how many bytes the batch has, unpacked; null when it was left out because that are too many.
 */
export type BatchReader = (batch: Buffer, from: bigint, records: LogRecord[]) => number | null;
