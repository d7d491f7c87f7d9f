import { describe, expect, test } from '@jest/globals';
import { recordDigest } from '@lockstep/protocol';
import type { BatchContents } from './fetch-answer.js';
import { readBatches as readBatchesBy, readFetchAnswer } from './fetch-answer.js';
import { kafkajsClient } from './kafkajs-client.js';
import { platformaticClient } from './platformatic-client.js';
import type { RecordFixture } from './record-batch.fixture.js';
import {
  CONTROL,
  GZIP,
  LOG_APPEND_TIME,
  TRANSACTIONAL,
  ZSTD,
  batchBytes,
  crc32c,
} from './record-batch.fixture.js';
import { BATCH_BYTES_MAX, BATCH_HEADER_BYTES } from './unpacked-batch.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const record = (value: string, more: Partial<RecordFixture> = {}): RecordFixture => ({
  key: bytes('k'),
  value: bytes(value),
  headers: [],
  ...more,
});
/** Of a record with the key `k` and a value of two mebibytes or nearly so, beside its value. */
const AROUND_BYTES = 4 + 3 + 2 + 4 + 1;
const batch = (baseOffset: bigint, ...values: readonly string[]): Buffer =>
  batchBytes({ baseOffset, attributes: LOG_APPEND_TIME, records: values.map((value) => record(value)) });

