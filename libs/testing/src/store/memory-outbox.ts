/**
 * The outbox in the twin of a region's database: what the adapter keeps in tables and guards by triggers, as values. A row
 * change is caught as the row was and became; what is pending of a row lies upon what the log says of it, and the fold of the
 * home takes it off and lays it on again (`settleOutbox` decides which). Nothing is written before all of it is computed.
 */
import { PortError } from '@lockstep/engine';
import type { CommitRequest, OutboxEntry, OutboxStanding, PendingRequest } from '@lockstep/engine';
import {
  endedBy,
  settleOutbox,
  undoesAny,
  type ColumnValue,
  type Cursor,
  type Sequence,
  type Settlement,
  type ShardName,
  type Undone,
} from '@lockstep/protocol';
import { applyRowOperation, type MemoryRow } from './memory-row.js';

/** As the adapter: entries of one shard that may wait for the log. */
const BACKLOG_ENTRIES_MAX = 10_000;

/** One row that a transaction of a service leaves behind, whole; `columns` null: it is deleted. */
export interface RowChange {
  readonly key: string;
  readonly columns: { readonly [column: string]: ColumnValue } | null;
}

/** What a service stores with its changes. */
export interface ServiceEntry extends Pick<OutboxEntry, 'key' | 'fingerprint' | 'firstKey' | 'body'> {
  readonly table: string;
  readonly changes: readonly RowChange[];
}

interface CaughtChange {
  readonly key: string;
  readonly before: MemoryRow | null;
  readonly after: RowChange['columns'];
}

interface Pending extends OutboxEntry {
  readonly shard: ShardName;
  readonly table: string;
  readonly changes: readonly CaughtChange[];
}

/** An entry that was undone, until a person decides. */
export interface UndoneEntry extends Pick<OutboxEntry, 'id' | 'key' | 'fingerprint' | 'body'> {
  readonly shard: ShardName;
  readonly rows: readonly string[];
  readonly reason: Undone['reason'];
  /** Where the shard stood behind the batch that undid it. */
  readonly sequence: Sequence;
}

interface Ownership extends Pick<Cursor, 'home' | 'epoch'> {
  readonly owned: boolean;
  /** The last one; it is over at its time, or before where that is null. */
  readonly parking: { readonly for: string; readonly untilMs: number | null } | null;
}

export interface OutboxState {
  readonly ownership: Map<ShardName, Ownership>;
  readonly pending: Map<bigint, Pending>;
  readonly quarantine: Map<bigint, UndoneEntry>;
  lastId: bigint;
  /** Ordinal of the last transaction that was committed, of all lives of the database. */
  lastStored: number;
}

export const emptyOutbox = (): OutboxState => ({
  ownership: new Map(),
  pending: new Map(),
  quarantine: new Map(),
  lastId: 0n,
  lastStored: 0,
});

export const copyOfOutbox = (outbox: OutboxState): OutboxState => ({
  ...outbox,
  ownership: new Map(outbox.ownership),
  pending: new Map(outbox.pending),
  quarantine: new Map(outbox.quarantine),
});

/** What a transaction must hold before it changes a row of the shard. */
export function admitService({ ownership, pending }: OutboxState, shard: ShardName, nowMs: number): void {
  const known = ownership.get(shard);
  if (known?.owned !== true) {
    const where = known === undefined ? 'its home is not known here yet' : `its home is ${known.home}`;
    throw new PortError('not-owner', 'fatal', `This region does not own ${shard}; ${where}.`);
  }
  if (parkedFor(known, nowMs) !== null)
    throw new PortError('moving', 'retryable', `${shard} is about to move to another home.`);
  const waiting = countOf(pending, shard);
  if (waiting >= BACKLOG_ENTRIES_MAX)
    throw new PortError('backlog-full', 'retryable', `${waiting} entries of ${shard} wait for the log.`);
}

/** Once for each parking, and where the region owns the shard only; whoever asks holds the gate alone. */
export function parkOutbox(
  { ownership }: OutboxState,
  shard: ShardName,
  parking: string,
  untilMs: number,
): void {
  const known = ownership.get(shard);
  if (known?.owned === true && known.parking?.for !== parking)
    ownership.set(shard, { ...known, parking: { for: parking, untilMs } });
}

export function unparkOutbox({ ownership }: OutboxState, shard: ShardName, parking: string): void {
  const known = ownership.get(shard);
  if (known?.parking?.for === parking)
    ownership.set(shard, { ...known, parking: { for: parking, untilMs: null } });
}

