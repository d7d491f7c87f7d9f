/** Reads Kafka's primitive types from [position, end) of an answer; anything beyond is unreadable. */
import { LinkError } from './log-failure.js';

export const unreadable = (story: string): LinkError => new LinkError('batch-unreadable', story);

const NO_TAG = -1;

export class ByteReader {
  readonly #buffer: Buffer;
  readonly #end: number;
  position: number;

  constructor(buffer: Buffer, position: number, end: number) {
    this.#buffer = buffer;
    this.position = position;
    this.#end = end;
  }

  skip(bytes: number): void {
    this.#advance(bytes);
  }

  int16(): number {
    return this.#buffer.readInt16BE(this.#advance(2));
  }

  int32(): number {
    return this.#buffer.readInt32BE(this.#advance(4));
  }

  int64(): bigint {
    return this.#buffer.readBigInt64BE(this.#advance(8));
  }

  view(bytes: number): Buffer {
    const start = this.#advance(bytes);
    return this.#buffer.subarray(start, start + bytes);
  }

  /** Length as a varint, then the bytes; null when the length is negative. */
  bytes(): Buffer | null {
    const length = this.varint();
    return length < 0 ? null : this.view(length);
  }

  /** Zigzag, 32 bits. */
  varint(): number {
    const value = this.uvarint();
    return (value >>> 1) ^ -(value & 1);
  }

  /** Without a sign, 32 bits. */
  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#buffer[this.#advance(1)]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw unreadable('a varint has more than five bytes');
  }

  /** Zigzag, 64 bits, as a number: beyond 2^53 it is rounded. */
  varlong(): number {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#buffer[this.#advance(1)]!;
      if (shift === 0n && byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number((value >> 1n) ^ -(value & 1n));
    }
    throw unreadable('a varlong has more than ten bytes');
  }

  /** Of the flexible versions: length plus one, then the bytes; null when that is zero. */
  compactBytes(): Buffer | null {
    const length = this.uvarint();
    return length === 0 ? null : this.view(length - 1);
  }

  compactText(): string | null {
    return this.compactBytes()?.toString('utf8') ?? null;
  }

  /** Of the older versions; `read` is called once per element. */
  array<Element>(read: () => Element): readonly Element[] {
    return elementsOf(this.int32(), read);
  }

  /** Of the flexible versions; `read` is called once per element. */
  compactArray<Element>(read: () => Element): readonly Element[] {
    return elementsOf(this.uvarint() - 1, read);
  }

  /** What newer brokers may add to a structure; nothing of it is known here. */
  skipTags(): void {
    this.tag(NO_TAG);
  }

  /** The content of one tag of a structure, past all of them; null when it is not there. */
  tag(wanted: number): ByteReader | null {
    let found: ByteReader | null = null;
    for (let count = this.uvarint(); count > 0; count -= 1) {
      const tag = this.uvarint();
      const start = this.#advance(this.uvarint());
      if (tag === wanted) found = new ByteReader(this.#buffer, start, this.position);
    }
    return found;
  }

  #advance(bytes: number): number {
    const start = this.position;
    if (bytes < 0 || start + bytes > this.#end)
      throw unreadable(`${bytes} bytes wanted at ${start} of ${this.#end}`);
    this.position = start + bytes;
    return start;
  }
}

/** None where the count is negative, which stands for no list. */
function elementsOf<Element>(count: number, read: () => Element): readonly Element[] {
  const elements: Element[] = [];
  for (let left = count; left > 0; left -= 1) elements.push(read());
  return elements;
}
