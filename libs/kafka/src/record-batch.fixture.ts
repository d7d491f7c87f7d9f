/**
 * Writes record batches byte by byte, as any producer or broker could: with control flags, without records, with any
 * headers, compressed. Written without the client's encoder, so that tests compare two independent readings of Kafka's format.
 */
import { zstdCompressSync } from 'node:zlib';

export interface BatchFixture {
  readonly baseOffset: bigint;
  /** Offset of the last record seen from the first; defaults to the number of records less one. */
  readonly lastOffsetDelta?: number;
  readonly attributes?: number;
  readonly baseTimeMs?: number;
  readonly maxTimeMs?: number;
  readonly records: readonly RecordFixture[];
}

export interface RecordFixture {
  readonly offsetDelta?: number;
  readonly timeDeltaMs?: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [name: string, content: Uint8Array | null])[];
}

export const LOG_APPEND_TIME = 0x08;
export const TRANSACTIONAL = 0x10;
export const CONTROL = 0x20;
export const GZIP = 0x01;
export const ZSTD = 0x04;

export function batchBytes(batch: BatchFixture): Buffer {
  const plain = Buffer.concat(batch.records.map(recordBytes));
  const records = ((batch.attributes ?? 0) & ZSTD) === 0 ? plain : zstdCompressSync(plain);
  const body = Buffer.alloc(40);
  body.writeInt16BE(batch.attributes ?? 0, 0);
  body.writeInt32BE(batch.lastOffsetDelta ?? Math.max(0, batch.records.length - 1), 2);
  body.writeBigInt64BE(BigInt(batch.baseTimeMs ?? 1_000), 6);
  body.writeBigInt64BE(BigInt(batch.maxTimeMs ?? 2_000), 14);
  body.writeBigInt64BE(-1n, 22); // producer id
  body.writeInt16BE(-1, 30); // producer epoch
  body.writeInt32BE(-1, 32); // first sequence number
  body.writeInt32BE(batch.records.length, 36);
  const checked = Buffer.concat([body, records]);
  const head = Buffer.alloc(21);
  head.writeBigInt64BE(batch.baseOffset, 0);
  head.writeInt32BE(9 + checked.length, 8);
  head.writeInt32BE(0, 12); // leader epoch
  head.writeInt8(2, 16); // format
  head.writeUInt32BE(crc32c(checked), 17);
  return Buffer.concat([head, checked]);
}

function recordBytes(record: RecordFixture, index: number): Buffer {
  const body = Buffer.concat([
    Buffer.of(0), // attributes
    varint(BigInt(record.timeDeltaMs ?? 0)),
    varint(BigInt(record.offsetDelta ?? index)),
    sized(record.key),
    sized(record.value),
    varint(BigInt(record.headers.length)),
    ...record.headers.flatMap(([name, content]) => [sized(Buffer.from(name)), sized(content)]),
  ]);
  return Buffer.concat([varint(BigInt(body.length)), body]);
}

const sized = (part: Uint8Array | null): Buffer =>
  part === null ? varint(-1n) : Buffer.concat([varint(BigInt(part.length)), part]);

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  for (; left > 0x7fn; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(left)]);
}

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}
