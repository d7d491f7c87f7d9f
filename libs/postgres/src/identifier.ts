/**
 * SQL identifiers from names of the catalogue.
 */
import { PortError } from '@lockstep/engine';

/** Postgres cuts longer identifiers off without an error, so that two names could become one. */
const IDENTIFIER_BYTES_MAX = 63;

export function quoteIdentifier(name: string): string {
  if (name === '' || name.includes('\0') || Buffer.byteLength(name) > IDENTIFIER_BYTES_MAX) {
    throw new PortError(
      'identifier-invalid',
      'fatal',
      `A table or column name must have 1 to ${IDENTIFIER_BYTES_MAX} bytes; rename it in the catalogue.`,
    );
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/** User tables live in `public`, whatever the search path of the role is. */
export const qualifiedTable = (table: string): string => `public.${quoteIdentifier(table)}`;
