/**
 * Reads JSON that a stranger sent, without losing anything silently.
 *
 * Refused, with the reason: more than `depthMax` levels (before parsing, so that no parser's stack decides), numbers
 * that a double would round (integers beyond 2^53-1, fractions that vanish), numbers that are not finite, NUL and lone
 * surrogates in any string, duplicate names in one object. Property names such as `__proto__` stay plain data.
 */
export const JSON_DEPTH_MAX = 32;

export type ParsedJson =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'refused'; readonly reason: string };

export function parseJson(text: string, depthMax = JSON_DEPTH_MAX): ParsedJson {
  const structure = scanStructure(text, depthMax);
  if (structure !== null) return { kind: 'refused', reason: structure };
  let refusal: string | null = null;
  let value: unknown;
  try {
    value = (JSON.parse as ParseWithSource)(text, (name, parsed, context) => {
      refusal ??= refuseText(name) ?? refuseValue(parsed, context?.source);
      return parsed;
    });
  } catch {
    return { kind: 'refused', reason: 'the body is not JSON' };
  }
  return refusal === null ? { kind: 'value', value } : { kind: 'refused', reason: refusal };
}

type ParseWithSource = (
  text: string,
  reviver: (name: string, value: unknown, context?: { readonly source?: string }) => unknown,
) => unknown;

/** Depth and duplicate names are judged on the text; everything else on the parsed values. */
function scanStructure(text: string, depthMax: number): string | null {
  const names: (Set<string> | null)[] = [];
  for (let i = 0; i < text.length; i += 1) {
    switch (text.charCodeAt(i)) {
      case 0x7b: // {
        names.push(new Set());
        break;
      case 0x5b: // [
        names.push(null);
        break;
      case 0x7d: // }
      case 0x5d: // ]
        names.pop();
        break;
      case 0x22: {
        const end = endOfString(text, i);
        if (end < 0) return 'the body is not JSON';
        const scope = names.at(-1);
        if (scope && isName(text, end + 1)) {
          const name = text.slice(i, end + 1);
          const plain = name.includes('\\') ? unescaped(name) : name.slice(1, -1);
          if (scope.has(plain)) return `the name "${plain.slice(0, 64)}" stands twice in one object`;
          scope.add(plain);
        }
        i = end;
        break;
      }
    }
    if (names.length > depthMax) return `more than ${depthMax} levels`;
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

function unescaped(literal: string): string {
  try {
    return String(JSON.parse(literal));
  } catch {
    return literal;
  }
}

function refuseText(text: string): string | null {
  if (text.includes('\u0000')) return 'a string contains NUL';
  if (!text.isWellFormed()) return 'a string contains a lone surrogate';
  return null;
}

function refuseValue(value: unknown, source: string | undefined): string | null {
  if (typeof value === 'string') return refuseText(value);
  if (typeof value !== 'number') return null;
  if (!Number.isFinite(value)) return `the number ${String(source).slice(0, 32)} is out of range`;
  if (!Number.isInteger(value)) return null;
  if (!Number.isSafeInteger(value) && (source === undefined || isRounded(value, source))) {
    return `the number ${String(source).slice(0, 32)} is beyond 2^53 - 1`;
  }
  if (source !== undefined && losesFraction(source)) {
    return `the number ${source.slice(0, 32)} cannot be kept exactly`;
  }
  return null;
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
  return /[1-9]/.test(digits.slice(Math.max(0, point))) || (point < 0 && /[1-9]/.test(digits));
}
