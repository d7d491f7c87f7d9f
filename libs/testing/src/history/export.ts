/**
 * Histories in the words of other checkers, for a second opinion: Elle's list-append as EDN, and call/return pairs of
 * registers as JSON lines, as a Porcupine model reads them. One line each, to be written to a file as it comes.
 *
 * A write is exported once, however often it was asked: from its first question to its first definite answer. One that
 * nobody told of is open. Rows are lists of the writes that touched them, and registers of their versions.
 */
import { binds } from '@lockstep/protocol';
import { isDefinite, type RunHistory } from './operations.js';
import type { RefoldedLog } from './refold.js';
import type { RegionalState } from './regional-state.js';
import { registersOf, type RegisterCall } from './registers.js';
import { datasetOf, standingOf, type AskedAgain, type Standing, type StandingWrite } from './standing.js';

export type ExportFormat = 'elle' | 'porcupine';
export const EXPORT_FORMATS: readonly ExportFormat[] = ['elle', 'porcupine'];

export interface ExportedRun {
  readonly history: RunHistory;
  readonly asked: ReadonlyMap<number, AskedAgain>;
  readonly log: RefoldedLog;
  readonly regions: ReadonlyMap<string, RegionalState>;
  readonly keyHash: (key: string) => string;
}

export function exportLines(run: ExportedRun, format: ExportFormat): Iterable<string> {
  const standing = standingOf(run.history, run.log, run.asked, run.keyHash);
  return format === 'elle' ? elleLines(run, standing) : porcupineLines(run, standing);
}

type EndType = 'ok' | 'fail' | 'info';

interface Exported {
  readonly at: number;
  readonly type: 'invoke' | EndType;
  readonly process: number;
  readonly value: string;
}

/**
 * `{:index 0, :type :invoke, :process 3, :f :txn, :value [[:append "orders eu:r-o1" 700]]}`. A value is the ordinal of the
 * write's first operation times 100, and the place of the event in its entry. Reads of rows show the list up to the version
 * they saw; at the end every region is read as a whole.
 */
function* elleLines({ history, log, regions }: ExportedRun, standing: Standing): Iterable<string> {
  const lists = listsOf(log, standing);
  const moments: Exported[] = [];
  const ordinals = new Map<number, { readonly call: number; readonly end: number }>();
  for (const [at, line] of history.lines.entries()) {
    if (line.type === 'run' || line.type === 'fault') continue;
    if (line.type === 'invoke') ordinals.set(line.op, { call: at, end: Infinity });
    else ordinals.set(line.op, { call: ordinals.get(line.op)?.call ?? at, end: at });
  }
  const end = history.lines.length;
  const add = (process: number, call: number, done: Omit<Exported, 'process'>, asked: string): void => {
    moments.push({ at: call, type: 'invoke', process, value: asked }, { process, ...done });
  };
  for (const write of standing.writes) {
    const { operations } = write.write;
    const value = appends(write);
    const told = operations.find(({ end: one }) => isDefinite(one?.receipt) || one?.type === 'ok') ?? null;
    const at = told === null ? end : (ordinals.get(told.invoke.op)?.end ?? end);
    const type = endTypeOf(write, told !== null);
    const process = operations.length === 1 ? operations[0]!.invoke.p : unusedProcess(write.ops[0]!);
    add(process, ordinals.get(write.ops[0]!)?.call ?? 0, { at, type, value }, value);
  }
  for (const { end: done, invoke } of history.reads) {
    const row = `${invoke.dataset} ${invoke.row}`;
    const { call = 0, end: at = end } = ordinals.get(invoke.op) ?? {};
    const type = done?.type ?? 'info';
    const value = reads([[row, type === 'ok' ? listUpTo(lists.get(row), done?.seen?.version ?? 0) : null]]);
    add(invoke.p, call, { at: Math.min(at, end), type, value }, reads([[row, null]]));
  }
  let after = end;
  for (const [ordinal, [, { rows }]] of [...regions].entries()) {
    after += 1;
    const seen = [...lists].map(([row, list]) => {
      const [dataset, key] = splitRow(row);
      return [row, listUpTo(list, Number(rows.get(dataset)?.get(key)?.version ?? 0n))] as const;
    });
    const asked = reads(seen.map(([row]) => [row, null] as const));
    add(unusedProcess(-1 - ordinal), after, { at: after, type: 'ok', value: reads(seen) }, asked);
  }
  // At one line: what is asked comes before what is told.
  moments.sort((x, y) => x.at - y.at || Number(y.type === 'invoke') - Number(x.type === 'invoke'));
  for (const [index, { process, type, value }] of moments.entries()) {
    yield `{:index ${index}, :type :${type}, :process ${process}, :f :txn, :value ${value}}`;
  }
}

