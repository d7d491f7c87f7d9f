/** Parts of a query string that several calls read. */
import { TIMEOUT_MS_DEFAULT, TIMEOUT_MS_MAX } from '@lockstep/protocol';

/** A misspelt name would silently mean something else; null when all are known. */
export function strangeName(
  query: { readonly [name: string]: string },
  known: readonly string[],
): string | null {
  const strange = Object.keys(query).find((name) => !known.includes(name));
  return strange === undefined
    ? null
    : `the query names "${strange.slice(0, 64)}"; known are ${known.join(', ')}`;
}

/** Null when it is not a time-out within bounds. */
export function readTimeout(text: string | undefined): number | null {
  if (text === undefined) return TIMEOUT_MS_DEFAULT;
  const value = /^[1-9][0-9]{0,5}$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= TIMEOUT_MS_MAX ? value : null;
}
