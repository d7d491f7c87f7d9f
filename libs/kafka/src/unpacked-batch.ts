/**
 * Unpacks record batches that a broker, or whoever appended, compressed by zstd: the one codec that topics are created
 * with, and that readers here have. Everything before the records stays as it was, but for what says that they are packed.
 *
 * A batch of more than an append may have is no publisher's: brokers refuse longer ones before they compress. Its few packed
 * bytes could name more than a process can hold, so it is never unpacked (decision 0094).
 */
import { zstdDecompressSync } from 'node:zlib';
import { unreadable } from './byte-reader.js';
import { LinkError } from './log-failure.js';

/** Bytes of a batch that is appended, as Kafka counts them; a longer one is refused as `log-record-too-large`. */
export const BATCH_BYTES_MAX = 4 * 1024 * 1024;
/** Of a batch, before its records. */
export const BATCH_HEADER_BYTES = 61;
/** The length of a batch counts what is behind it. */
export const LENGTH_END = 12;
const LENGTH_AT = 8;
const ATTRIBUTES_AT = 21;
const CODEC_MASK = 0x07;
const NO_CODEC = 0;
const ZSTD = 4;

/** The decoder fills pieces of this size: small ones for single entries, few of them for long batches. */
const PIECE_BYTES_MAX = 1024 * 1024;
const PACKED_TIMES = 16;

/**
 * @param batch whole, of format 2. Returned as it is when nothing is packed.
 * @returns null for one that is longer than any publisher's.
 */
export function unpackedBatch(batch: Buffer): Buffer | null {
  const attributes = batch.readInt16BE(ATTRIBUTES_AT);
  const codec = attributes & CODEC_MASK;
  if (codec === NO_CODEC) return batch;
  if (codec !== ZSTD)
    throw new LinkError(
      'batch-compressed',
      `the batch at offset ${batch.readBigInt64BE(0)} is compressed by codec ${codec}, and only zstd is read`,
    );
  const records = unpackedRecords(batch.subarray(BATCH_HEADER_BYTES));
  if (records === null) return null;
  const plain = Buffer.concat([batch.subarray(0, BATCH_HEADER_BYTES), records]);
  plain.writeInt32BE(plain.length - LENGTH_END, LENGTH_AT);
  plain.writeInt16BE(attributes & ~CODEC_MASK, ATTRIBUTES_AT);
  return plain;
}

function unpackedRecords(packed: Buffer): Buffer | null {
  try {
    return zstdDecompressSync(packed, {
      maxOutputLength: BATCH_BYTES_MAX - BATCH_HEADER_BYTES,
      chunkSize: Math.min(PACKED_TIMES * (packed.length + PACKED_TIMES), PIECE_BYTES_MAX),
    });
  } catch (error) {
    const { code, message } = error as Error & { code?: unknown };
    if (code === 'ERR_BUFFER_TOO_LARGE') return null;
    throw unreadable(`records that are not packed as their batch says (${message})`);
  }
}