/** Rejections that the log has are failures; what it refused or nobody knows of is told as it was. */
function endTypeOf({ accepted, entries, write }: StandingWrite, isTold: boolean): EndType {
  if (isTold)
    return accepted.length > 0 ? 'ok' : entries.some(({ verdict }) => binds(verdict)) ? 'fail' : 'info';
  return write.operations.every(({ end }) => end?.type === 'fail') ? 'fail' : 'info';
}

/** Processes of their own, for writes that several clients asked and for what is read at the end; below all clients. */
const unusedProcess = (ordinal: number): number => 1_000_000_000 + ordinal;

interface Listed {
  readonly sequence: number;
  readonly value: number;
}

const valueOf = (op: number, place: number): number => op * 100 + place;

/** Of every row the accepted writes of the run, in the order of the log. */
function listsOf({ entries }: RefoldedLog, { writes }: Standing): ReadonlyMap<string, readonly Listed[]> {
  const owners = new Map(writes.flatMap(({ accepted, ops }) => accepted.map((entry) => [entry, ops[0]!])));
  const lists = new Map<string, Listed[]>();
  for (const entry of entries) {
    const op = owners.get(entry);
    if (op === undefined) continue;
    for (const [place, { key }] of entry.events.entries()) {
      const row = `${datasetOf(entry.shard)} ${key}`;
      const list = lists.get(row) ?? [];
      lists.set(row, list);
      list.push({ sequence: Number(entry.sequence), value: valueOf(op, place) });
    }
  }
  return lists;
}

const listUpTo = (list: readonly Listed[] = [], version: number): readonly number[] =>
  list.filter(({ sequence }) => sequence <= version).map(({ value }) => value);

const appends = ({ events, ops, write }: StandingWrite): string =>
  vector(
    events.map(({ key }, place) => `[:append ${text(`${write.dataset} ${key}`)} ${valueOf(ops[0]!, place)}]`),
  );

const reads = (rows: readonly (readonly [row: string, list: readonly number[] | null])[]): string =>
  vector(rows.map(([row, list]) => `[:r ${text(row)} ${list === null ? 'nil' : vector(list.map(String))}]`));

const vector = (items: readonly string[]): string => `[${items.join(' ')}]`;

/** A string of JSON is one of EDN. */
const text = (name: string): string => JSON.stringify(name);

const splitRow = (row: string): readonly [dataset: string, key: string] => {
  const at = row.indexOf(' ');
  return [row.slice(0, at), row.slice(at + 1)];
};

/**
 * `{"client":1,"call":3,"return":9,"key":"orders eu:r-o1","op":"write","expected":0,"version":2}`. Moments are ordinals of
 * lines; `return` is null for an operation whose end nobody knows. `expected` null: whatever was there.
 */
function* porcupineLines({ history }: ExportedRun, standing: Standing): Iterable<string> {
  for (const { dataset, key, operations } of registersOf(history, standing)) {
    for (const call of operations) yield JSON.stringify(pairOf(`${dataset} ${key}`, call));
  }
}

const pairOf = (key: string, { call, client, operation, return: returned }: RegisterCall): object => ({
  client,
  call,
  return: returned === Infinity ? null : returned,
  key,
  op: operation.kind,
  expected: operation.kind === 'read' ? null : operation.expected,
  version: operation.kind === 'conflict' ? null : operation.version,
});
