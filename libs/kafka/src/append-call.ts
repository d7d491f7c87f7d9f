/**
 * The call of an append (Produce, version 7): one batch of format 2 for one partition, `acks=-1`, no compression, no producer
 * id (idempotence is off). Its size is counted first, then it is written into one buffer.
 *
 * Why not kafkajs' own writing: it builds every record in buffers of its own, and took four times as long; publishing was
 * bound by it (decision 0084).
 */
import type { OutgoingRecord } from '@lockstep/protocol';
import { ByteReader } from './byte-reader.js';
import { ByteWriter, varintBytes } from './byte-writer.js';
import { crc32c } from './crc32c.js';
import { RECORD_HEADER_BYTES, TRACE_HEADER_BYTES } from './fetch-answer.js';
import type { BrokerCall } from './kafka-client.js';
import { plainCall } from './kafkajs-internals.js';
import { BATCH_HEADER_BYTES, LENGTH_END } from './unpacked-batch.js';

export interface AppendTarget {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly OutgoingRecord[];
  readonly timeoutMs: number;
}

export interface AppendAnswer {
  readonly clientSideThrottleTime: number;
  readonly partitions: readonly {
    readonly partition: number;
    readonly errorCode: number;
    /** Negative: none was given. */
    readonly baseOffset: bigint;
    readonly logAppendTime: number;
    readonly logStartOffset: bigint;
  }[];
}

const ACKS_OF_ALL_IN_SYNC = -1;
/** The checksum counts what is behind it. */
const CHECKSUM_END = 21;
const FORMAT = 2;

export const appendCall = (target: AppendTarget): BrokerCall<AppendAnswer> =>
  plainCall('Produce', () => appendRequest(target), readAppendAnswer);

/** The bytes behind the header of the request. */
export function appendRequest({ partition, records, timeoutMs, topic }: AppendTarget): Buffer {
  const sizes = records.map(sizeOf);
  const batchBytes = sizes.reduce((sum, { wholeBytes }) => sum + wholeBytes, BATCH_HEADER_BYTES);
  const topicBytes = Buffer.byteLength(topic);
  const writer = new ByteWriter(Buffer.allocUnsafe(2 + 2 + 4 + 4 + 2 + topicBytes + 4 + 4 + 4 + batchBytes));
  writer.int16(-1); // no transactional id
  writer.int16(ACKS_OF_ALL_IN_SYNC);
  writer.int32(timeoutMs);
  writer.int32(1); // one topic
  writer.int16(topicBytes);
  writer.text(topic);
  writer.int32(1); // one partition
  writer.int32(partition);
  writer.int32(batchBytes);
  const start = writer.position;
  writeBatchHeader(writer, records.length, batchBytes);
  records.forEach((record, index) => writeRecord(writer, record, index, sizes[index]!));
  const { buffer } = writer;
  buffer.writeUInt32BE(crc32c(buffer, start + CHECKSUM_END, buffer.length), start + CHECKSUM_END - 4);
  return buffer;
}

function writeBatchHeader(writer: ByteWriter, count: number, batchBytes: number): void {
  // The topic stamps what it takes; one time for all keeps the differences of the records to a byte.
  const time = BigInt(Date.now());
  writer.int64(0n); // base offset: the broker's
  writer.int32(batchBytes - LENGTH_END);
  writer.int32(-1); // leader epoch: the broker's
  writer.int8(FORMAT);
  writer.int32(0); // checksum, written last
  writer.int16(0); // attributes
  writer.int32(count - 1); // last offset, seen from the first
  writer.int64(time);
  writer.int64(time);
  writer.int64(-1n); // no producer id
  writer.int16(-1);
  writer.int32(-1);
  writer.int32(count);
}

interface RecordSize {
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly traceBytes: number;
  /** Behind the length of the record. */
  readonly bodyBytes: number;
  readonly wholeBytes: number;
}

function sizeOf({ header, key, traceparent, value }: OutgoingRecord, index: number): RecordSize {
  const keyBytes = Buffer.byteLength(key);
  const valueBytes = Buffer.byteLength(value);
  const traceBytes = traceparent === null ? 0 : Buffer.byteLength(traceparent);
  const headers =
    varintBytes(headersOf(traceparent)) +
    sizedBytes(RECORD_HEADER_BYTES.length) +
    sizedBytes(header.length) +
    (traceparent === null ? 0 : sizedBytes(TRACE_HEADER_BYTES.length) + sizedBytes(traceBytes));
  const bodyBytes = 1 + 1 + varintBytes(index) + sizedBytes(keyBytes) + sizedBytes(valueBytes) + headers;
  return { keyBytes, valueBytes, traceBytes, bodyBytes, wholeBytes: sizedBytes(bodyBytes) };
}

function writeRecord(
  writer: ByteWriter,
  { header, key, traceparent, value }: OutgoingRecord,
  index: number,
  { bodyBytes, keyBytes, traceBytes, valueBytes }: RecordSize,
): void {
  writer.varint(bodyBytes);
  writer.int8(0); // attributes
  writer.varint(0); // time, seen from the batch's
  writer.varint(index);
  writer.varint(keyBytes);
  writer.text(key);
  writer.varint(valueBytes);
  writer.text(value);
  writer.varint(headersOf(traceparent));
  writeSized(writer, RECORD_HEADER_BYTES);
  writeSized(writer, header);
  if (traceparent === null) return;
  writeSized(writer, TRACE_HEADER_BYTES);
  writer.varint(traceBytes);
  writer.text(traceparent);
}

const headersOf = (traceparent: string | null): number => (traceparent === null ? 1 : 2);

const sizedBytes = (bytes: number): number => varintBytes(bytes) + bytes;

function writeSized(writer: ByteWriter, bytes: Uint8Array): void {
  writer.varint(bytes.length);
  writer.bytes(bytes);
}

export function readAppendAnswer(payload: Buffer): AppendAnswer {
  const reader = new ByteReader(payload, 0, payload.length);
  const partitions = reader.array(() => {
    reader.skip(reader.int16()); // the topic: there is one
    return reader.array(() => ({
      partition: reader.int32(),
      errorCode: reader.int16(),
      baseOffset: reader.int64(),
      logAppendTime: Number(reader.int64()),
      logStartOffset: reader.int64(),
    }));
  });
  return { clientSideThrottleTime: reader.int32(), partitions: partitions.flat() };
}
