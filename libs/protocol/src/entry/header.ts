/**
 * The binary header `lockstep` of every record, format version 1. All integers are big-endian.
 *
 *   at   size  field
 *    0     1   magic 0x4C ("L")
 *    1     1   format version, 1
 *    2     1   kind (KINDS)
 *    3     1   flags: bit 0 idempotency key present; bit 1 signature present; the others 0
 *    4     8   epoch, unsigned
 *   12     8   publisher's clock, milliseconds since 1970, signed
 *   20     8   notAfter, milliseconds since 1970, signed
 *   28    16   publisher session (zero in control entries)
 *   44     8   number in the session, unsigned, from 1 (0 in control entries)
 *   52    16   first 16 bytes of the configuration hash that the publisher wrote for (zero: none)
 *   68     1   length of the region's name, 1..32
 *   69     n   the writing region, ASCII
 *  then  32   only with flag bit 0: key hash (16), fingerprint (16)
 *  then  64   only with flag bit 1: Ed25519 signature
 *
 * The decoder is total: every byte string is a header or `null`, and a header encodes back to the same bytes.
 */
import {
  entryNumber,
  epoch,
  isRegionName,
  type EntryNumber,
  type Epoch,
  type Fingerprint,
  type KeyHash,
  type PublisherId,
  type RegionName,
} from '../identity/identity.js';

export const KINDS = [
  'data',
  'genesis',
  'fence',
  'configuration',
  'rule',
  'term',
  'time',
  'probe',
  'settle',
  'digest',
  'skip',
  'seal',
  'carried',
  'degrade',
] as const;
export type EntryKind = (typeof KINDS)[number];

export interface EntryHeader {
  readonly kind: EntryKind;
  readonly epoch: Epoch;
  readonly publisherClockMs: number;
  readonly notAfterMs: number;
  readonly publisher: PublisherId;
  readonly number: EntryNumber;
  /** 32 hex digits; all zero when the publisher names no configuration. */
  readonly configurationPrefix: string;
  readonly region: RegionName;
  readonly idempotency: { readonly key: KeyHash; readonly fingerprint: Fingerprint } | null;
  /** 128 hex digits. */
  readonly signature: string | null;
}

const MAGIC = 0x4c;
const FORMAT_VERSION = 1;
const FIXED_BYTES = 69;
const FLAG_KEY = 1;
const FLAG_SIGNATURE = 2;
/** The latest instant that a Date can hold; more is not a time. */
const TIME_MS_MAX = 8_640_000_000_000_000;

export const NO_PUBLISHER = '0'.repeat(32) as PublisherId;
export const NO_CONFIGURATION_PREFIX = '0'.repeat(32);

export function encodeHeader(header: EntryHeader): Uint8Array {
  const length =
    FIXED_BYTES +
    header.region.length +
    (header.idempotency === null ? 0 : 32) +
    (header.signature === null ? 0 : 64);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes[0] = MAGIC;
  bytes[1] = FORMAT_VERSION;
  bytes[2] = KINDS.indexOf(header.kind);
  bytes[3] = (header.idempotency === null ? 0 : FLAG_KEY) | (header.signature === null ? 0 : FLAG_SIGNATURE);
  view.setBigUint64(4, header.epoch);
  view.setBigInt64(12, BigInt(header.publisherClockMs));
  view.setBigInt64(20, BigInt(header.notAfterMs));
  writeHex(bytes, 28, header.publisher);
  view.setBigUint64(44, header.number);
  writeHex(bytes, 52, header.configurationPrefix);
  bytes[68] = header.region.length;
  for (let i = 0; i < header.region.length; i += 1) bytes[69 + i] = header.region.charCodeAt(i);
  let at = FIXED_BYTES + header.region.length;
  if (header.idempotency !== null) {
    writeHex(bytes, at, header.idempotency.key);
    writeHex(bytes, at + 16, header.idempotency.fingerprint);
    at += 32;
  }
  if (header.signature !== null) writeHex(bytes, at, header.signature);
  return bytes;
}

