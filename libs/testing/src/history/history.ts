/**
 * The history of a run: what was asked, what was answered, what was disturbed, and nothing else. Written outside of the
 * system under test, judged by the same checkers for simulated and real clusters.
 *
 * A file is JSON lines, one `HistoryLine` each, in the order in which the recorder saw them. What makes a history usable:
 * - `fail` only where the operation can never take effect: refused before anything was appended, or rejected by a
 *   committed verdict. Every time-out, reset, 5xx and open verdict is `info`.
 * - a client (`p`) has one operation at a time and is never used again after an `info`.
 * - identities (idempotency keys, ids of rows) are unique per run, except where a repeat, or a key taken twice, is meant.
 */
import type { ColumnValue, Receipt } from '@lockstep/protocol';

export const HISTORY_VERSION = 1;

export interface HistoryEvent {
  readonly key: string;
  readonly type: string;
  readonly data: { readonly [name: string]: string | number | boolean };
  readonly expectedVersion?: number;
}

/** First line of every file. */
export interface RunLine {
  readonly type: 'run';
  readonly version: typeof HISTORY_VERSION;
  /** Every id of a row of this run is `group:<run>-...`, so that rows of other writers are told apart. */
  readonly run: string;
  readonly seed: number;
  /** Wall clock, display only. */
  readonly startedAt: string;
  /** What was asked of the load, as the command line understood it. */
  readonly options: { readonly [name: string]: string | number | boolean | null };
}

/** Something is about to be asked. */
export interface InvokeLine {
  readonly type: 'invoke';
  /** Ordinal of the line as the recorder counts them, from 0. */
  readonly i: number;
  /** Monotonic nanoseconds since the run began. */
  readonly t: number;
  /** The logical client. */
  readonly p: number;
  readonly f: 'append';
  /** Ordinal of the operation; its completion carries the same. */
  readonly op: number;
  /** Region of the gateway that is asked. */
  readonly region: string;
  readonly dataset: string;
  /** Idempotency key; null for a keyless write. */
  readonly key: string | null;
  /** Set where the operation repeats an earlier one, byte for byte, under its key. */
  readonly repeats: number | null;
  /** True where an expected version was made wrong on purpose. */
  readonly wrongVersion: boolean;
  readonly ack: string | null;
  readonly timeoutMs: number;
  readonly events: readonly HistoryEvent[];
}

/**
 * How an operation ended. `ok`: told `accepted`, or told `logged` where nothing more was asked (then the receipt's outcome is
 * `unknown` still, and the entry must take effect unless the fold rejects it). `fail`: can never take effect. `info`: open.
 */
export interface CompletionLine {
  readonly type: 'ok' | 'fail' | 'info';
  readonly i: number;
  readonly t: number;
  readonly p: number;
  readonly f: 'append';
  readonly op: number;
  /** HTTP status; null where no answer came. In a batch that of the entry, as a single write would have had it. */
  readonly status: number | null;
  /** Code of the problem, or of what went wrong with the connection; null where there is none. */
  readonly code: string | null;
  readonly replayed: boolean;
  readonly receipt: Receipt | null;
  /** Where the receipt can be asked for again, as the gateway named it. */
  readonly location: string | null;
}

export type Consistency = 'local' | 'session' | 'strong';

/** A row is about to be read. */
export interface ReadInvokeLine {
  readonly type: 'invoke';
  readonly i: number;
  readonly t: number;
  readonly p: number;
  readonly f: 'read';
  readonly op: number;
  readonly region: string;
  readonly dataset: string;
  /** The row's key. */
  readonly row: string;
  readonly consistency: Consistency;
  /** What the reader has seen already, as it was told; null where it names nothing. */
  readonly token: string | null;
  readonly timeoutMs: number;
}

/** How a read ended. `ok`: something was seen, be it that there is no row. A read has no effect, so `fail` and `info` only end it. */
export interface ReadCompletionLine {
  readonly type: 'ok' | 'fail' | 'info';
  readonly i: number;
  readonly t: number;
  readonly p: number;
  readonly f: 'read';
  readonly op: number;
  readonly status: number | null;
  readonly code: string | null;
  /** With `ok` only. */
  readonly seen: SeenRow | null;
}

/** What an answer showed, and the position that it claims for it. */
export interface SeenRow {
  readonly shard: string;
  readonly sequence: number;
  /** 0: there is no row. */
  readonly version: number;
  readonly columns: { readonly [column: string]: ColumnValue } | null;
  /** For later reads of the same session. */
  readonly token: string | null;
}

/** A disturbance, as the one who caused it saw it. */
export interface FaultLine {
  readonly type: 'fault';
  readonly i: number;
  readonly t: number;
  readonly f: string;
  readonly value: string;
}

export type HistoryLine =
  RunLine | InvokeLine | CompletionLine | ReadInvokeLine | ReadCompletionLine | FaultLine;

export const historyText = (line: HistoryLine): string => `${JSON.stringify(line)}\n`;

/** Null for a line that is no history line, such as one that was cut off by a crash of the recorder. */
export function readHistoryLine(text: string): HistoryLine | null {
  try {
    const line = JSON.parse(text) as HistoryLine;
    return TYPES.has(line.type) ? line : null;
  } catch {
    return null;
  }
}

const TYPES: ReadonlySet<string> = new Set(['run', 'invoke', 'ok', 'fail', 'info', 'fault']);
