/**
 * The closed subset of JSON Schema, compiled once per configuration. Whatever passes is storable in Postgres and reads
 * back as the same value, so that the fold's verdicts are total and the database never refuses a row (B26).
 */
import type { Schema } from './content.js';

/** Null when the value fits, otherwise where and why not, in words for a person. */
export type Check = (value: unknown, path: string) => string | null;

export function compileSchema(schema: Schema): Check {
  const flawOf = compile(schema);
  return (value, path) => {
    const flaw = flawOf(value);
    return flaw === null ? null : path + flaw;
  };
}

/** Null, or what stands behind the path: nothing is put together for a value that fits, and nearly all do. */
type Flaw = (value: unknown) => string | null;

function compile(schema: Schema): Flaw {
  switch (schema.type) {
    case 'object':
      return compileObject(schema);
    case 'string':
      return 'format' in schema ? timestampFlaw : compileString(schema);
    case 'integer':
      return (value) => {
        if (typeof value !== 'number' || !Number.isSafeInteger(value)) return ' must be an integer';
        return bounds(value, schema.minimum, schema.maximum);
      };
    case 'number':
      return (value) => {
        if (typeof value !== 'number' || !Number.isFinite(value)) return ' must be a finite number';
        return bounds(value, schema.minimum, schema.maximum);
      };
    case 'boolean':
      return (value) => (typeof value === 'boolean' ? null : ' must be true or false');
  }
}

function compileObject(schema: Extract<Schema, { type: 'object' }>): Flaw {
  const checks = new Map(Object.entries(schema.properties).map(([name, part]) => [name, compile(part)]));
  const required = [...schema.required];
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return ' must be an object';
    const record = value as { readonly [name: string]: unknown };
    for (const name of required) if (!Object.hasOwn(record, name)) return `.${name} is missing`;
    for (const name of Object.keys(record)) {
      const check = checks.get(name);
      if (check === undefined) return ` has a property "${name.slice(0, 64)}" that its schema does not know`;
      const flaw = check(record[name]);
      if (flaw !== null) return `.${name}${flaw}`;
    }
    return null;
  };
}

function compileString(schema: { minLength?: number; maxLength: number; enum?: readonly string[] }): Flaw {
  const allowed = schema.enum === undefined ? null : new Set(schema.enum);
  const minLength = schema.minLength ?? 0;
  return (value) => {
    if (typeof value !== 'string') return ' must be a string';
    if (allowed !== null && !allowed.has(value)) return ` must be one of ${[...allowed].join(', ')}`;
    if (value.includes('\u0000')) return ' must not contain NUL';
    if (!value.isWellFormed()) return ` contains a lone surrogate`;
    const length = codePoints(value);
    if (length < minLength) return ` must have at least ${minLength} characters`;
    if (length > schema.maxLength) return ` must have at most ${schema.maxLength} characters`;
    return null;
  };
}

function codePoints(text: string): number {
  let pairs = 0;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xd800 && unit < 0xdc00) pairs += 1;
  }
  return text.length - pairs;
}

function bounds(value: number, minimum: number | undefined, maximum: number | undefined): string | null {
  if (minimum !== undefined && value < minimum) return ` must be at least ${minimum}`;
  if (maximum !== undefined && value > maximum) return ` must be at most ${maximum}`;
  return null;
}

const TIMESTAMP = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z$/;
const ZERO = '0'.charCodeAt(0);
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const timestampFlaw: Flaw = (value) => {
  if (typeof value !== 'string' || !TIMESTAMP.test(value))
    return ' must be a time such as 2026-11-21T08:56:38.250Z (UTC, at most microseconds)';
  const pair = (at: number): number => value.charCodeAt(at) * 10 + value.charCodeAt(at + 1) - 11 * ZERO;
  const year = pair(0) * 100 + pair(2);
  const [month, day, hour, minute, second] = [pair(5), pair(8), pair(11), pair(14), pair(17)];
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 && leap ? 29 : MONTH_DAYS[month - 1];
  const exists =
    year >= 1 && days !== undefined && day >= 1 && day <= days && hour <= 23 && minute <= 59 && second <= 59;
  return exists ? null : ' is not a time that exists';
};
