/**
 * What the fold remembers of a shard, and what a store keeps of it.
 *
 * `ShardState` is held in memory by the replicator that holds the shard's lease; it advances only after the commit
 * (B23). `Cursor` is the part every commit writes; sessions and outcomes are written as they change. All of it is a
 * pure function of the log prefix (I3), so it is equal in every region at equal sequence.
 */
import { NO_EPOCH, NO_OFFSET, NO_SEQUENCE } from '../identity/identity.js';
import type {
  ConfigurationHash,
  EntryNumber,
  Epoch,
  Fingerprint,
  KeyHash,
  LogIncarnation,
  Offset,
  PublisherId,
  RegionName,
  Sequence,
  ShardName,
} from '../identity/identity.js';
import { ZERO_HASH, type Hash128 } from '../entry/digest.js';
import type { BindingVerdict } from './verdict.js';
import type { ColumnValue } from '../configuration/content.js';
import type { RuleInForce } from '../quorum/rule-in-force.js';

/** A region's committed place in a shard, with everything the next fold needs except sessions and reads. */
export interface Cursor {
  readonly shard: ShardName;
  /** Null before genesis. */
  readonly logIncarnation: LogIncarnation | null;
  /** Offset of the last folded record; -1 before the first. */
  readonly offset: Offset;
  readonly sequence: Sequence;
  readonly epoch: Epoch;
  /** Null before genesis. */
  readonly home: RegionName | null;
  /** The last (term, decision) that a fence or a `term` entry left in the shard. */
  readonly term: bigint;
  readonly decision: bigint;
  readonly logTimeMs: number;
  /**
   * Log time from which on sessions and outcomes are remembered. They only grow, whatever the retention becomes, so
   * that a longer retention never brings back what some region has already forgotten (I3).
   */
  readonly sessionsSinceMs: number;
  readonly outcomesSinceMs: number;
  readonly inputHash: Hash128;
  readonly effectsHash: Hash128;
  /** Null before genesis. */
  readonly configuration: ConfigurationHash | null;
  /** Quorum rules by the positions that they judge, oldest first; empty before genesis. */
  readonly rules: readonly RuleInForce[];
  /** Digest of the record at `offset`: proves on taking the shard that the log still holds it. */
  readonly recordDigest: Hash128;
  /** Both hashes at the last multiple of `MARK_INTERVAL`; null before the first. */
  readonly mark: Mark | null;
}

/** Both hashes at a multiple of 256, so that regions that commit different batches can be compared (I11). */
export interface Mark {
  readonly sequence: Sequence;
  readonly inputHash: Hash128;
  readonly effectsHash: Hash128;
}

export const MARK_INTERVAL = 256n;

export interface Session {
  readonly publisher: PublisherId;
  /** Last number that was folded without a gap; 0 when the session began with a hole. */
  readonly last: EntryNumber;
  /** A number was skipped: every later new number of the session is a `hole` too. */
  readonly holed: boolean;
  /** Log time of its last entry; a session is forgotten by age in log time. */
  readonly logTimeMs: number;
}

/** The answer that a key is bound to (I10). */
export interface Outcome {
  readonly key: KeyHash;
  /** Null when the key was settled: every fingerprint is answered the same. */
  readonly fingerprint: Fingerprint | null;
  readonly verdict: BindingVerdict;
  readonly sequence: Sequence;
  readonly epoch: Epoch;
  readonly logTimeMs: number;
  /** Append time of the record that bound the key. */
  readonly appendTimeMs: number;
  /** It was acknowledged though its rule was not met in time. */
  readonly degraded: boolean;
  /** Distinct keys of the entry's events; their versions are `sequence` when accepted. Empty when settled. */
  readonly eventKeys: readonly string[];
}

/** An entry that was judged `fenced`: a late write of a former home, kept for people. */
export interface FencedAttempt {
  readonly sequence: Sequence;
  readonly logIncarnation: LogIncarnation;
  readonly region: RegionName;
  readonly publisher: PublisherId;
  readonly number: EntryNumber;
  /** That it was stamped with. */
  readonly epoch: Epoch;
  /** Of the shard when it landed. */
  readonly shardEpoch: Epoch;
  readonly firstKey: string;
  readonly idempotencyKey: KeyHash | null;
  readonly traceparent: string | null;
  readonly logTimeMs: number;
}

export interface ShardState {
  readonly cursor: Cursor;
  readonly sessions: ReadonlyMap<PublisherId, Session>;
}

/** A stored row as the fold reads it: its version, and its columns where the projection is an aggregate. */
export interface ReadRow {
  readonly version: Sequence;
  readonly columns: { readonly [column: string]: ColumnValue } | null;
}

/** What the fold must know of the store before it can judge a batch of one shard. */
export interface Reads {
  readonly outcomes: ReadonlySet<KeyHash>;
  /** Keys whose row version (and, for aggregates, columns) is needed. */
  readonly rows: ReadonlySet<string>;
}

/** The answers to `Reads`; an absent entry means that the store has none. */
export interface ReadAnswers {
  readonly outcomes: ReadonlyMap<KeyHash, Outcome>;
  readonly rows: ReadonlyMap<string, ReadRow>;
}

/** The cursor of a shard that nobody has folded yet. */
export const emptyCursor = (shard: ShardName): Cursor => ({
  shard,
  logIncarnation: null,
  offset: NO_OFFSET,
  sequence: NO_SEQUENCE,
  epoch: NO_EPOCH,
  home: null,
  term: 0n,
  decision: 0n,
  logTimeMs: 0,
  sessionsSinceMs: 0,
  outcomesSinceMs: 0,
  inputHash: ZERO_HASH,
  effectsHash: ZERO_HASH,
  configuration: null,
  rules: [],
  recordDigest: ZERO_HASH,
  mark: null,
});
