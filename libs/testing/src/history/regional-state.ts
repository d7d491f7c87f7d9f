/**
 * What each region holds against what the accepted entries demand, and the regions against each other (I3, I4, I11).
 */
import type { ColumnValue, Outcome, Sequence, Session, ShardName } from '@lockstep/protocol';
import { columnsAfter, differingColumns, moved, type Columns, type ExpectedRow } from './expected-rows.js';
import type { FindingList } from './finding.js';
import type { LoggedEntry, RefoldedLog, RefoldedShard } from './refold.js';
import { datasetOf, placeOf, type Standing, type StandingWrite } from './standing.js';
import { definiteReceipts } from './told-answers.js';

export interface StoredRow {
  readonly version: Sequence;
  readonly columns: { readonly [column: string]: ColumnValue };
}

export interface StoredCursor {
  readonly logIncarnation: string | null;
  readonly sequence: Sequence;
  readonly inputHash: string;
  readonly effectsHash: string;
}

/** One region's database, as one snapshot shows it. */
export interface RegionalState {
  /** By shard; of all datasets. */
  readonly cursors: ReadonlyMap<string, StoredCursor>;
  /** By dataset and key; those of the run. */
  readonly rows: ReadonlyMap<string, ReadonlyMap<string, StoredRow>>;
  /** By shard; of all writers. Left out where the database is too large to be asked for it. */
  readonly answers?: KeptAnswers;
}

export interface KeptAnswers {
  readonly outcomes: ReadonlyMap<string, ReadonlyMap<string, Outcome>>;
  readonly sessions: ReadonlyMap<string, ReadonlyMap<string, Session>>;
}

type Regions = ReadonlyMap<string, RegionalState>;

const ACCOUNTS = 'accounts';

export function judgeRows(log: RefoldedLog, standing: Standing, regions: Regions, found: FindingList): void {
  const accepted = log.entries.filter(({ verdict }) => verdict === 'accepted');
  const expected = expectedRows(accepted, found);
  const total = totalOf(standing);
  for (const [region, state] of regions) {
    judgeToldEffects(region, state, standing, found);
    judgeTorn(region, state, accepted, found);
    for (const [dataset, rows] of expected) {
      const stored = state.rows.get(dataset);
      for (const [key, row] of rows) judgeRow(region, dataset, key, row, stored?.get(key), found);
    }
    for (const [dataset, rows] of state.rows) {
      const known = expected.get(dataset);
      for (const [key, row] of rows) {
        if (known?.has(key) !== true)
          found.add('row-phantom', { region, keys: [key], sequence: Number(row.version) });
      }
    }
    judgeTotal(region, state, total, found);
  }
  judgeEquality(regions, found);
}

/** By dataset and key, from the accepted entries alone. */
export function expectedRows(
  accepted: readonly LoggedEntry[],
  found: FindingList,
): ReadonlyMap<string, ReadonlyMap<string, ExpectedRow>> {
  const expected = new Map<string, Map<string, ExpectedRow>>();
  for (const { shard, sequence, events } of accepted) {
    const dataset = datasetOf(shard);
    const rows = expected.get(dataset) ?? new Map<string, ExpectedRow>();
    expected.set(dataset, rows);
    for (const event of events) {
      const columns: Columns = columnsAfter(dataset, rows.get(event.key)?.columns ?? null, event) ?? {};
      rows.set(event.key, { version: sequence, columns });
      if (Number(columns['balance'] ?? 0) < 0) {
        const detail = `balance ${columns['balance']}`;
        found.add('balance-negative', { shard, sequence: Number(sequence), keys: [event.key], detail });
      }
    }
  }
  return expected;
}

