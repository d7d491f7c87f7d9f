/** Laws of records: what an appender writes is what every region reads, and whatever stands in a log decodes to something. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { eventsText } from '../entry/body.js';
import { decodeHeader, encodeHeader, KINDS, NO_PUBLISHER } from '../entry/header.js';
import { entryNumber } from '../identity/identity.js';
import { credited, header, LogBuilder, opened, session } from './fold.fixture.js';
import { decodeEntry, endsBatch, type DecodedEntry } from './decoded-entry.js';

const events = fc.array(
  fc.oneof(
    fc.constant(opened()),
    fc.integer({ min: 1 }).map((amount) => credited(amount, 'eu:bob')),
  ),
  { minLength: 1, maxLength: 4 },
);
const only = (log: LogBuilder): DecodedEntry => decodeEntry(log.records[0]!);

test('the events that were written are read, under the header that was written', () => {
  fc.assert(
    fc.property(events, fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }), (written, number) => {
      const log = new LogBuilder().data(written, { number: entryNumber(number), publisher: session('e') });
      const entry = only(log);
      expect(entry).toMatchObject({
        kind: 'data',
        events: written,
        header: { number, publisher: session('e') },
      });
      expect(encodeHeader(entry.header!)).toEqual(log.records[0]!.header);
      if (entry.kind === 'data') expect(eventsText(entry.events)).toBe(log.records[0]!.valueText);
    }),
    { numRuns: 200 },
  );
});

test("any header over any body is an entry of the header's kind or malformed, never an exception", () => {
  const hex = 'a'.repeat(32);
  const bodies = fc.constantFrom(
    '{}',
    '[]',
    eventsText([opened()]),
    `{"configuration":"${'c'.repeat(64)}","home":"eu","logIncarnation":"${hex}"}`,
    `{"deadlineMs":1,"key":"${hex}"}`,
    '{"decision":4,"epoch":2,"expectedEpoch":1,"home":"us","term":3}',
    '{"decision":4,"term":3}',
    `{"configuration":"${'c'.repeat(64)}","expected":"${'d'.repeat(64)}"}`,
  );
  const texts = fc.oneof({ weight: 4, arbitrary: bodies }, fc.string(), fc.constant(null));
  const known = ['configuration', 'data', 'fence', 'genesis', 'probe', 'settle', 'term'] as const;
  const kinds = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...known) },
    { weight: 1, arbitrary: fc.constantFrom(...KINDS) },
  );
  const read = new Set<string>();
  fc.assert(
    fc.property(kinds, texts, fc.nat(3), (kind, text, chance) => {
      const withKey = chance === 0;
      const bare = kind === 'data' ? {} : { publisher: NO_PUBLISHER, number: entryNumber(0n) };
      const idempotency = withKey ? { key: hex as never, fingerprint: hex as never } : null;
      const entry = only(new LogBuilder().record(text, header({ kind, idempotency, ...bare })));
      // A malformed entry keeps its header: it moves log time, and takes its number with it.
      expect(entry.header?.kind).toBe(kind);
      if (entry.kind === 'malformed') return;
      expect(entry.kind === 'data' ? 'data' : entry.body.kind).toBe(kind);
      if (entry.kind === 'data') expect(entry.events.length).toBeGreaterThan(0);
      expect(entry.kind === 'control' && withKey).toBe(false);
      expect(endsBatch(entry)).toBe(kind === 'genesis' || kind === 'configuration');
      read.add(kind);
    }),
    { numRuns: 800, seed: 6 },
  );
  expect([...read].sort()).toEqual(known);
});

test('a record whose header does not decode is malformed and has none, whatever it carries', () => {
  const headers = fc.option(fc.uint8Array({ maxLength: 130, size: 'max' }));
  fc.assert(
    fc.property(headers, fc.option(fc.string()), (bytes, text) => {
      const log = new LogBuilder().record(text, bytes);
      fc.pre(bytes === null || decodeHeader(bytes) === null);
      expect(only(log)).toEqual({ kind: 'malformed', record: log.records[0], header: null });
    }),
    { numRuns: 200 },
  );
});
