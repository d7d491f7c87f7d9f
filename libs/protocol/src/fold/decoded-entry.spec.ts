/** What is refused before anything is parsed, and what a configured limit refuses. */
import { expect, test } from '@jest/globals';
import { eventsText, type ControlBody } from '../entry/body.js';
import { sequence } from '../identity/identity.js';
import { decodeEntry, isTooLarge } from './decoded-entry.js';
import { credited, EU, keyOf, LogBuilder, opened } from './fold.fixture.js';

const [record] = new LogBuilder().data([opened(), credited(1)]).records;
const MIB = 1024 * 1024;

test('a value above 8 MiB is malformed, whatever the configuration says', () => {
  expect(decodeEntry({ ...record!, valueBytes: 8 * MIB }).kind).toBe('data');
  expect(decodeEntry({ ...record!, valueBytes: 8 * MIB + 1 }).kind).toBe('malformed');
});

test('an entry is too large by its bytes or by its events, and at the limit it is not', () => {
  const entry = decodeEntry(record!);
  const bytes = eventsText([opened(), credited(1)]).length;
  const limits = { entryBytesMax: bytes, eventsPerEntryMax: 2, notAfterAheadMsMax: 0 };
  expect(isTooLarge(entry, limits)).toBe(false);
  expect(isTooLarge(entry, { ...limits, entryBytesMax: bytes - 1 })).toBe(true);
  expect(isTooLarge(entry, { ...limits, eventsPerEntryMax: 1 })).toBe(true);
  const [probe] = new LogBuilder().control({ kind: 'probe' }).entries();
  expect(isTooLarge(probe!, { ...limits, eventsPerEntryMax: 0 })).toBe(false);
});

test.each([
  { kind: 'rule', expected: sequence(1n), rule: 'all', withdrawn: [], reason: 'a test', actor: 'ada' },
  { kind: 'term', term: 2n, decision: 0n },
  { kind: 'probe' },
  { kind: 'settle', key: keyOf('k'), deadlineMs: 1 },
  { kind: 'degrade', key: keyOf('k'), sequence: sequence(5n) },
  { kind: 'fence', expectedEpoch: 1n, epoch: 2n, home: EU, term: 1n, decision: 1n },
] as const)('an entry of the kind $kind is read as it was written', (body) => {
  const [record] = new LogBuilder().control(body as ControlBody).records;
  expect(decodeEntry(record!)).toMatchObject({ kind: 'control', body });
});