export function judgeRow(
  region: string,
  dataset: string,
  key: string,
  expected: ExpectedRow,
  stored: StoredRow | undefined,
  found: FindingList,
): void {
  const at = { region, keys: [key], sequence: Number(expected.version) };
  if (stored === undefined) {
    found.add('row-missing', at);
    return;
  }
  if (stored.version !== expected.version) {
    found.add('row-version-differs', { ...at, detail: `version ${stored.version}` });
  }
  for (const column of differingColumns(expected.columns, stored.columns)) {
    const code = dataset === ACCOUNTS && column === 'balance' ? 'balance-differs' : 'row-differs';
    const detail = `${column}: expected ${shown(expected.columns[column])}, found ${shown(stored.columns[column])}`;
    found.add(code, { ...at, detail });
  }
}

const shown = (value: ColumnValue | undefined): string => JSON.stringify(value ?? null).slice(0, 100);

/** Straight from what was told, whatever the log says. */
function judgeToldEffects(
  region: string,
  state: RegionalState,
  { writes }: Standing,
  found: FindingList,
): void {
  for (const write of writes) {
    const told = definiteReceipts(write).find(({ receipt: { outcome } }) => outcome === 'accepted');
    if (told === undefined) continue;
    const { receipt } = told;
    const rows = state.rows.get(write.write.dataset);
    for (const { key } of write.events) {
      const version = rows?.get(key)?.version ?? 0n;
      if (version >= BigInt(receipt.sequence ?? 0)) continue;
      found.add('effect-missing', {
        operations: write.ops,
        keys: [key],
        region,
        shard: receipt.shard,
        sequence: receipt.sequence ?? 0,
        detail: version === 0n ? 'no row' : `version ${version}`,
      });
    }
  }
}

function judgeTorn(
  region: string,
  state: RegionalState,
  accepted: readonly LoggedEntry[],
  found: FindingList,
): void {
  for (const { shard, sequence, events } of accepted) {
    if (events.length < 2) continue;
    const rows = state.rows.get(datasetOf(shard));
    const lacking = events.filter(({ key }) => (rows?.get(key)?.version ?? 0n) < sequence);
    if (lacking.length === 0 || lacking.length === events.length) continue;
    found.add('entry-torn', {
      region,
      shard,
      sequence: Number(sequence),
      keys: [...new Set(lacking.map(({ key }) => key))],
    });
  }
}

/** What the accounts of the run must add up to, from the questions and not from the log's copy of them. */
function totalOf({ writes }: Standing): bigint {
  let total = 0n;
  for (const write of writes) {
    if (write.write.dataset !== ACCOUNTS || !tookEffect(write)) continue;
    for (const event of write.events) total += BigInt(moved(event));
  }
  return total;
}

/** As told; where nobody told, as the log has it. */
export function tookEffect(write: StandingWrite): boolean {
  const told = definiteReceipts(write).find(({ receipt: { code } }) => code !== 'key-reused');
  return told === undefined ? write.accepted.length > 0 : told.receipt.outcome === 'accepted';
}

function judgeTotal(region: string, state: RegionalState, expected: bigint, found: FindingList): void {
  let total = 0n;
  for (const [key, { columns, version }] of state.rows.get(ACCOUNTS) ?? []) {
    const balance = BigInt(Number(columns['balance'] ?? 0));
    total += balance;
    if (balance < 0n) {
      const detail = `balance ${balance}`;
      found.add('balance-negative', { region, keys: [key], sequence: Number(version), detail });
    }
  }
  if (total !== expected) {
    found.add('total-differs', { region, detail: `expected ${expected}, found ${total}` });
  }
}

function judgeEquality(regions: Regions, found: FindingList): void {
  const [first, ...others] = regions;
  if (first === undefined) return;
  const [name, reference] = first;
  for (const [region, state] of others) {
    for (const dataset of new Set([...reference.rows.keys(), ...state.rows.keys()])) {
      const here = reference.rows.get(dataset) ?? NO_ROWS;
      const there = state.rows.get(dataset) ?? NO_ROWS;
      const detail = `${dataset}, compared with ${name}`;
      for (const [key, row] of here) {
        if (!sameRow(row, there.get(key))) found.add('regions-differ', { region, keys: [key], detail });
      }
      for (const key of there.keys()) {
        if (!here.has(key)) found.add('regions-differ', { region, keys: [key], detail });
      }
    }
  }
}

