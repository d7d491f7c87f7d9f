/** The binary header: format version 1, pinned byte by byte, so that no change of code can change what logs hold. */
import { describe, expect, test } from '@jest/globals';
import {
  entryNumber,
  epoch,
  type Fingerprint,
  type KeyHash,
  type PublisherId,
  type RegionName,
} from '../identity/identity.js';
import {
  decodeHeader,
  encodeHeader,
  KINDS,
  NO_CONFIGURATION_PREFIX,
  NO_PUBLISHER,
  type EntryHeader,
} from './header.js';

const FULL: EntryHeader = {
  kind: 'data',
  epoch: epoch(7n),
  publisherClockMs: 1_800_000_000_123,
  notAfterMs: 1_800_000_120_123,
  publisher: '00112233445566778899aabbccddeeff' as PublisherId,
  number: entryNumber(258n),
  configurationPrefix: 'c0'.repeat(16),
  region: 'eu-west' as RegionName,
  idempotency: { key: '0a'.repeat(16) as KeyHash, fingerprint: 'f0'.repeat(16) as Fingerprint },
  signature: 'ab'.repeat(64),
};

const FULL_HEX = [
  '4c', // magic
  '01', // format version
  '00', // kind
  '03', // flags
  '0000000000000007', // epoch
  '000001a3185c507b', // publisher's clock
  '000001a3185e253b', // notAfter
  '00112233445566778899aabbccddeeff', // publisher session
  '0000000000000102', // number
  'c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0', // configuration
  '07', // length of the region's name
  '65752d77657374', // region
  '0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a', // key hash
  'f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0', // fingerprint
  'ab'.repeat(64), // signature
].join('');

const PROBE: EntryHeader = {
  kind: 'probe',
  epoch: epoch(0n),
  publisherClockMs: -1,
  notAfterMs: 0,
  publisher: NO_PUBLISHER,
  number: entryNumber(0n),
  configurationPrefix: NO_CONFIGURATION_PREFIX,
  region: 'x' as RegionName,
  idempotency: null,
  signature: null,
};

const PROBE_HEX = [
  '4c010700',
  '0000000000000000',
  'ffffffffffffffff',
  '0000000000000000',
  '00'.repeat(16),
  '0000000000000000',
  '00'.repeat(16),
  '0178',
].join('');

const toHex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const fromHex = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

/** The full header with some bytes replaced. */
const changed = (at: number, ...bytes: readonly number[]): Uint8Array => {
  const copy = encodeHeader(FULL);
  copy.set(bytes, at);
  return copy;
};

describe('the bytes of format version 1', () => {
  test.each([
    ['a data entry with key and signature', FULL, FULL_HEX],
    ['a bare control entry with a clock before 1970', PROBE, PROBE_HEX],
  ])('%s', (_, header, hex) => {
    expect(toHex(encodeHeader(header))).toBe(hex);
    expect(decodeHeader(fromHex(hex))).toEqual(header);
  });

  test('the number of a kind never changes', () => {
    expect(KINDS.map((kind, number) => `${number} ${kind}`)).toEqual([
      '0 data',
      '1 genesis',
      '2 fence',
      '3 configuration',
      '4 rule',
      '5 term',
      '6 time',
      '7 probe',
      '8 settle',
      '9 digest',
      '10 skip',
      '11 seal',
      '12 carried',
      '13 degrade',
    ]);
  });

  test('a header is read where it lies in a larger buffer', () => {
    const buffer = new Uint8Array(FULL_HEX.length / 2 + 20).fill(0xff);
    buffer.set(fromHex(FULL_HEX), 11);
    expect(decodeHeader(buffer.subarray(11, 11 + FULL_HEX.length / 2))).toEqual(FULL);
  });

  test('the largest ordinals survive, and the first and the last time that exist', () => {
    const header = {
      ...FULL,
      epoch: epoch(2n ** 64n - 1n),
      number: entryNumber(2n ** 64n - 1n),
      publisherClockMs: -8_640_000_000_000_000,
      notAfterMs: 8_640_000_000_000_000,
    };
    expect(decodeHeader(encodeHeader(header))).toEqual(header);
  });
});

describe('what is not a header', () => {
  test.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array()],
    ['another magic', changed(0, 0x4d)],
    ['format version 0', changed(1, 0)],
    ['format version 2', changed(1, 2)],
    ['a kind beyond the last', changed(2, KINDS.length)],
    ['an unknown flag', changed(3, 7)],
    ['a flag that promises less than follows', changed(3, 1)],
    ['a region that is longer than told', changed(68, 6)],
    ['a region without a name', fromHex(PROBE_HEX.slice(0, -4) + '00')],
    ['a region in capitals', changed(69, 0x45)],
    ['a region that begins with a digit', changed(69, 0x31)],
    ['a region of 33 characters', fromHex(`${PROBE_HEX.slice(0, -4)}21${'78'.repeat(33)}`)],
    ['a clock beyond the last time that exists', changed(12, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)],
    ['a notAfter before the first time that exists', changed(20, 0x80, 0, 0, 0, 0, 0, 0, 0)],
    ['a data entry without a session', changed(28, ...new Uint8Array(16))],
    ['a data entry with number 0', changed(44, ...new Uint8Array(8))],
    ['a control entry with a session', changed(2, KINDS.indexOf('probe'))],
    ['a control entry with a session and no number', encodeHeader({ ...PROBE, publisher: FULL.publisher })],
    ['a control entry with a number and no session', encodeHeader({ ...PROBE, number: FULL.number })],
    [
      'a time just before the first that exists',
      encodeHeader({ ...FULL, notAfterMs: -8_640_000_000_000_001 }),
    ],
    [
      'a time just after the last that exists',
      encodeHeader({ ...FULL, publisherClockMs: 8_640_000_000_000_001 }),
    ],
    ['one byte too many', Uint8Array.from([...encodeHeader(FULL), 0])],
  ])('%s', (_, bytes) => {
    expect(decodeHeader(bytes)).toBeNull();
  });

  test('any prefix of a header', () => {
    const bytes = encodeHeader(FULL);
    for (let length = 0; length < bytes.length; length += 1)
      expect(decodeHeader(bytes.slice(0, length))).toBeNull();
  });
});
