import { expect, test } from '@jest/globals';
import { RECORD_HEADER, TRACE_HEADER } from '@lockstep/protocol';
import fc from 'fast-check';
import { readBatches, textOf } from './fetch-answer.js';
import { kafkajsClient } from './kafkajs-client.js';
import { platformaticClient } from './platformatic-client.js';
import { batchBytes, ZSTD } from './record-batch.fixture.js';

const anyBytes = fc.uint8Array({ maxLength: 200, size: 'max' });
const orNull = fc.option(anyBytes, { nil: null });
const name = fc.oneof(
  fc.constantFrom(RECORD_HEADER, TRACE_HEADER, '__proto__', '0', ''),
  fc.string({ maxLength: 12 }),
);
const record = fc.record({
  key: orNull,
  value: orNull,
  timeDeltaMs: fc.integer({ min: -1_000_000_000_000, max: 1_000_000_000_000 }),
  headers: fc.array(fc.tuple(name, orNull), { maxLength: 5 }),
});
const batch = fc.record({
  baseOffset: fc.bigInt({ min: 0n, max: 2n ** 53n }),
  baseTimeMs: fc.integer({ min: 0, max: 2_000_000_000_000 }),
  attributes: fc.constantFrom(0, ZSTD),
  records: fc.array(record, { minLength: 1, maxLength: 5 }),
});

const clients = [
  ['kafkajs', kafkajsClient],
  ['@platformatic/kafka', platformaticClient],
] as const;

test.each(clients)('whatever stands in a batch is handed over as it stands: %s', (_name, { readBatch }) => {
  fc.assert(
    fc.property(batch, (written) => {
      const { records, nextOffset } = readBatches(batchBytes(written), written.baseOffset, readBatch);
      expect(nextOffset).toBe(written.baseOffset + BigInt(written.records.length));
      expect(
        records.map(({ offset, key, valueBytes, header, appendTimeMs }) => ({
          offset,
          key: list(key),
          valueBytes,
          header: list(header),
          appendTimeMs,
        })),
      ).toEqual(
        written.records.map((one, index) => {
          const headers = one.headers.filter(([found]) => found === RECORD_HEADER);
          return {
            offset: written.baseOffset + BigInt(index),
            key: list(one.key),
            valueBytes: one.value?.length ?? 0,
            header: headers.length === 1 ? list(headers[0]![1]) : null,
            appendTimeMs: written.baseTimeMs + one.timeDeltaMs,
          };
        }),
      );
    }),
  );
});

test.each(clients)(
  'damaged bytes are read somehow or refused, and nothing else happens: %s',
  (_name, client) => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(batch, damage, (written, changes) => {
        const bytes = batchBytes(written);
        for (const [position, value] of changes) bytes[position % bytes.length] = value;
        try {
          readBatches(bytes, written.baseOffset, client.readBatch);
        } catch (error) {
          expect((error as { kind?: unknown }).kind).toMatch(/^batch-(unreadable|compressed)$/);
        }
      }),
      { numRuns: 1_000 },
    );
  },
);

test('text is what a strict decoder finds, without NUL', () => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const expected = (bytes: Uint8Array): string | null => {
    try {
      const text = strict.decode(bytes);
      return text.includes('\0') ? null : text;
    } catch {
      return null;
    }
  };
  const nearlyText = fc.array(
    fc.oneof(
      fc.constantFrom(0xef, 0xbf, 0xbd, 0xbb, 0xed, 0xa0, 0x80, 0xf0, 0x9f, 0xc3),
      fc.integer({ min: 0, max: 255 }),
    ),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(nearlyText, (numbers) => {
      const bytes = Buffer.from(numbers);
      expect(textOf(bytes)).toBe(expected(bytes));
    }),
    { numRuns: 2_000 },
  );
});

const list = (bytes: Uint8Array | null): readonly number[] | null => (bytes === null ? null : [...bytes]);
