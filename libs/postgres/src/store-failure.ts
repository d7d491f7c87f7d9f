/**
 * What a failure of Postgres means to the engine: one table from SQLSTATE to code and disposition.
 *
 * An error that the server sent about a statement means that the statement's transaction was rolled back: it certainly
 * did not happen. A connection that ended, or an answer that did not come in time, says nothing about the statement:
 * `unknown` for whatever writes (B37), `retryable` for reads. SQL, values and addresses stay in `cause`.
 */
import pg from 'pg';
import { isPortError, PortError } from '@lockstep/engine';
import type { Disposition } from '@lockstep/engine';

/** What was under way: a commit's data can be refused, and a write without an answer is unknown. */
export type Call = 'read' | 'write' | 'commit';

/** Raised by `lockstep.all_moved` when a commit did not move every cursor it named. */
const NOT_ALL_MOVED = 'LS001';

/** What the server said of a statement that failed; undefined where it said nothing. */
export const sqlStateBehind = (error: unknown): string | undefined =>
  isPortError(error) && error.cause instanceof pg.DatabaseError ? error.cause.code : undefined;

export const isNotAllMoved = (error: PortError): boolean => sqlStateBehind(error) === NOT_ALL_MOVED;

interface Meaning {
  readonly code: string;
  readonly disposition: Disposition;
  readonly message: string;
}

const CONFLICT: Meaning = {
  code: 'store-conflict',
  disposition: 'retryable',
  message: 'The database rolled the transaction back because of a concurrent one; repeat it.',
};
const EXHAUSTED: Meaning = {
  code: 'store-exhausted',
  disposition: 'retryable',
  message: 'The database lacks disk, memory or connections; free some, the call is repeated.',
};
const ACCESS_REFUSED: Meaning = {
  code: 'store-access-refused',
  disposition: 'fatal',
  message: 'The database refuses this user or database name; check the Postgres URL and the role.',
};
const NOT_MIGRATED: Meaning = {
  code: 'store-not-migrated',
  disposition: 'fatal',
  message:
    'The database lacks a schema, table, column or function; run the migrations and compare the table.',
};
const REOPEN: Meaning = {
  code: 'store-statement-stale',
  disposition: 'retryable',
  message: 'A prepared statement no longer fits the database; the connection is opened anew.',
};
const REFUSED: Meaning = {
  code: 'effects-refused',
  disposition: 'fatal',
  message:
    'The database refuses the data of a commit by a type, a constraint or a limit; compare the table with its projection.',
};
const FAILED: Meaning = {
  code: 'store-statement-failed',
  disposition: 'fatal',
  message: 'The database refused a statement; its log names the reason.',
};

const BY_STATE: { readonly [sqlState: string]: Meaning } = {
  '40001': CONFLICT,
  '40P01': CONFLICT,
  '55P03': {
    code: 'store-lock-timeout',
    disposition: 'retryable',
    message: 'Another transaction holds a lock for too long; repeat, and look for it in pg_stat_activity.',
  },
  '57014': {
    code: 'store-timeout',
    disposition: 'retryable',
    message: 'The database cancelled a statement that took too long; it was rolled back.',
  },
  '57P03': {
    code: 'store-starting',
    disposition: 'retryable',
    message: 'The database is starting up or shutting down; try again.',
  },
  '25006': {
    code: 'store-read-only',
    disposition: 'retryable',
    message: 'The database is read-only (a standby?); the URL must lead to the primary.',
  },
  '42501': ACCESS_REFUSED,
  '3D000': ACCESS_REFUSED,
  '3F000': NOT_MIGRATED,
  '42P01': NOT_MIGRATED,
  '42703': NOT_MIGRATED,
  '42883': NOT_MIGRATED,
  '0A000': REOPEN,
  '26000': REOPEN,
};

const BY_CLASS: { readonly [sqlStateClass: string]: Meaning } = {
  '53': EXHAUSTED,
  '58': EXHAUSTED,
  '28': ACCESS_REFUSED,
};

/** Data refusals: wrong value, broken constraint, beyond a limit of the program (a row or index entry too large). */
const DATA_CLASSES: ReadonlySet<string> = new Set(['22', '23', '54']);

/** The server ends the connection with these, maybe after it has committed. */
const ENDS_CONNECTION: ReadonlySet<string> = new Set(['57P01', '57P02', '57P04', '57P05', '25P03', '25P04']);

export interface StoreFailure {
  readonly error: PortError;
  /** True when the connection cannot be used any more. */
  readonly connectionIsDead: boolean;
}

export function storeFailure(error: unknown, call: Call): StoreFailure {
  const sqlState = error instanceof pg.DatabaseError ? error.code : undefined;
  if (sqlState === undefined || sqlState.startsWith('08') || ENDS_CONNECTION.has(sqlState)) {
    return { error: disconnected(error, call), connectionIsDead: true };
  }
  const meaning = meaningOf(sqlState, call);
  return {
    error: new PortError(
      meaning.code,
      meaning.disposition,
      `${meaning.message} (SQLSTATE ${sqlState})`,
      error,
    ),
    connectionIsDead: meaning === REOPEN,
  };
}

function meaningOf(sqlState: string, call: Call): Meaning {
  const sqlStateClass = sqlState.slice(0, 2);
  if (call === 'commit' && DATA_CLASSES.has(sqlStateClass)) return REFUSED;
  return BY_STATE[sqlState] ?? BY_CLASS[sqlStateClass] ?? FAILED;
}

function disconnected(cause: unknown, call: Call): PortError {
  if (call === 'read') return storeDisconnected(cause);
  return new PortError(
    'store-answer-lost',
    'unknown',
    'The connection to the database ended before it answered; what was written is unknown until it is read again.',
    cause,
  );
}

/** Nothing was sent, or nothing could have been changed. */
export function storeDisconnected(cause?: unknown): PortError {
  return new PortError(
    'store-disconnected',
    'retryable',
    'There is no connection to the database; open the store again.',
    cause,
  );
}

export function effectsRefused(message: string): PortError {
  return new PortError('effects-refused', 'fatal', message);
}
