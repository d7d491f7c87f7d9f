/**
 * Postgres array literals (`{a,"b c",NULL}`), written by hand: a batch is a dozen arrays of thousands of elements, and
 * pg's general encoder takes twice the time.
 */
const NEEDS_ESCAPE = /["\\]/;
const ESCAPED = /["\\]/g;

/** An array of whatever may contain any character. */
export function quotedArray<T>(items: readonly T[], textOf: (item: T) => string | null): string {
  let literal = '{';
  for (let i = 0; i < items.length; i += 1) {
    if (i > 0) literal += ',';
    const text = textOf(items[i]!);
    if (text === null) literal += 'NULL';
    else literal += NEEDS_ESCAPE.test(text) ? `"${text.replace(ESCAPED, '\\$&')}"` : `"${text}"`;
  }
  return literal + '}';
}

/** An array of digits, words without spaces or booleans: nothing in it needs quotes. */
export function plainArray<T>(items: readonly T[], textOf: (item: T) => string | null): string {
  let literal = '{';
  for (let i = 0; i < items.length; i += 1) {
    if (i > 0) literal += ',';
    literal += textOf(items[i]!) ?? 'NULL';
  }
  return literal + '}';
}

export const textArray = (values: Iterable<string>): string => quotedArray([...values], (value) => value);