const NO_ROWS: ReadonlyMap<string, StoredRow> = new Map();

const sameRow = (x: StoredRow, y: StoredRow | undefined): boolean =>
  y !== undefined &&
  x.version === y.version &&
  Object.keys(x.columns).length === Object.keys(y.columns).length &&
  differingColumns(x.columns, y.columns).length === 0;

/**
 * @param restedAt as `JudgedRun` has it.
 * @returns how many shards were compared.
 */
export function judgeCursors(
  log: RefoldedLog,
  regions: Regions,
  restedAt: ReadonlyMap<string, bigint>,
  found: FindingList,
): number {
  const shards = new Set<string>(log.shards.keys());
  for (const { cursors } of regions.values()) for (const shard of cursors.keys()) shards.add(shard);
  for (const shard of shards) {
    const cursors = [...regions].map(([region, state]) => ({ region, cursor: state.cursors.get(shard) }));
    const highest = cursors.reduce(
      (most, { cursor }) => (cursor && cursor.sequence > most ? cursor.sequence : most),
      0n,
    );
    const places = new Map<string, { readonly region: string; readonly cursor: StoredCursor }>();
    for (const { region, cursor } of cursors) {
      const end = restedAt.get(shard) ?? highest;
      if (cursor === undefined || cursor.sequence < end) {
        const detail = `the log ends at ${end}`;
        found.add('region-behind', { region, shard, sequence: Number(cursor?.sequence ?? 0), detail });
      }
      if (cursor === undefined) continue;
      const place = placeOf(shard, cursor.sequence);
      const other = places.get(place);
      if (other === undefined) places.set(place, { region, cursor });
      else if (!sameCursor(other.cursor, cursor)) {
        const detail = `compared with ${other.region}`;
        found.add('hashes-differ', { region, shard, sequence: Number(cursor.sequence), detail });
      }
    }
    judgeRefolded(shard, log, cursors, highest, found);
  }
  return shards.size;
}

function judgeRefolded(
  shard: string,
  log: RefoldedLog,
  cursors: readonly { readonly region: string; readonly cursor: StoredCursor | undefined }[],
  highest: bigint,
  found: FindingList,
): void {
  const refolded = log.shards.get(shard as ShardName);
  if (refolded?.halted) {
    found.add('refold-halted', {
      shard,
      sequence: Number(refolded.sequence),
      detail: refolded.halted.detail,
    });
    return;
  }
  const sequence = refolded?.sequence ?? 0n;
  if (sequence !== highest) {
    found.add('refold-differs', {
      shard,
      sequence: Number(sequence),
      detail: `the regions are at ${highest}`,
    });
  }
  for (const { region, cursor } of cursors) {
    const there =
      refolded === undefined || cursor === undefined ? null : refoldedAt(refolded, cursor.sequence);
    if (there === null || sameCursor(there, cursor!)) continue;
    found.add('refold-differs', {
      region,
      shard,
      sequence: Number(cursor!.sequence),
      detail: 'other hashes',
    });
  }
}

/** Null where the hashes of that place were not kept. */
function refoldedAt(refolded: RefoldedShard, sequence: bigint): Place | null {
  const hashes = sequence === refolded.sequence ? refolded : refolded.hashes.get(sequence);
  if (hashes === undefined) return null;
  const { effectsHash, inputHash } = hashes;
  return { logIncarnation: refolded.logIncarnation, inputHash, effectsHash };
}

type Place = Omit<StoredCursor, 'sequence'>;

const sameCursor = (x: Place, y: Place): boolean =>
  x.logIncarnation === y.logIncarnation && x.inputHash === y.inputHash && x.effectsHash === y.effectsHash;
