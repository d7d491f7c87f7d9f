/** UTF-8 without a platform encoder: the protocol compiles with the language's library only. */

/** Bytes of well-formed text; a lone surrogate becomes U+FFFD, as every encoder does. */
export function utf8(text: string): Uint8Array {
  const length = utf8Length(text);
  const bytes = new Uint8Array(length);
  if (length === text.length) {
    // ASCII, as most is: every key of every event comes by here.
    for (let i = 0; i < length; i += 1) bytes[i] = text.charCodeAt(i);
    return bytes;
  }
  let at = 0;
  for (const character of text) {
    const point = codePoint(character);
    if (point < 0x80) bytes[at++] = point;
    else if (point < 0x800) {
      bytes[at++] = 0xc0 | (point >> 6);
      bytes[at++] = 0x80 | (point & 0x3f);
    } else if (point < 0x10000) {
      bytes[at++] = 0xe0 | (point >> 12);
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f);
      bytes[at++] = 0x80 | (point & 0x3f);
    } else {
      bytes[at++] = 0xf0 | (point >> 18);
      bytes[at++] = 0x80 | ((point >> 12) & 0x3f);
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f);
      bytes[at++] = 0x80 | (point & 0x3f);
    }
  }
  return bytes;
}

export function utf8Length(text: string): number {
  let length = 0;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) length += 1;
    else if (unit < 0x800) length += 2;
    else if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) {
      length += 4;
      i += 1;
    } else length += 3;
  }
  return length;
}

const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000;

function codePoint(character: string): number {
  const point = character.codePointAt(0)!;
  return point >= 0xd800 && point < 0xe000 ? 0xfffd : point;
}
