/**
 * The store ports: what one region's database does for the engine, in logical operations, never in SQL. One Postgres
 * adapter, one in-memory twin; both pass `testing/conformance/store`.
 *
 * Promises of an adapter:
 * - `commit` is atomic and durable: cursors, sessions, outcomes and rows of all shards named, or nothing (I4). It moves
 *   each cursor by compare-and-set on (offset, sequence, lease number) and answers `lost`, with nothing written, when
 *   one does not match.
 * - a commit that rejects with `unknown` may have happened; the caller loads the cursors again before anything else.
 * - `load` and `read` see every commit that was answered before they were called.
 * - rows are changed only where their stored version is lower than the operation's.
 * - lease expiry is judged by the database's clock and decides only who may try (liveness); safety is the number.
 * - a refusal of the data itself by the database (a type or constraint) is `fatal` with code `effects-refused`: a
 *   defect, not a verdict.
 */
import type {
  ColumnContent,
  ColumnValue,
  ConfigurationContent,
  ConfigurationHash,
  Cursor,
  DatasetName,
  FencedAttempt,
  Fingerprint,
  KeyHash,
  LeaseNumber,
  Offset,
  Outcome,
  OutboxFacts,
  ReadAnswers,
  Reads,
  RowOperation,
  Sequence,
  Session,
  ShardName,
  ShardState,
  StoreIncarnation,
} from '@lockstep/protocol';

/** A table of a projection: `id` (the whole key), the columns, and `lockstep_version`. */
export interface ProjectedTable {
  readonly dataset: DatasetName;
  readonly table: string;
  readonly columns: readonly ColumnContent[];
}

/** Who changes the rows of a projection besides those who restore a database. */
export type TableWriter = 'fold' | 'outbox';

/** What a replicator's lane uses; one connection's worth of work at a time, calls are not concurrent. */
export interface ApplyStore {
  /** The present life of this database. */
  incarnation(): Promise<StoreIncarnation>;
  /** Begins a new life of this generation unless somebody has begun one since `from`; answers the present one. */
  renewIncarnation(from: StoreIncarnation, generation: number): Promise<StoreIncarnation>;
  /** Creates cursors and lease rows for shards that have none. */
  ensureShards(shards: readonly ShardName[]): Promise<void>;
  /** Takes those shards whose lease is free or expired, raising their numbers (in lease and cursor at once). */
  claim(request: LeaseRequest): Promise<readonly Lease[]>;
  /** Prolongs; answers those that are still held. A shard that is missing in the answer is lost. */
  renew(request: LeaseRequest & { readonly held: readonly Lease[] }): Promise<readonly Lease[]>;
  /** Gives leases up so that another instance need not wait for expiry. */
  release(held: readonly Lease[]): Promise<void>;
  /** Cursors and sessions, from one snapshot. */
  load(shards: readonly ShardName[]): Promise<readonly ShardState[]>;
  /** `reads` by shard; answers by shard, from one snapshot, with the place at which the shard stands in it. */
  read(
    table: ProjectedTable,
    reads: ReadonlyMap<ShardName, Reads>,
    withColumns: boolean,
  ): Promise<ReadonlyMap<ShardName, PlacedAnswers>>;
  commit(request: CommitRequest): Promise<CommitResult>;
  /** Deletes sessions, outcomes, fenced attempts and settled entries from before what their cursor remembers; bounded work per call; answers how many. */
  clean(shards: readonly ShardName[]): Promise<number>;
  close(): Promise<void>;
}

/**
 * What a fold is given must be of the state that it begins with: of another place, and of a commit that came to stand behind
 * the back of whoever read the cursor, answers say what the fold itself has yet to decide.
 */
export interface PlacedAnswers extends ReadAnswers {
  readonly sequence: Sequence;
}

export interface LeaseRequest {
  /** Name of the replicator instance; unique per process start. */
  readonly holder: string;
  readonly shards: readonly ShardName[];
  readonly leaseMs: number;
}

export interface Lease {
  readonly shard: ShardName;
  readonly number: LeaseNumber;
}

export interface CommitRequest {
  readonly shards: readonly ShardCommit[];
  readonly table: ProjectedTable;
  /** One per key, sorted by key (code unit order). */
  readonly rows: readonly RowOperation[];
}

export interface ShardCommit {
  readonly shard: ShardName;
  readonly lease: LeaseNumber;
  readonly expectedOffset: Offset;
  readonly expectedSequence: Sequence;
  readonly cursor: Cursor;
  /** Changed sessions, one per publisher. */
  readonly sessions: readonly Session[];
  /** Newly bound keys; a key whose outcome was forgotten may be bound again and is replaced. */
  readonly outcomes: readonly Outcome[];
  /** Judged `fenced`; kept as long as outcomes are. */
  readonly fenced: readonly FencedAttempt[];
  /**
   * Present where the shard's dataset is written through an outbox and this region is or was its home. The rows are then first
   * put back to what the log says; what is still pending behind the commit is laid upon them again (`settleOutbox`).
   */
  readonly outbox?: OutboxFacts;
}