describe.each([
  ['kafkajs', kafkajsClient],
  ['@platformatic/kafka', platformaticClient],
])('record batches, with %s', (_name, client) => {
  const readBatches = (batches: Buffer, from: bigint): BatchContents =>
    readBatchesBy(batches, from, client.readBatch);
  const textsOf = (batches: Buffer, from = 0n): readonly (string | null)[] =>
    readBatches(batches, from).records.map(({ valueText }) => valueText);

  test('a record is handed over with its offset, append time, parts and digest', () => {
    const headers = [
      ['x', bytes('y')],
      ['lockstep', Uint8Array.of(1, 0, 255)],
      ['traceparent', bytes('00-a-b-01')],
    ] as const;
    const { records, nextOffset } = readBatches(
      batchBytes({
        baseOffset: 40n,
        attributes: LOG_APPEND_TIME,
        maxTimeMs: 1_790_000_000_123,
        records: [record('a'), record('ü', { headers })],
      }),
      0n,
    );
    const header = Buffer.of(1, 0, 255);
    const appendTimeMs = 1_790_000_000_123;
    expect(nextOffset).toBe(42n);
    expect(records[1]).toEqual({
      offset: 41n,
      appendTimeMs,
      key: Buffer.from('k'),
      valueText: 'ü',
      valueBytes: 2,
      header,
      traceparent: '00-a-b-01',
      digest: recordDigest({ key: bytes('k'), value: bytes('ü'), header, appendTimeMs }),
    });
  });

  test('a batch that the broker did not stamp gives each record its own time', () => {
    const records = [
      record('a', { timeDeltaMs: 5 }),
      record('b', { timeDeltaMs: -3 }),
      record('c', { timeDeltaMs: 90_000_000_000 }),
    ];
    const found = readBatches(batchBytes({ baseOffset: 0n, baseTimeMs: 1_000, records }), 0n).records;
    expect(found.map(({ appendTimeMs }) => appendTimeMs)).toEqual([1_005, 997, 90_000_001_000]);
  });

  test('records before the offset asked for are left out though their batch is delivered', () => {
    expect(textsOf(batch(10n, 'a', 'b', 'c'), 11n)).toEqual(['b', 'c']);
  });

  test('control batches, and batches that compaction emptied, are stepped over', () => {
    const marker = record('', { key: Uint8Array.of(0, 0, 0, 1), value: Uint8Array.of(0, 0, 0, 0, 0, 0) });
    const batches = Buffer.concat([
      batch(0n, 'a'),
      batchBytes({
        baseOffset: 1n,
        attributes: CONTROL | TRANSACTIONAL | LOG_APPEND_TIME,
        records: [marker],
      }),
      batchBytes({ baseOffset: 2n, lastOffsetDelta: 6, attributes: LOG_APPEND_TIME, records: [] }),
      batch(9n, 'b'),
      batchBytes({
        baseOffset: 10n,
        attributes: CONTROL | TRANSACTIONAL | LOG_APPEND_TIME,
        records: [marker],
      }),
    ]);
    expect(textsOf(batches)).toEqual(['a', 'b']);
    expect(readBatches(batches, 0n).nextOffset).toBe(11n);
    expect(readBatches(batches.subarray(batch(0n, 'a').length, -1), 1n)).toMatchObject({ nextOffset: 10n });
  });

  test('the last offset of a batch counts though its last records are compacted away', () => {
    const batches = batchBytes({
      baseOffset: 5n,
      lastOffsetDelta: 9,
      records: [record('a', { offsetDelta: 0 }), record('b', { offsetDelta: 4 })],
    });
    const { records, nextOffset } = readBatches(batches, 5n);
    expect([records.map((found) => found.offset), nextOffset]).toEqual([[5n, 9n], 15n]);
  });

  test('records of a transaction are delivered whatever became of it, with a key that looks like an abort marker too', () => {
    const aborted = record('a', { key: Uint8Array.of(0, 0, 0, 0) });
    expect(
      textsOf(batchBytes({ baseOffset: 0n, attributes: TRANSACTIONAL, records: [aborted, record('b')] })),
    ).toEqual(['a', 'b']);
  });

  test('a batch that is cut off at the end of the answer is left for the next fetch', () => {
    const whole = batch(0n, 'a', 'b');
    const cut = batch(2n, 'c', 'd');
    for (let length = 0; length < cut.length; length += 1) {
      const { records, nextOffset } = readBatches(Buffer.concat([whole, cut.subarray(0, length)]), 0n);
      expect([records.length, nextOffset]).toEqual([2, 2n]);
    }
    expect(readBatches(cut.subarray(0, 30), 2n)).toMatchObject({
      records: [],
      nextOffset: 2n,
      leaderEpoch: null,
    });
  });

  test('the last batch tells the epoch of the record before the next offset, be it of a record that was left out', () => {
    const batches = Buffer.concat([batch(4n, 'a'), batch(5n, 'b')]);
    batches.writeInt32BE(2, 12);
    batches.writeInt32BE(7, batch(4n, 'a').length + 12);
    expect(readBatches(batches, 4n)).toMatchObject({ nextOffset: 6n, leaderEpoch: 7 });
    expect(readBatches(batches, 6n)).toMatchObject({ records: [], nextOffset: 6n, leaderEpoch: 7 });
    expect(readBatches(batches.subarray(0, -1), 5n)).toMatchObject({
      records: [],
      nextOffset: 5n,
      leaderEpoch: 2,
    });
    expect(readBatches(batches, 7n)).toMatchObject({ records: [], nextOffset: 7n, leaderEpoch: null });
  });

  test('a batch compressed by zstd says what it said before', () => {
    const records = Array.from({ length: 400 }, (_, index) =>
      record(`station ${index % 7}: 21.5`, { headers: [['lockstep', Uint8Array.of(1, index & 0xff)]] }),
    );
    const plain = batchBytes({ baseOffset: 40n, attributes: LOG_APPEND_TIME, records });
    const packed = batchBytes({ baseOffset: 40n, attributes: LOG_APPEND_TIME | ZSTD, records });
    expect(packed.length).toBeLessThan(plain.length / 5);
    const expected = readBatches(plain, 41n);
    expect(expected.records).toHaveLength(399);
    expect(readBatches(packed, 41n)).toEqual({
      ...expected,
      packedBytes: packed.length,
      bytes: plain.length,
    });
    expect(readBatches(Buffer.concat([packed, batch(440n, 'z')]), 440n).records).toHaveLength(1);
  });

  test('batches are unpacked until as many bytes as are wanted are read, and one at least', () => {
    const long = (baseOffset: bigint): Buffer =>
      batchBytes({ baseOffset, attributes: ZSTD, records: [record('x'.repeat(1_000))] });
    const batches = Buffer.concat([0n, 1n, 2n, 3n].map(long));
    const offsetsWithin = (bytesMax: number): readonly bigint[] => {
      const { nextOffset, records } = readBatchesBy(batches, 0n, client.readBatch, bytesMax);
      expect(nextOffset).toBe(BigInt(records.length));
      return records.map(({ offset }) => offset);
    };
    expect(offsetsWithin(-1)).toEqual([0n]);
    expect(offsetsWithin(1_500)).toEqual([0n, 1n]);
    expect(offsetsWithin(1_000_000)).toEqual([0n, 1n, 2n, 3n]);
  });

  test('a batch compressed from more than anybody can append here is stepped over', () => {
    const HALF = 'x'.repeat(BATCH_BYTES_MAX / 2);
    const ofBytes = (bytes: number, attributes: number): Buffer => {
      const rest = 'x'.repeat(bytes - BATCH_HEADER_BYTES - HALF.length - 2 * AROUND_BYTES);
      return batchBytes({ baseOffset: 7n, attributes, records: [record(HALF), record(rest)] });
    };
    expect(ofBytes(BATCH_BYTES_MAX, 0)).toHaveLength(BATCH_BYTES_MAX);
    const longest = ofBytes(BATCH_BYTES_MAX, ZSTD);
    expect(readBatches(longest, 7n)).toMatchObject({ bytes: BATCH_BYTES_MAX, foreign: [], nextOffset: 9n });
    const bomb = ofBytes(BATCH_BYTES_MAX + 1, ZSTD);
    expect(bomb.length).toBeLessThan(BATCH_BYTES_MAX / 1_000);
    const { foreign, nextOffset, records } = readBatches(Buffer.concat([bomb, batch(9n, 'a')]), 7n);
    expect([foreign, nextOffset, records.map(({ offset }) => offset)]).toEqual([[7n], 10n, [9n]]);
  });

  test('a batch compressed by another codec is refused by name', () => {
    const gzip = batchBytes({ baseOffset: 7n, attributes: GZIP, records: [record('a')] });
    expect(() => readBatches(gzip, 7n)).toThrow(
      expect.objectContaining({
        kind: 'batch-compressed',
        message: 'the batch at offset 7 is compressed by codec 1, and only zstd is read',
      }),
    );
  });

  test('a compressed batch that was cut within, or is not compressed, is unreadable', () => {
    const whole = batchBytes({ baseOffset: 0n, attributes: ZSTD, records: [record('a'), record('b')] });
    const cut = Buffer.from(whole.subarray(0, -3));
    const plain = batch(0n, 'a');
    plain.writeInt16BE(ZSTD, 21);
    for (const damaged of [cut, plain]) {
      damaged.writeInt32BE(damaged.length - 12, 8);
      damaged.writeUInt32BE(crc32c(damaged.subarray(21)), 17);
      expect(() => readBatches(damaged, 0n)).toThrow(expect.objectContaining({ kind: 'batch-unreadable' }));
    }
  });

  test('a batch of another format or with an impossible length is unreadable', () => {
    const format1 = batch(0n, 'a');
    format1.writeInt8(1, 16);
    const short = batch(0n, 'a');
    short.writeInt32BE(3, 8);
    const longRecord = batch(0n, 'a');
    longRecord.writeUInt8(0x7f, 61);
    for (const damaged of [format1, short, longRecord]) {
      expect(() => readBatches(damaged, 0n)).toThrow(expect.objectContaining({ kind: 'batch-unreadable' }));
    }
  });

  for (const [title, headers, expected] of [
    ['absent', [['other', bytes('x')]], null],
    ['once', [['lockstep', bytes('x')]], 'x'],
    ['once and null', [['lockstep', null]], null],
    [
      'twice',
      [
        ['lockstep', bytes('x')],
        ['lockstep', bytes('x')],
      ],
      null,
    ],
    [
      'among names that objects have of their own',
      [
        ['__proto__', bytes('p')],
        ['0', bytes('0')],
        ['lockstep', bytes('x')],
        ['valueOf', bytes('v')],
      ],
      'x',
    ],
  ] as const) {
    test(`header \`lockstep\`: ${title}`, () => {
      const [found] = readBatches(
        batchBytes({ baseOffset: 0n, records: [record('v', { headers })] }),
        0n,
      ).records;
      expect(found!.header?.toString() ?? null).toBe(expected);
    });
  }
});

