/**
 * Reads JSON that a stranger sent, without losing anything silently.
 *
 * Refused, with the reason: more than `depthMax` levels, numbers that a double would round (integers beyond 2^53-1,
 * fractions that vanish), numbers that are not finite, NUL and lone surrogates in any string, duplicate names in one
 * object. Property names such as `__proto__` stay plain data.
 *
 * All of it is judged on the text, in one pass before parsing: no parser's stack meets a deep text, and a text of
 * millions of tiny values costs a fraction of a second (a reviver would cost seconds, and hundreds of megabytes).
 */
export const JSON_DEPTH_MAX = 32;

export type ParsedJson =
  { readonly kind: 'value'; readonly value: unknown } | { readonly kind: 'refused'; readonly reason: string };

const NOT_JSON = 'the body is not JSON';

export function parseJson(text: string, depthMax = JSON_DEPTH_MAX): ParsedJson {
  const reason = scan(text, depthMax);
  if (reason !== null) return { kind: 'refused', reason };
  try {
    return { kind: 'value', value: JSON.parse(text) as unknown };
  } catch {
    return { kind: 'refused', reason: NOT_JSON };
  }
}

/** Stands for an object's names until it has one, so that millions of empty objects make no sets; never added to. */
const NO_NAMES: Set<string> = new Set();

/** The first reason to refuse the text, if there is one. Whether it is JSON at all is left to the parser. */
function scan(text: string, depthMax: number): string | null {
  if (!text.isWellFormed()) return 'a string contains a lone surrogate';
  /** What is open: the names that an object has so far, null for a list. */
  const open: (Set<string> | null)[] = [];
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    switch (unit) {
      case 0x7b: // {
      case 0x5b: // [
        open.push(unit === 0x7b ? NO_NAMES : null);
        if (open.length > depthMax) return `more than ${depthMax} levels`;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        break;
      case 0x22: {
        const end = endOfString(text, i);
        if (end < 0) return NOT_JSON;
        const literal = text.slice(i, end + 1);
        const plain = literal.includes('\\') ? unescaped(literal) : literal.slice(1, -1);
        if (plain === null) return NOT_JSON;
        const refusal = refuseText(plain);
        if (refusal !== null) return refusal;
        const names = open.at(-1) ?? null;
        if (names !== null && isName(text, end + 1)) {
          if (names.has(plain)) return `the name "${plain.slice(0, 64)}" stands twice in one object`;
          if (names === NO_NAMES) open[open.length - 1] = new Set([plain]);
          else names.add(plain);
        }
        i = end;
        break;
      }
      default:
        if (unit === 0x2d || isDigit(unit)) {
          const end = endOfNumber(text, i);
          const refusal = refuseNumber(text.slice(i, end));
          if (refusal !== null) return refusal;
          i = end - 1;
        }
    }
  }
  return null;
}

function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit === 0x5c) i += 1;
    else if (unit === 0x22) return i;
  }
  return -1;
}

function isName(text: string, after: number): boolean {
  for (let i = after; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit === 0x3a) return true;
    if (unit !== 0x20 && unit !== 0x09 && unit !== 0x0a && unit !== 0x0d) return false;
  }
  return false;
}

/** Null when the literal is no JSON string. */
function unescaped(literal: string): string | null {
  try {
    return JSON.parse(literal) as string;
  } catch {
    return null;
  }
}

function refuseText(text: string): string | null {
  if (text.includes('\u0000')) return 'a string contains NUL';
  if (!text.isWellFormed()) return 'a string contains a lone surrogate';
  return null;
}

const isDigit = (unit: number): boolean => unit >= 0x30 && unit <= 0x39;

/** Where the characters end that numbers are made of. */
function endOfNumber(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length && (isDigit(text.charCodeAt(end)) || '.eE+-'.includes(text[end]!))) end += 1;
  return end;
}

/** As many digits as every double keeps. */
const SMALL_INTEGER = /^-?[0-9]{1,15}$/;

function refuseNumber(source: string): string | null {
  if (SMALL_INTEGER.test(source)) return null;
  const value = Number(source);
  // No number at all: the parser says so.
  if (Number.isNaN(value)) return null;
  if (!Number.isFinite(value)) return `the number ${source.slice(0, 32)} is out of range`;
  if (!Number.isInteger(value)) return null;
  if (!Number.isSafeInteger(value) && isRounded(value, source)) {
    return `the number ${source.slice(0, 32)} is beyond 2^53 - 1`;
  }
  return losesFraction(source) ? `the number ${source.slice(0, 32)} cannot be kept exactly` : null;
}

/** True for an integer beyond 2^53-1 in full, and where a point or an exponent hides digits that a double drops. */
const isRounded = (value: number, source: string): boolean =>
  !/[.eE]/.test(source) || significantDigits(source) !== significantDigits(String(value));

function significantDigits(literal: string): string {
  const digits = literal.replace(/^-|\.|[eE].*$/g, '');
  let start = 0;
  let end = digits.length;
  while (digits[start] === '0') start += 1;
  while (end > start && digits[end - 1] === '0') end -= 1;
  return digits.slice(start, end);
}

/** True when a literal that became an integer has a fraction that is not zero. */
function losesFraction(source: string): boolean {
  const match = /^-?([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(source);
  if (match === null) return false;
  const digits = match[1]! + (match[2] ?? '');
  const point = match[1]!.length + Number(match[3] ?? '0');
  return /[1-9]/.test(digits.slice(Math.max(0, point)));
}
