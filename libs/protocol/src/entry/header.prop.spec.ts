/** Laws of the header: what is encoded decodes to the same, and what decodes encodes to the same bytes. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  entryNumber,
  epoch,
  type Fingerprint,
  type KeyHash,
  type PublisherId,
  type RegionName,
} from '../identity/identity.js';
import { decodeHeader, encodeHeader, KINDS, NO_PUBLISHER, type EntryHeader } from './header.js';

const hexOf = (bytes: number): fc.Arbitrary<string> =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((all) => [...all].map((byte) => byte.toString(16).padStart(2, '0')).join(''));
const unsigned64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const time = fc.integer({ min: -8_640_000_000_000_000, max: 8_640_000_000_000_000 });
const session = hexOf(16).filter((hex) => hex !== NO_PUBLISHER);

const headers: fc.Arbitrary<EntryHeader> = fc
  .record({
    kind: fc.constantFrom('data', 'data', 'data', ...KINDS),
    epoch: unsigned64.map(epoch),
    publisherClockMs: time,
    notAfterMs: time,
    publisher: session.map((hex) => hex as PublisherId),
    number: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }).map(entryNumber),
    configurationPrefix: hexOf(16),
    region: fc.stringMatching(/^[a-z][a-z0-9-]{0,31}$/).map((name) => name as RegionName),
    idempotency: fc.option(
      fc.record({
        key: hexOf(16).map((hex) => hex as KeyHash),
        fingerprint: hexOf(16).map((hex) => hex as Fingerprint),
      }),
    ),
    signature: fc.option(hexOf(64)),
  })
  .map((header) =>
    header.kind === 'data' ? header : { ...header, publisher: NO_PUBLISHER, number: entryNumber(0n) },
  );

/** The law for any bytes: null, or a header that encodes back to them. */
function expectTotal(bytes: Uint8Array): void {
  const header = decodeHeader(bytes);
  if (header !== null) expect(encodeHeader(header)).toEqual(bytes);
}

test('an encoded header decodes to itself', () => {
  fc.assert(
    fc.property(headers, (header) => {
      expect(decodeHeader(encodeHeader(header))).toEqual(header);
    }),
    { numRuns: 500 },
  );
});

test('any bytes are null, or a header that encodes back to the same bytes', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 240, size: 'max' }), expectTotal), { numRuns: 500 });
});

test('a header with some bytes changed is null, or a header that encodes back to the changed bytes', () => {
  let survivors = 0;
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(headers, damage, fc.integer({ min: -3, max: 3 }), (header, changes, longer) => {
      const whole = encodeHeader(header);
      const bytes = new Uint8Array(Math.max(0, whole.length + Math.min(longer, 1)));
      bytes.set(whole.subarray(0, bytes.length));
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      if (decodeHeader(bytes) !== null) survivors += 1;
      expectTotal(bytes);
    }),
    { numRuns: 1_000, seed: 11 },
  );
  expect(survivors).toBeGreaterThan(100);
});