export const outboxStanding = (
  { ownership, pending }: OutboxState,
  shard: ShardName,
  nowMs: number,
): OutboxStanding => {
  const known = ownership.get(shard);
  return {
    parkedFor: known?.owned === true ? parkedFor(known, nowMs) : null,
    pending: countOf(pending, shard),
  };
};

const parkedFor = ({ parking }: Ownership, nowMs: number): string | null =>
  parking !== null && (parking.untilMs ?? 0) > nowMs ? parking.for : null;

function countOf(pending: OutboxState['pending'], shard: ShardName): number {
  let count = 0;
  for (const entry of pending.values()) if (entry.shard === shard) count += 1;
  return count;
}

/** A transaction of a service commits: its rows, and the entry beside them under the id that it took. */
export function storeEntry(
  outbox: OutboxState,
  rows: Map<string, MemoryRow>,
  stored: { readonly id: bigint; readonly shard: ShardName; readonly entry: ServiceEntry },
): void {
  const { entry, id, shard } = stored;
  const { body, changes, fingerprint, firstKey, key, table } = entry;
  const caught = changes.map((change): CaughtChange => {
    const before = rows.get(change.key) ?? null;
    if (change.columns === null) rows.delete(change.key);
    // The version is the fold's alone.
    else rows.set(change.key, { version: before?.version ?? NO_VERSION, columns: change.columns });
    return { key: change.key, before, after: change.columns };
  });
  const sent = { id, key, fingerprint, firstKey, body, notAfterMs: null };
  outbox.pending.set(id, { ...sent, shard, table, changes: caught });
}

/** In the order of their ids, which is that of commits wherever two share a row. */
const ordered = ({ pending }: OutboxState, shard: ShardName): readonly Pending[] =>
  [...pending.values()]
    .filter((entry) => entry.shard === shard)
    .sort((x, y) => (x.id < y.id ? -1 : x.id > y.id ? 1 : 0));

export function pendingOf(
  outbox: OutboxState,
  cursor: Cursor | undefined,
  { bytesMax, entriesMax, except, foldedTo, shard }: PendingRequest,
): readonly OutboxEntry[] {
  if (cursor === undefined || cursor.offset < foldedTo) return [];
  const excepted = new Set(except);
  const window: OutboxEntry[] = [];
  let bytes = 0;
  for (const { table: _, changes: __, shard: ___, ...entry } of ordered(outbox, shard)) {
    if (excepted.has(entry.key)) continue;
    bytes += Buffer.byteLength(entry.body);
    if (window.length > 0 && (window.length === entriesMax || bytes > bytesMax)) break;
    window.push(entry);
  }
  return window;
}

export function stamp({ pending }: OutboxState, ids: readonly bigint[], notAfterMs: number): void {
  for (const id of ids) {
    const entry = pending.get(id);
    if (entry?.notAfterMs === null) pending.set(id, { ...entry, notAfterMs });
  }
}

/** Keys of rows upon which something is pending. */
export const rowsPending = ({ pending }: OutboxState): ReadonlySet<string> =>
  new Set([...pending.values()].flatMap(({ changes }) => changes.map(({ key }) => key)));

/** What a fold decides of what is pending. */
interface Decided {
  /** Pending in its shards, in order. */
  readonly before: readonly Pending[];
  readonly settlements: readonly { readonly cursor: Cursor; readonly settlement: Settlement }[];
  readonly ended: ReadonlySet<bigint>;
  /** Rows that it writes. */
  readonly touched: ReadonlySet<string>;
}

function decide(outbox: OutboxState, { rows, shards }: CommitRequest): Decided {
  const touched = new Set(rows.map(({ key }) => key));
  const before: Pending[] = [];
  const settlements = shards.flatMap(({ cursor, outbox: facts, shard }) => {
    if (facts === undefined) return [];
    const pending = ordered(outbox, shard);
    before.push(...pending);
    const judged = new Set(facts.judged.map(({ key }) => key));
    const asked = undoesAny(facts) ? pending : pending.filter(({ key }) => judged.has(key));
    const entries = asked.map(({ changes, id, key }) => ({ id, key, rows: changes.map((one) => one.key) }));
    return [{ cursor, settlement: settleOutbox(entries, facts) }];
  });
  const ended = new Set(settlements.flatMap(({ settlement }) => endedBy(settlement)));
  for (const { changes, id } of before) if (ended.has(id)) for (const { key } of changes) touched.add(key);
  return { before, settlements, ended, touched };
}