export type CommitResult =
  | { readonly kind: 'committed' }
  /** Another instance owns one of the shards, or the cursor moved. Nothing was written. */
  | { readonly kind: 'lost' };

/** What the relay of a home asks its region's outbox; calls are not concurrent within a shard. */
export interface OutboxStore {
  /**
   * Entries that the log has not decided, the oldest first, without those that are excepted; as many as fit both bounds, and
   * one in any case. None while the database stands before `foldedTo`.
   */
  pending(request: PendingRequest): Promise<readonly OutboxEntry[]>;
  /** Says until when the entries may be judged, for those of which it was never said. */
  stamp(ids: readonly bigint[], notAfterMs: number): Promise<void>;
  close(): Promise<void>;
}

export interface PendingRequest {
  readonly shard: ShardName;
  /** A database that stands before it went back: what is stored there now may lie before fences that it is to fold again. */
  readonly foldedTo: Offset;
  /** By key: a database that went back gives ids anew. */
  readonly except: readonly KeyHash[];
  readonly entriesMax: number;
  readonly bytesMax: number;
}

export interface OutboxEntry {
  readonly id: bigint;
  readonly key: KeyHash;
  readonly fingerprint: Fingerprint;
  /** Key of its first event. */
  readonly firstKey: string;
  /** The body of the record. */
  readonly body: string;
  /** Null before it is first sent. */
  readonly notAfterMs: number | null;
}

/** What gateways and coordinators ask a region's store; safe to call concurrently. */
export interface QueryStore {
  /** The outcome of a key in each of the shards that has one. */
  outcomes(
    shards: readonly ShardName[],
    key: KeyHash,
  ): Promise<readonly { readonly shard: ShardName; readonly outcome: Outcome }[]>;
  /** Fenced attempts, newest first by log time, then by shard, then the highest sequence first; at most `limit`. */
  quarantined(shards: readonly ShardName[], limit: number): Promise<readonly Quarantined[]>;
  /** Rows of any tables with the cursors of their shards, in the order asked, all from one snapshot. */
  rows(places: readonly RowPlace[]): Promise<readonly StoredRow[]>;
  cursors(shards: readonly ShardName[]): Promise<readonly Cursor[]>;
  /** Every configuration kept: this region can fold whatever part of a log they judge. */
  configurations(): Promise<
    readonly { readonly hash: ConfigurationHash; readonly content: ConfigurationContent }[]
  >;
  /** Keeps a configuration; idempotent. */
  keepConfiguration(hash: ConfigurationHash, content: ConfigurationContent): Promise<void>;
  /**
   * Creates the table if absent; otherwise answers how it differs (then the start must stop). Where services write it through
   * an outbox, changes that belong to no entry are refused from then on; the fold alone writes it unless said otherwise.
   */
  ensureTable(table: ProjectedTable, writtenBy?: TableWriter): Promise<readonly string[]>;
  /** Cheap round trip; rejects when the database cannot be reached or lies about durability. */
  check(): Promise<void>;
  close(): Promise<void>;
}

export interface Quarantined {
  readonly shard: ShardName;
  readonly attempt: FencedAttempt;
  /** What its key is bound to by now: its write was decided by another attempt. Null without a key as well. */
  readonly outcome: Pick<Outcome, 'verdict' | 'sequence'> | null;
}

/** Where a row is, should there be one. */
export interface RowPlace {
  readonly table: ProjectedTable;
  readonly shard: ShardName;
  readonly key: string;
}

export interface StoredRow {
  readonly cursor: Cursor;
  /** Null when there is no row. */
  readonly row: {
    readonly version: Sequence;
    readonly columns: { readonly [column: string]: ColumnValue };
  } | null;
}

/** What a region's database tells telemetry of itself. */
export interface DatabaseStanding {
  /** Bytes of write-ahead log that the server has written since it was made, for every database in it. */
  readonly walBytes: bigint;
  /** One for each dataset that the region folds. */
  readonly held: readonly HeldEntries[];
}

export interface HeldEntries {
  readonly dataset: DatasetName;
  /** Stored by services, not decided by the log yet. */
  readonly pending: number;
  /** Undone, until a person decides. */
  readonly undone: number;
  /** Writes of former homes that came too late, until they are forgotten. */
  readonly late: number;
}
