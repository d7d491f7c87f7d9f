/**
 * The operations of a history, and the writes behind them. An operation is one question and its answer; a write is what
 * one idempotency key stands for, however often it was asked, and a keyless operation is a write of its own.
 *
 * What was told of a write is the union of what its operations and a later question for its receipt were told.
 */
import type { Receipt } from '@lockstep/protocol';
import type {
  CompletionLine,
  FaultLine,
  HistoryLine,
  InvokeLine,
  ReadCompletionLine,
  ReadInvokeLine,
  RunLine,
} from './history.js';
import { malformations, type Malformation } from './well-formed.js';

export interface Operation {
  readonly invoke: InvokeLine;
  /** Null where the recorder saw no end, as after its own crash: open, like `info`. */
  readonly end: CompletionLine | null;
}

export interface ReadOperation {
  readonly invoke: ReadInvokeLine;
  readonly end: ReadCompletionLine | null;
}

export interface Write {
  readonly dataset: string;
  /** The idempotency key, the client's or one that a gateway minted and told; null where nobody knows one. */
  readonly key: string | null;
  /** In the order in which they were invoked; at least one. */
  readonly operations: readonly Operation[];
}

export interface RunHistory {
  /** Null where the file lacks its first line. */
  readonly run: RunLine | null;
  readonly lines: readonly HistoryLine[];
  readonly operations: ReadonlyMap<number, Operation>;
  readonly writes: readonly Write[];
  readonly reads: readonly ReadOperation[];
  readonly faults: readonly FaultLine[];
  /** What no recorder may write. A history with any of it judges nobody. */
  readonly malformations: readonly Malformation[];
}

export function readRun(lines: readonly HistoryLine[]): RunHistory {
  let run: RunLine | null = null;
  const invokes = new Map<number, InvokeLine>();
  const ends = new Map<number, CompletionLine>();
  const readInvokes = new Map<number, ReadInvokeLine>();
  const readEnds = new Map<number, ReadCompletionLine>();
  const faults: FaultLine[] = [];
  for (const line of lines) {
    if (line.type === 'run') run ??= line;
    else if (line.type === 'fault') faults.push(line);
    else if (line.type === 'invoke') {
      if (line.f === 'append') invokes.set(line.op, line);
      else readInvokes.set(line.op, line);
    } else if (line.f === 'append') ends.set(line.op, line);
    else readEnds.set(line.op, line);
  }
  const operations = new Map<number, Operation>();
  for (const [op, invoke] of invokes) operations.set(op, { invoke, end: ends.get(op) ?? null });
  const reads = [...readInvokes].map(([op, invoke]) => ({ invoke, end: readEnds.get(op) ?? null }));
  const writes = writesOf(operations.values());
  return { run, lines, operations, writes, reads, faults, malformations: malformations(lines) };
}

function writesOf(operations: Iterable<Operation>): readonly Write[] {
  const writes: Write[] = [];
  const byKey = new Map<string, Operation[]>();
  for (const operation of operations) {
    const { dataset } = operation.invoke;
    const key = keyOf(operation);
    const name = `${dataset} ${key}`;
    const known = key === null ? undefined : byKey.get(name);
    if (known !== undefined) {
      known.push(operation);
      continue;
    }
    const own = [operation];
    if (key !== null) byKey.set(name, own);
    writes.push({ dataset, key, operations: own });
  }
  return writes;
}

/** A receipt names a write by its key, by `publisher:number`, or, where it knows neither, by its trace. */
function keyOf({ invoke, end }: Operation): string | null {
  if (invoke.key !== null) return invoke.key;
  const receipt = end?.receipt ?? null;
  return receipt === null || isEntryId(receipt.id) || receipt.id === receipt.traceId ? null : receipt.id;
}

/** True for what a receipt names a keyless entry by: `publisher:number`. */
export const isEntryId = (id: string): boolean => /^[0-9a-f]{32}:[1-9][0-9]*$/.test(id);

/** Every id of a row of a run is `group:<run>-...`. */
export const ofRun =
  (run: string) =>
  (key: string): boolean =>
    key.startsWith(`${run}-`, key.indexOf(':') + 1);

/** A receipt that says for good what became of its write. */
export const isDefinite = (receipt: Receipt | null | undefined): receipt is Receipt =>
  receipt !== null && receipt !== undefined && receipt.outcome !== 'unknown';

/**
 * Writes that may have happened, of which no answer says so: what must be asked for again where there is a key. That a key
 * was taken for another payload says that it is known, and not what became of the write that has it.
 */
export function openWrites(writes: readonly Write[]): readonly Write[] {
  return writes.filter(
    ({ operations }) =>
      operations.some(({ end }) => end === null || end.type === 'info') &&
      !operations.some(({ end }) => isDefinite(end?.receipt) && end.receipt.code !== 'key-reused'),
  );
}
