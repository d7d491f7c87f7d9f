/**
 * What reads showed: the row that the log makes at the position told (I11), and not from before what the reader has seen.
 * A position that is true and not before the token gives read-your-writes and monotonic reads, as tokens of receipts and
 * of reads name their own positions.
 */
import { decodeToken, type EntryEvent } from '@lockstep/protocol';
import { columnsAfter, differingColumns, type Columns } from './expected-rows.js';
import type { Evidence, FindingList } from './finding.js';
import type { SeenRow } from './history.js';
import type { ReadOperation, RunHistory } from './operations.js';
import type { RefoldedLog } from './refold.js';
import { datasetOf } from './standing.js';

/** A row from one sequence on. */
interface Version {
  readonly since: bigint;
  readonly columns: Columns;
}

export function judgeReads({ reads }: RunHistory, log: RefoldedLog, found: FindingList): void {
  const seen = reads.flatMap((read) => (read.end?.seen ? [{ ...read, seen: read.end.seen }] : []));
  if (seen.length === 0) return;
  const versions = versionsOf(log, new Set(seen.map(({ invoke }) => `${invoke.dataset} ${invoke.row}`)));
  for (const read of seen) {
    const { dataset, op, region, row } = read.invoke;
    const { shard, sequence } = read.seen;
    const at = { operations: [op], keys: [row], region, shard, sequence };
    judgeToken(read, read.seen, at, found);
    const known = versions.get(`${dataset} ${row}`) ?? [];
    const expected = known.findLast(({ since }) => since <= BigInt(sequence));
    const detail = difference(expected, read.seen);
    if (detail !== null) found.add('read-untrue', { ...at, detail });
  }
}

function judgeToken(
  { invoke }: ReadOperation,
  { sequence, shard, token }: SeenRow,
  at: Evidence,
  found: FindingList,
): void {
  const asked = invoke.token === null ? null : decodeToken(invoke.token)?.get(shard as never);
  if (invoke.consistency === 'session' && asked && BigInt(sequence) < asked.sequence) {
    found.add('session-read-stale', { ...at, detail: `the token names ${asked.sequence}` });
  }
  if (token === null) return;
  const told = decodeToken(token)?.get(shard as never)?.sequence;
  if (told !== BigInt(sequence)) {
    found.add('receipt-inconsistent', { ...at, detail: `a read’s token names ${told ?? 'nothing'}` });
  }
}

function difference(expected: Version | undefined, seen: SeenRow): string | null {
  const version = Number(expected?.since ?? 0n);
  if (seen.version !== version) return `version ${seen.version}, expected ${version}`;
  if (expected === undefined) return null;
  const [column] = differingColumns(expected.columns, seen.columns ?? {});
  if (column === undefined) return null;
  const [x, y] = [expected.columns[column], seen.columns?.[column]].map((value) => JSON.stringify(value));
  return `${column} is ${y}, expected ${x}`;
}

/** Every version that the rows ever had, in the order of the log. */
function versionsOf(
  { entries }: RefoldedLog,
  rows: ReadonlySet<string>,
): ReadonlyMap<string, readonly Version[]> {
  const versions = new Map<string, Version[]>();
  for (const { events, sequence, shard, verdict } of entries) {
    if (verdict !== 'accepted') continue;
    const dataset = datasetOf(shard);
    for (const event of events) {
      const row = `${dataset} ${event.key}`;
      if (rows.has(row)) take(versions, row, { dataset, event, sequence });
    }
  }
  return versions;
}

function take(
  versions: Map<string, Version[]>,
  row: string,
  change: { readonly dataset: string; readonly event: EntryEvent; readonly sequence: bigint },
): void {
  const known = versions.get(row) ?? [];
  versions.set(row, known);
  const last = known.at(-1) ?? null;
  const columns = columnsAfter(change.dataset, last?.columns ?? null, change.event) ?? {};
  // Several events of one entry make one version.
  if (last?.since === change.sequence) known.pop();
  known.push({ since: change.sequence, columns });
}
