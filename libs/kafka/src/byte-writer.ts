/** Writes Kafka's primitive types, one after the other, into bytes whose number was counted before. */
export class ByteWriter {
  position = 0;

  constructor(readonly buffer: Buffer) {}

  int8(value: number): void {
    this.position = this.buffer.writeInt8(value, this.position);
  }

  int16(value: number): void {
    this.position = this.buffer.writeInt16BE(value, this.position);
  }

  int32(value: number): void {
    this.position = this.buffer.writeInt32BE(value, this.position);
  }

  int64(value: bigint): void {
    this.position = this.buffer.writeBigInt64BE(value, this.position);
  }

  /** Zigzag; of a length or a count, so never negative. */
  varint(value: number): void {
    let left = value * 2;
    for (; left > 0x7f; left >>>= 7) this.buffer[this.position++] = (left & 0x7f) | 0x80;
    this.buffer[this.position++] = left;
  }

  text(text: string): void {
    this.position += this.buffer.write(text, this.position);
  }

  bytes(bytes: Uint8Array): void {
    this.buffer.set(bytes, this.position);
    this.position += bytes.length;
  }
}

/** Bytes of a length or a count as a varint. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let left = value * 2; left > 0x7f; left >>>= 7) bytes += 1;
  return bytes;
}