/** Shards whose gates a fold must have for itself: where it undoes, or a home changes. */
export const gatesAlone = ({ ownership }: OutboxState, { shards }: CommitRequest): readonly ShardName[] =>
  shards.flatMap(({ cursor, outbox: facts, shard }) =>
    facts !== undefined &&
    (undoesAny(facts) || !isSame(ownership.get(shard), { ...cursor, owned: facts.owned }))
      ? [shard]
      : [],
  );

/** Rows that a fold must have for itself, as it writes them. */
export const rowsWritten = (outbox: OutboxState, request: CommitRequest): readonly string[] => [
  ...decide(outbox, request).touched,
];

/**
 * What the commit of a home makes of rows and outbox; other regions and datasets have nothing to settle.
 * @throws PortError where the data is refused, and then nothing was written.
 */
export function foldOutbox(outbox: OutboxState, rows: Map<string, MemoryRow>, request: CommitRequest): void {
  const { shards, table } = request;
  const { before, ended, settlements, touched } = decide(outbox, request);
  const oldest = changesByRow(before, touched);
  const logged = new Map<string, MemoryRow | null>();
  for (const key of touched) {
    const [first] = oldest.get(key) ?? [];
    logged.set(key, first === undefined ? (rows.get(key) ?? null) : first.before);
  }
  for (const row of request.rows)
    logged.set(row.key, applyRowOperation(table, logged.get(row.key) ?? null, row));

  for (const { cursor, outbox: facts, shard } of shards) {
    if (facts === undefined) continue;
    own(outbox, shard, { owned: facts.owned, home: cursor.home, epoch: cursor.epoch });
  }
  for (const { cursor, settlement } of settlements) {
    for (const { id, reason } of settlement.undone) {
      const { body, changes, fingerprint, key, shard } = outbox.pending.get(id)!;
      const undone = changes.map((change) => change.key);
      const kept = { id, key, fingerprint, body, shard, rows: undone, reason, sequence: cursor.sequence };
      outbox.quarantine.set(id, kept);
    }
    for (const id of endedBy(settlement)) outbox.pending.delete(id);
  }
  const left = before.filter(({ id }) => !ended.has(id));
  const laidUpon = changesByRow(left, touched);
  for (const key of touched) {
    const row = logged.get(key) ?? null;
    const last = laidUpon.get(key)?.at(-1);
    if (last === undefined) put(rows, key, row);
    else if (last.after === null) rows.delete(key);
    else put(rows, key, { version: row?.version ?? NO_VERSION, columns: last.after });
  }
  rebase(outbox, left, logged);
}

type Owned = Pick<Ownership, 'owned' | 'home' | 'epoch'>;

const isSame = (known: Owned | undefined, { epoch, home, owned }: Owned): boolean =>
  known?.owned === owned && known.home === home && known.epoch === epoch;

/** A parking ends with the ownership that it was asked of. */
function own({ ownership }: OutboxState, shard: ShardName, owned: Owned): void {
  if (!isSame(ownership.get(shard), owned)) ownership.set(shard, { ...owned, parking: null });
}

function put(rows: Map<string, MemoryRow>, key: string, row: MemoryRow | null): void {
  if (row === null) rows.delete(key);
  else rows.set(key, row);
}

/** The oldest first. */
function changesByRow(
  entries: readonly Pending[],
  wanted: ReadonlySet<string>,
): ReadonlyMap<string, readonly CaughtChange[]> {
  const byRow = new Map<string, CaughtChange[]>();
  for (const { changes } of entries) {
    for (const change of changes) {
      if (!wanted.has(change.key)) continue;
      const known = byRow.get(change.key);
      if (known === undefined) byRow.set(change.key, [change]);
      else known.push(change);
    }
  }
  return byRow;
}

/** What the log now says of a row is what the oldest change left was made on. */
function rebase(
  outbox: OutboxState,
  left: readonly Pending[],
  logged: ReadonlyMap<string, MemoryRow | null>,
): void {
  const rebased = new Set<string>();
  for (const entry of left) {
    const isOldest = ({ key }: CaughtChange): boolean => logged.has(key) && !rebased.has(key);
    if (!entry.changes.some(isOldest)) continue;
    const changes = entry.changes.map((change) =>
      isOldest(change) ? { ...change, before: logged.get(change.key)! } : change,
    );
    for (const { key } of changes) rebased.add(key);
    outbox.pending.set(entry.id, { ...entry, changes });
  }
}

const NO_VERSION = 0n as Sequence;