/** Null when the bytes are not a header of format version 1. */
export function decodeHeader(bytes: Uint8Array): EntryHeader | null {
  if (bytes.length < FIXED_BYTES || bytes[0] !== MAGIC || bytes[1] !== FORMAT_VERSION) return null;
  const kind = KINDS[bytes[2]!];
  const flags = bytes[3]!;
  const regionLength = bytes[68]!;
  if (kind === undefined || flags > (FLAG_KEY | FLAG_SIGNATURE)) return null;
  const withKey = (flags & FLAG_KEY) !== 0;
  const withSignature = (flags & FLAG_SIGNATURE) !== 0;
  if (bytes.length !== FIXED_BYTES + regionLength + (withKey ? 32 : 0) + (withSignature ? 64 : 0))
    return null;
  const region = regions.of(bytes, FIXED_BYTES, regionLength);
  if (!isRegionName(region)) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const publisherClockMs = timeAt(view, 12);
  const notAfterMs = timeAt(view, 20);
  const number = view.getBigUint64(44);
  const publisher = publishers.of(bytes, 28, 16) as PublisherId;
  if (!isTime(publisherClockMs) || !isTime(notAfterMs)) return null;
  const numbered = number > 0n && publisher !== NO_PUBLISHER;
  const bare = number === 0n && publisher === NO_PUBLISHER;
  if (kind === 'data' ? !numbered : !bare) return null;
  let at = FIXED_BYTES + regionLength;
  let idempotency: EntryHeader['idempotency'] = null;
  if (withKey) {
    idempotency = {
      key: readHex(bytes, at, 16) as KeyHash,
      fingerprint: readHex(bytes, at + 16, 16) as Fingerprint,
    };
    at += 32;
  }
  return {
    kind,
    epoch: epoch(view.getBigUint64(4)),
    publisherClockMs,
    notAfterMs,
    publisher,
    number: entryNumber(number),
    configurationPrefix: configurations.of(bytes, 52, 16),
    region,
    idempotency,
    signature: withSignature ? readHex(bytes, at, 64) : null,
  };
}

/** A signed integer of 64 bits; rounded where it is too large for a time. */
const timeAt = (view: DataView, at: number): number =>
  view.getInt32(at) * 0x1_0000_0000 + view.getUint32(at + 4);

const isTime = (ms: number): boolean => ms >= -TIME_MS_MAX && ms <= TIME_MS_MAX;

/** @param length a multiple of eight. */
function readHex(bytes: Uint8Array, at: number, length: number): string {
  let hex = '';
  for (let i = at; i < at + length; i += 8) hex += hexOfEight(bytes, i);
  return hex;
}

/** At once: put together from the texts of its bytes, an identity costs more than everything else in a header. */
function hexOfEight(bytes: Uint8Array, at: number): string {
  const high = (i: number): number => HEX_DIGITS[bytes[at + i]! >>> 4]!;
  const low = (i: number): number => HEX_DIGITS[bytes[at + i]! & 0x0f]!;
  // prettier-ignore
  return String.fromCharCode(
    high(0), low(0), high(1), low(1), high(2), low(2), high(3), low(3),
    high(4), low(4), high(5), low(5), high(6), low(6), high(7), low(7),
  );
}

const HEX_DIGITS = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

function readAscii(bytes: Uint8Array, at: number, length: number): string {
  let text = '';
  for (let i = at; i < at + length; i += 1) text += String.fromCharCode(bytes[i]!);
  return text;
}

/** A field that mostly stands in a header as in the one before: its last text, which need not be made and hashed again. */
class Repeated {
  private bytes = new Uint8Array(0);
  private text = '';

  constructor(private readonly read: (bytes: Uint8Array, at: number, length: number) => string) {}

  of(header: Uint8Array, at: number, length: number): string {
    if (!this.standsIn(header, at, length)) {
      // A copy: what was fetched is not kept for it.
      this.bytes = new Uint8Array(header.subarray(at, at + length));
      this.text = this.read(header, at, length);
    }
    return this.text;
  }

  private standsIn(header: Uint8Array, at: number, length: number): boolean {
    const { bytes } = this;
    if (bytes.length !== length) return false;
    for (let i = 0; i < length; i += 1) if (bytes[i] !== header[at + i]) return false;
    return true;
  }
}

const publishers = new Repeated(readHex);
const configurations = new Repeated(readHex);
const regions = new Repeated(readAscii);

function writeHex(bytes: Uint8Array, at: number, hex: string): void {
  for (let i = 0; i < hex.length; i += 2) bytes[at + i / 2] = Number.parseInt(hex.slice(i, i + 2), 16);
}
