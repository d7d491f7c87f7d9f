/**
 * Reads the answer to a fetch (version 13): partitions, record batches (format 2), records.
 *
 * Why not kafkajs' own reading: it forgets batches without records, so a reader could not step over them (B17); it
 * drops a control record by looking at its key; and it merges headers of one name in an object, where names like
 * `__proto__` are not what they seem. Here a batch says how far it reaches whether it holds records or not, control
 * batches are known by their flag, and headers are looked at one by one.
 *
 * `key` and `header` of a record are views into the answer. `readBatch` does not check the CRC of a batch: the broker checked
 * it when the batch was appended, and every region compares its input hash with the others'.
 */
import type { LogRecord } from '@lockstep/protocol';
import { RECORD_HEADER, TRACE_HEADER, offset, recordDigest } from '@lockstep/protocol';
import { ByteReader, unreadable } from './byte-reader.js';
import type { BatchReader } from './kafka-client.js';
import { BATCH_HEADER_BYTES, LENGTH_END, unpackedBatch } from './unpacked-batch.js';

export interface FetchAnswer {
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  readonly partitions: readonly PartitionAnswer[];
}

export interface PartitionAnswer {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: bigint;
  readonly logStartOffset: bigint;
  /** Where this leader's log stops being the one that was read, as far as the epoch that we named tells; null when it does not. */
  readonly divergesAt: bigint | null;
  /** Whole batches and perhaps the beginning of one more. */
  readonly batches: Buffer;
}

export interface BatchContents {
  readonly records: readonly LogRecord[];
  /** Behind the last whole batch; the offset asked for when there is none. */
  readonly nextOffset: bigint;
  /** In which epoch of its leaders the record before `nextOffset` was appended; null when no batch here says. */
  readonly leaderEpoch: number | null;
  /** Of the batches that were read: as they came, and as they were before a broker compressed them. */
  readonly packedBytes: number;
  readonly bytes: number;
  /** Offsets of batches that were stepped over, because no publisher can have appended them. */
  readonly foreign: readonly bigint[];
}

/** Of one topic, the only one that we ask for in a request. */
export function readFetchAnswer(payload: Buffer): FetchAnswer {
  const reader = new ByteReader(payload, 0, payload.length);
  reader.skipTags(); // of the header
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  reader.skip(4); // session id
  const partitions = reader.compactArray(() => {
    reader.skip(16); // topic id
    const found = reader.compactArray(() => readPartition(reader));
    reader.skipTags();
    return found;
  });
  return { clientSideThrottleTime, errorCode, partitions: partitions.flat() };
}

function readPartition(reader: ByteReader): PartitionAnswer {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = reader.int64();
  reader.skip(8); // last stable offset
  const logStartOffset = reader.int64();
  reader.compactArray(() => {
    reader.skip(16); // an aborted transaction: reading is uncommitted
    reader.skipTags();
  });
  reader.skip(4); // preferred replica: we name no rack
  const batches = reader.compactBytes() ?? NOTHING;
  const diverging = reader.tag(DIVERGING_EPOCH);
  diverging?.skip(4); // the last epoch that both know
  const divergesAt = diverging?.int64() ?? null;
  return { partition, errorCode, highWatermark, logStartOffset, divergesAt, batches };
}

const NOTHING = Buffer.alloc(0);
const DIVERGING_EPOCH = 0;
export const LOG_APPEND_TIME = 0x08;
const CONTROL = 0x20;

/**
 * Records at or behind `from`; a batch may begin before it.
 * @param bytesMax unpacked: the batch that reaches it is the last one that is read, and the first one is read in any case.
 */
export function readBatches(
  batches: Buffer,
  from: bigint,
  read: BatchReader,
  bytesMax = Infinity,
): BatchContents {
  const records: LogRecord[] = [];
  let packedBytes = 0;
  let unpackedBytes = 0;
  const foreign: bigint[] = [];
  let nextOffset = from;
  let leaderEpoch: number | null = null;
  let start = 0;
  while (batches.length - start >= BATCH_HEADER_BYTES) {
    const bytes = LENGTH_END + batches.readInt32BE(start + 8);
    const magic = batches.readInt8(start + 16);
    if (bytes < BATCH_HEADER_BYTES || magic !== 2)
      throw unreadable(`batch of format ${magic} with ${bytes} bytes`);
    if (batches.length - start < bytes) break;
    if (unpackedBytes > 0 && unpackedBytes >= bytesMax) break;
    const baseOffset = batches.readBigInt64BE(start);
    if (hasRecords(batches, start)) {
      const whole = read(batches.subarray(start, start + bytes), from, records);
      if (whole === null) foreign.push(baseOffset);
      packedBytes += bytes;
      unpackedBytes += whole ?? bytes;
    }
    const reached = baseOffset + BigInt(batches.readInt32BE(start + 23)) + 1n;
    if (reached >= nextOffset) {
      nextOffset = reached;
      leaderEpoch = batches.readInt32BE(start + 12);
    }
    start += bytes;
  }
  return { records, nextOffset, leaderEpoch, packedBytes, bytes: unpackedBytes, foreign };
}