describe('answers to a fetch', () => {
  test('every partition is read with its error, its bounds and its batches', () => {
    const contents = batch(7n, 'a');
    const answer = readFetchAnswer(
      Buffer.concat([
        tags(),
        int32(12), // throttle
        int16(0),
        int32(0), // session
        compact(1),
        Buffer.alloc(16, 7),
        compact(2),
        int32(4),
        int16(0),
        int64(9n),
        int64(8n),
        int64(5n),
        compact(1), // an aborted transaction
        int64(77n),
        int64(6n),
        tags(),
        int32(-1),
        compact(contents.length),
        contents,
        // Where logs diverge, epoch 3 up to offset 6, and a node that newer brokers name: tag 1, three bytes.
        Buffer.of(2, 0, 13),
        int32(3),
        int64(6n),
        tags(),
        Buffer.of(1, 3, 9, 9, 9),
        int32(0),
        int16(1),
        int64(-1n),
        int64(-1n),
        int64(-1n),
        Buffer.of(0), // null
        int32(-1),
        Buffer.of(0), // null
        tags(),
        tags(), // of the topic
        tags(),
      ]),
    );
    expect(answer).toEqual({
      clientSideThrottleTime: 12,
      errorCode: 0,
      partitions: [
        {
          partition: 4,
          errorCode: 0,
          highWatermark: 9n,
          logStartOffset: 5n,
          divergesAt: 6n,
          batches: contents,
        },
        {
          partition: 0,
          errorCode: 1,
          highWatermark: -1n,
          logStartOffset: -1n,
          divergesAt: null,
          batches: Buffer.alloc(0),
        },
      ],
    });
  });

  test('an answer that ends too early is unreadable', () => {
    expect(() =>
      readFetchAnswer(Buffer.concat([tags(), int32(0), int16(0), int32(0), compact(1), int16(9)])),
    ).toThrow(expect.objectContaining({ kind: 'batch-unreadable' }));
  });
});

/** Length plus one; small enough for one byte, or for two. */
const compact = (length: number): Buffer =>
  length < 127 ? Buffer.of(length + 1) : Buffer.of(((length + 1) & 0x7f) | 0x80, (length + 1) >> 7);

/** None. */
const tags = (): Buffer => Buffer.of(0);

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

function int64(value: bigint): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64BE(value);
  return buffer;
}
