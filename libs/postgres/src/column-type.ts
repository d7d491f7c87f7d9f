/**
 * How a column's values travel: as array elements to Postgres, as text back.
 *
 * A value of another JavaScript type than its column's is refused before anything is sent; Postgres would take some of
 * them (a number for a text column) and the store would hold something that the fold did not mean.
 */
import { PortError } from '@lockstep/engine';
import { JAVASCRIPT_TYPES, type ColumnContent, type ColumnValue } from '@lockstep/protocol';
import { plainArray, quotedArray } from './array-literal.js';
import { effectsRefused } from './store-failure.js';

/** A bigint stands for the amount of an `add`. */
export type GivenValue = ColumnValue | bigint;

export function columnArray(column: ColumnContent, values: readonly GivenValue[]): string {
  const expected = JAVASCRIPT_TYPES[column.type];
  const textOf = (value: GivenValue): string | null => {
    if (value === null) return null;
    if (typeof value === 'bigint' && column.type === 'numeric') return value.toString();
    if (typeof value !== expected) {
      throw effectsRefused(
        `Column "${column.name}" (${column.type}) cannot hold a ${typeof value}; correct the projection.`,
      );
    }
    if (typeof value === 'number') return numberText(column, value);
    return typeof value === 'boolean' ? (value ? 't' : 'f') : (value as string);
  };
  return expected === 'string' ? quotedArray(values, textOf) : plainArray(values, textOf);
}

function numberText(column: ColumnContent, value: number): string {
  if (column.type === 'bigint' ? !Number.isSafeInteger(value) : !Number.isFinite(value)) {
    throw effectsRefused(
      `Column "${column.name}" (${column.type}) cannot hold ${value}; correct the projection.`,
    );
  }
  // String(-0) is "0", and the store would lose the sign that the effects hash has seen.
  return Object.is(value, -0) && column.type !== 'bigint' ? '-0' : String(value);
}

/** @param text the value cast to text. */
export function columnValue(column: ColumnContent, text: string | null): ColumnValue {
  if (text === null) return null;
  switch (column.type) {
    case 'text':
    case 'numeric':
      return text;
    case 'bigint': {
      const value = Number(text);
      if (!Number.isSafeInteger(value)) throw unreadable(column);
      return value;
    }
    case 'double precision':
      return Number(text);
    case 'boolean':
      return text === 'true';
    case 'timestamptz': {
      // `2026-01-02 03:04:05.6+00`: ISO style, zone UTC, no trailing zeros, set by the session.
      if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00$/.test(text)) throw unreadable(column);
      return `${text.slice(0, 10)}T${text.slice(11, -3)}Z`;
    }
  }
}

function unreadable(column: ColumnContent): PortError {
  return new PortError(
    'row-unreadable',
    'fatal',
    `Column "${column.name}" holds a value that no fold can have written; find out who else writes to the table.`,
  );
}