/** Records of others' transactions are ours too; marks of their ends are none. */
function hasRecords(batches: Buffer, start: number): boolean {
  const attributes = batches.readInt16BE(start + 21);
  return (attributes & CONTROL) === 0 && batches.readInt32BE(start + 57) > 0;
}

export const readBatch: BatchReader = (packed, from, records) => {
  const batch = unpackedBatch(packed);
  if (batch === null) return null;
  const baseOffset = batch.readBigInt64BE(0);
  const baseTimeMs = Number(batch.readBigInt64BE(27));
  const isStamped = (batch.readInt16BE(21) & LOG_APPEND_TIME) !== 0;
  const appendTimeMs = isStamped ? Number(batch.readBigInt64BE(35)) : null;
  const count = batch.readInt32BE(57);
  const reader = new ByteReader(batch, BATCH_HEADER_BYTES, batch.length);
  for (let index = 0; index < count; index += 1) {
    const length = reader.varint();
    const recordEnd = reader.position + length;
    if (length < 0 || recordEnd > batch.length)
      throw unreadable(`record of ${length} bytes at offset ${baseOffset}`);
    reader.skip(1); // attributes
    const timeDelta = reader.varlong();
    const recordOffset = baseOffset + BigInt(reader.varint());
    if (recordOffset >= from)
      records.push(readRecord(reader, recordOffset, appendTimeMs ?? baseTimeMs + timeDelta));
    reader.position = recordEnd;
  }
  return batch.length;
};

function readRecord(reader: ByteReader, recordOffset: bigint, appendTimeMs: number): LogRecord {
  const key = reader.bytes();
  const value = reader.bytes();
  const lockstep = new OnlyHeader();
  const trace = new OnlyHeader();
  for (let count = reader.varint(); count > 0; count -= 1) {
    const name = reader.view(reader.varint());
    const content = reader.bytes();
    if (name.equals(RECORD_HEADER_BYTES)) lockstep.found(content);
    else if (name.equals(TRACE_HEADER_BYTES)) trace.found(content);
  }
  return logRecord({
    offset: recordOffset,
    appendTimeMs,
    key,
    value,
    header: lockstep.content,
    trace: trace.content,
  });
}

/** @param record.trace what stands under its header, if it counts. */
export function logRecord(record: {
  readonly offset: bigint;
  readonly appendTimeMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly header: Buffer | null;
  readonly trace: Buffer | null;
}): LogRecord {
  const { appendTimeMs, header, key, trace, value } = record;
  return {
    offset: offset(record.offset),
    appendTimeMs,
    key,
    valueText: value === null ? null : textOf(value),
    valueBytes: value === null ? 0 : value.length,
    header,
    traceparent: trace?.toString('utf8') ?? null,
    digest: recordDigest({ key, value, header, appendTimeMs }),
  };
}

export const RECORD_HEADER_BYTES = Buffer.from(RECORD_HEADER);
export const TRACE_HEADER_BYTES = Buffer.from(TRACE_HEADER);

/** A header counts when it stands exactly once and has bytes; anything else is as if it were absent. */
export class OnlyHeader {
  #times = 0;
  #content: Buffer | null = null;

  found(content: Buffer | null): void {
    this.#times += 1;
    this.#content = content;
  }

  get content(): Buffer | null {
    return this.#times === 1 ? this.#content : null;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Null when the bytes are not well-formed UTF-8 or contain NUL. */
export function textOf(bytes: Buffer): string | null {
  const text = bytes.toString('utf8');
  if (text.includes('\0')) return null;
  // Lenient decoding leaves this sign where it repaired something; only then the strict decoder need look again.
  if (!text.includes('\ufffd')) return text;
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}
