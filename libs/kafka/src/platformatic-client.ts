/**
 * @platformatic/kafka: its connection and its decoder of record batches, both by what it exports.
 * Its producer, consumer, pools and retries are not used, so that every promise of the log port is kept by the same
 * code as with kafkajs (decision 0078).
 *
 * What it needs from us:
 * - it reads damaged batches without a bound (a few bytes can name millions of headers), so that only those whose CRC is
 *   right are handed to it.
 * - its timer of a request is the same for all calls of a connection; it is set out of the way, the link bounds each call.
 * - it makes its sockets itself, straight to the address: it cannot be led through proxies.
 * - it does not hold requests back when a broker asks for that; brokers then wait before they read on.
 */
import assert from 'node:assert/strict';
import {
  Connection as PlatformaticConnection,
  crc32c,
  NetworkError,
  Reader,
  readRecordsBatch,
  TimeoutError,
  Writer,
} from '@platformatic/kafka';
import { unreadable } from './byte-reader.js';
import {
  LOG_APPEND_TIME,
  logRecord,
  OnlyHeader,
  RECORD_HEADER_BYTES,
  TRACE_HEADER_BYTES,
} from './fetch-answer.js';
import type { BatchReader, BrokerCall, Connection, ConnectionOptions, KafkaClient } from './kafka-client.js';
import { KEEP_ALIVE_DELAY_MS } from './kafka-client.js';
import { LinkError } from './log-failure.js';
import { unpackedBatch } from './unpacked-batch.js';

export const platformaticClient: KafkaClient = { newConnection, readBatch };

/** The longest that a timer of Node can be set to; those of ended requests are cleared. */
const REQUEST_MS_MAX = 2 ** 31 - 1;

function newConnection(options: ConnectionOptions): Connection {
  const { address, clientId, connectMsMax, onClientLog, socketFactory } = options;
  assert(socketFactory === null, 'this client makes its sockets itself: use kafkajs behind proxies');
  const connection = new PlatformaticConnection(clientId, {
    connectTimeout: connectMsMax,
    requestTimeout: REQUEST_MS_MAX,
  });
  // Whoever waits hears of it by a rejection; without a listener it would end the process.
  connection.on('error', ({ message }) => onClientLog?.('error', message));
  let socket: Connection['socket'] = null;
  return {
    get socket() {
      return socket;
    },
    connect: () =>
      new Promise<void>((resolve, reject) => {
        void connection.connect(address.host, address.port, (error) =>
          error === null ? resolve() : reject(linkError(error)),
        );
        socket = connection.socket;
        socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
      }),
    isConnected: () => connection.isConnected(),
    send: <Answer>({ decode, request }: BrokerCall<Answer>) =>
      new Promise<Answer>((resolve, reject) => {
        connection.send<Answer>(
          request.apiKey,
          request.apiVersion,
          async () => writerOf(await request.encode()),
          (_correlationId, _apiKey, _apiVersion, reader) => decode(reader.buffer.buffer),
          // Our calls of flexible versions bring the tags of their headers along, and read those of the answers.
          false,
          false,
          (error, answer) => (error === null ? resolve(answer as Answer) : reject(linkError(error))),
        );
      }),
  };
}

/** An empty piece would upset the buffer of this client. */
function writerOf(encoded: { readonly buffer: Buffer }): Writer {
  return encoded.buffer.length === 0 ? Writer.create() : Writer.create().append(encoded.buffer);
}

function linkError(error: Error): Error {
  if (error instanceof TimeoutError) return new LinkError('link-timed-out', error.message);
  return error instanceof NetworkError ? new LinkError('link-unreachable', error.message) : error;
}

const CRC_POSITION = 17;
const CHECKED_POSITION = 21;

function readBatch(...[packed, from, records]: Parameters<BatchReader>): number | null {
  const batch = unpackedBatch(checked(packed));
  if (batch === null) return null;
  const {
    attributes,
    firstOffset,
    firstTimestamp,
    maxTimestamp,
    records: found,
  } = readRecordsBatch(Reader.from(batch));
  const isStamped = (attributes & LOG_APPEND_TIME) !== 0;
  for (const { headers, key, offsetDelta, timestampDelta, value } of found) {
    const offset = firstOffset + BigInt(offsetDelta);
    if (offset < from) continue;
    const lockstep = new OnlyHeader();
    const trace = new OnlyHeader();
    for (const [name, content] of headers) {
      if (name?.equals(RECORD_HEADER_BYTES) === true) lockstep.found(content);
      else if (name?.equals(TRACE_HEADER_BYTES) === true) trace.found(content);
    }
    records.push(
      logRecord({
        offset,
        appendTimeMs: Number(isStamped ? maxTimestamp : firstTimestamp + timestampDelta),
        key,
        value,
        header: lockstep.content,
        trace: trace.content,
      }),
    );
  }
  return batch.length;
}

function checked(batch: Buffer): Buffer {
  const isWhole =
    crc32c(Reader.from(batch.subarray(CHECKED_POSITION)).buffer) === batch.readUInt32BE(CRC_POSITION);
  if (!isWhole) throw unreadable(`batch at offset ${batch.readBigInt64BE(0)} with a wrong checksum`);
  return batch;
}
