/**
 * The closed subset of JSON Schema, compiled once per configuration. Whatever passes is storable in Postgres and reads
 * back as the same value, so that the fold's verdicts are total and the database never refuses a row (B26).
 */
import type { Schema } from './content.js';

/** Null when the value fits, otherwise where and why not, in words for a person. */
export type Check = (value: unknown, path: string) => string | null;

export function compileSchema(schema: Schema): Check {
  switch (schema.type) {
    case 'object':
      return compileObject(schema);
    case 'string':
      return 'format' in schema ? checkTimestamp : compileString(schema);
    case 'integer':
      return (value, path) => {
        if (typeof value !== 'number' || !Number.isSafeInteger(value)) return `${path} must be an integer`;
        return bounds(value, path, schema.minimum, schema.maximum);
      };
    case 'number':
      return (value, path) => {
        if (typeof value !== 'number' || !Number.isFinite(value)) return `${path} must be a finite number`;
        return bounds(value, path, schema.minimum, schema.maximum);
      };
    case 'boolean':
      return (value, path) => (typeof value === 'boolean' ? null : `${path} must be true or false`);
  }
}

function compileObject(schema: Extract<Schema, { type: 'object' }>): Check {
  const checks = new Map(
    Object.entries(schema.properties).map(([name, part]) => [name, compileSchema(part)]),
  );
  const required = [...schema.required];
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return `${path} must be an object`;
    const record = value as { readonly [name: string]: unknown };
    for (const name of required) if (!Object.hasOwn(record, name)) return `${path}.${name} is missing`;
    for (const name of Object.keys(record)) {
      const check = checks.get(name);
      if (check === undefined)
        return `${path} has a property "${name.slice(0, 64)}" that its schema does not know`;
      const failure = check(record[name], `${path}.${name}`);
      if (failure !== null) return failure;
    }
    return null;
  };
}

function compileString(schema: { minLength?: number; maxLength: number; enum?: readonly string[] }): Check {
  const allowed = schema.enum === undefined ? null : new Set(schema.enum);
  const minLength = schema.minLength ?? 0;
  return (value, path) => {
    if (typeof value !== 'string') return `${path} must be a string`;
    if (allowed !== null && !allowed.has(value)) return `${path} must be one of ${[...allowed].join(', ')}`;
    if (value.includes('\u0000')) return `${path} must not contain NUL`;
    if (!value.isWellFormed()) return `${path} contains a lone surrogate`;
    const length = codePoints(value);
    if (length < minLength) return `${path} must have at least ${minLength} characters`;
    if (length > schema.maxLength) return `${path} must have at most ${schema.maxLength} characters`;
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

function bounds(
  value: number,
  path: string,
  minimum: number | undefined,
  maximum: number | undefined,
): string | null {
  if (minimum !== undefined && value < minimum) return `${path} must be at least ${minimum}`;
  if (maximum !== undefined && value > maximum) return `${path} must be at most ${maximum}`;
  return null;
}

const TIMESTAMP = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z$/;
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const checkTimestamp: Check = (value, path) => {
  if (typeof value !== 'string' || !TIMESTAMP.test(value))
    return `${path} must be a time such as 2026-11-21T08:56:38.250Z (UTC, at most microseconds)`;
  const part = (from: number, to: number): number => Number(value.slice(from, to));
  const [year, month, day] = [part(0, 4), part(5, 7), part(8, 10)];
  const [hour, minute, second] = [part(11, 13), part(14, 16), part(17, 19)];
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 && leap ? 29 : MONTH_DAYS[month - 1];
  const exists =
    year >= 1 && days !== undefined && day >= 1 && day <= days && hour <= 23 && minute <= 59 && second <= 59;
  return exists ? null : `${path} is not a time that exists`;
};
