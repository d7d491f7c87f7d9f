import { expect, test } from '@jest/globals';
import { RECORD_HEADER, TRACE_HEADER, type OutgoingRecord } from '@lockstep/protocol';
import fc from 'fast-check';
import { appendRequest, readAppendAnswer } from './append-call.js';
import { ByteReader } from './byte-reader.js';
import { crc32c } from './crc32c.js';
import { readBatches } from './fetch-answer.js';
import { kafkajsClient } from './kafkajs-client.js';
import { platformaticClient } from './platformatic-client.js';
import { batchBytes, crc32c as bitByBit } from './record-batch.fixture.js';

// Long enough, now and then, for lengths of two and three bytes.
const text = fc.oneof(
  { weight: 19, arbitrary: fc.string({ unit: 'binary', maxLength: 100, size: 'max' }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('a', 'é', '語', '😀'), fc.nat(6_000))
      .map(([unit, times]) => unit.repeat(times)),
  },
);
const outgoing: fc.Arbitrary<OutgoingRecord> = fc.record({
  key: text,
  value: text,
  header: fc.uint8Array({ maxLength: 200, size: 'max' }),
  traceparent: fc.option(fc.string({ unit: 'grapheme-ascii', minLength: 1 }), { nil: null }),
});
const target = fc.record({
  topic: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
  partition: fc.nat(),
  records: fc.array(outgoing, { minLength: 1, maxLength: 40, size: 'max' }),
  timeoutMs: fc.nat(),
});

/** What the request says before its batch, and the batch. */
function read(request: Buffer) {
  const reader = new ByteReader(request, 0, request.length);
  const head = [reader.int16(), reader.int16(), reader.int32(), reader.int32()];
  const topic = reader.view(reader.int16()).toString('utf8');
  const partitions = reader.int32();
  const partition = reader.int32();
  const batch = reader.view(reader.int32());
  expect(reader.position).toBe(request.length);
  return { head, topic, partitions, partition, batch };
}

test('an append is one batch of one partition, byte by byte what another writer makes of it', () => {
  fc.assert(
    fc.property(target, (asked) => {
      const { batch, head, partition, partitions, topic } = read(appendRequest(asked));
      expect(head).toEqual([-1, -1, asked.timeoutMs, 1]);
      expect([topic, partitions, partition]).toEqual([asked.topic, 1, asked.partition]);
      const timeMs = Number(batch.readBigInt64BE(27));
      expect(Math.abs(timeMs - Date.now())).toBeLessThan(60_000);
      const expected = batchBytes({
        baseOffset: 0n,
        baseTimeMs: timeMs,
        maxTimeMs: timeMs,
        records: asked.records.map(({ header, key, traceparent, value }) => ({
          key: Buffer.from(key),
          value: Buffer.from(value),
          headers: [
            [RECORD_HEADER, header],
            ...(traceparent === null ? [] : [[TRACE_HEADER, Buffer.from(traceparent)] as const]),
          ],
        })),
      });
      expected.writeInt32BE(-1, 12); // the leader's epoch is for the broker to say
      expect(batch.equals(expected)).toBe(true);
    }),
  );
});

test('every client reads what an append sends', () => {
  fc.assert(
    fc.property(target, (asked) => {
      const { batch } = read(appendRequest(asked));
      for (const { readBatch } of [kafkajsClient, platformaticClient])
        expect(
          readBatches(batch, 0n, readBatch).records.map(({ header, key, traceparent, valueText }) => ({
            key: key?.toString(),
            valueText,
            header: [...header!],
            traceparent,
          })),
        ).toEqual(
          asked.records.map(({ header, key, traceparent, value }) => ({
            // A lone half of a pair is written as the sign of replacement.
            key: key.toWellFormed(),
            valueText: value.includes('\0') ? null : value.toWellFormed(),
            header: [...header],
            traceparent,
          })),
        );
    }),
    { numRuns: 50 },
  );
});

test('the checksum is that of Castagnoli, whatever the length and wherever it begins', () => {
  const known = Buffer.from('123456789');
  expect(crc32c(known, 0, known.length).toString(16)).toBe('e3069283');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300, size: 'max' }), fc.nat(20), (bytes, from) => {
      const begin = Math.min(from, bytes.length);
      expect(crc32c(bytes, begin, bytes.length)).toBe(bitByBit(bytes.subarray(begin)));
    }),
  );
});

test('an answer says what became of each partition; one that breaks off is unreadable', () => {
  const answer = Buffer.alloc(4 + 2 + 1 + 4 + 30 + 4);
  let at = answer.writeInt32BE(1, 0);
  at = answer.writeInt16BE(1, at);
  at += answer.write('t', at);
  at = answer.writeInt32BE(1, at);
  at = answer.writeInt32BE(3, at);
  at = answer.writeInt16BE(6, at);
  at = answer.writeBigInt64BE(-1n, at);
  at = answer.writeBigInt64BE(1_790_000_000_123n, at);
  at = answer.writeBigInt64BE(5n, at);
  answer.writeInt32BE(70, at);
  expect(readAppendAnswer(answer)).toEqual({
    clientSideThrottleTime: 70,
    partitions: [
      { partition: 3, errorCode: 6, baseOffset: -1n, logAppendTime: 1_790_000_000_123, logStartOffset: 5n },
    ],
  });
  for (let length = 0; length < answer.length; length += 1)
    expect(() => readAppendAnswer(answer.subarray(0, length))).toThrow(
      expect.objectContaining({ kind: 'batch-unreadable' }),
    );
});
