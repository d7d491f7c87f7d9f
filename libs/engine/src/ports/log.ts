/**
 * The log port. One adapter per Kafka client, one in-memory twin; all pass `testing/conformance/log`.
 *
 * Promises of an adapter:
 * - `append` writes all records of one call, in order, contiguous among calls of this writer, to exactly the partition
 *   named, replicated to all in-sync replicas, or rejects with a PortError. `unknown` means that they may stand in the
 *   log now, later, or never; the caller repeats the same bytes or gives the session up. Broker idempotence is off.
 * - one send in flight per writer and partition; the caller awaits before it appends to the same partition again.
 * - `fetch` returns records in offset order from exactly the offsets asked for. Offsets may have gaps. It never moves a
 *   position by itself: outside the log it says so (`outOfRange`), it does not reset.
 * - a partition whose leader changed is left out of answers until the next leader is found. It is read on there, from the
 *   same offset, only if that leader shows that its log is the same up to what was told; otherwise the reader rejects, so
 *   that its owner compares what it applied with the log (I4).
 * - a reader that rejects is dead; the owner closes it and opens another.
 * - a reader reads the topic that had the name when it was opened. One that was made anew under that name is another log,
 *   with another `topicId`: the reader rejects instead of reading on in it.
 * - every call ends within its bound. Nothing keeps running behind a call that has ended.
 */
import type {
  LeaderPlacement,
  LogRecord,
  Offset,
  OutgoingRecord,
  PlacedBroker,
  RegionName,
} from '@lockstep/protocol';

export interface Log {
  openWriter(): Promise<LogWriter>;
  openReader(topic: string): Promise<LogReader>;
  readonly admin: LogAdmin;
  /** Closes everything that was opened and not closed. */
  close(): Promise<void>;
}

export interface LogWriter {
  append(request: AppendRequest): Promise<Appended>;
  close(): Promise<void>;
}

export interface AppendRequest {
  readonly topic: string;
  readonly partition: number;
  /** At least one. */
  readonly records: readonly OutgoingRecord[];
  /** After this the call rejects, `unknown` unless nothing can have been sent. */
  readonly timeoutMs: number;
}

export interface Appended {
  /** Offset of the first record. */
  readonly baseOffset: Offset;
  /** Broker's append time of the batch. */
  readonly appendTimeMs: number;
}

export interface LogReader {
  /** Which log is read, among all that ever had the topic's name. */
  readonly topicId: string;
  /**
   * Waits at most `waitMsMax` for at least one record of any partition asked for. Partitions without records are
   * answered too (empty), with their present bounds. One whose leader is looked for is left out; an answer is of one at least.
   */
  fetch(request: FetchRequest): Promise<readonly FetchedPartition[]>;
  /** Ends a fetch under way: it resolves empty or rejects `retryable`. */
  close(): Promise<void>;
}

export interface FetchRequest {
  readonly positions: readonly { readonly partition: number; readonly offset: Offset }[];
  readonly waitMsMax: number;
  /** A bound on the whole answer; what was appended first to a partition is delivered even when it is larger. */
  readonly bytesMax: number;
}

export interface FetchedPartition {
  readonly partition: number;
  /** True when the offset asked for lies outside [start, end]; then there are no records. */
  readonly outOfRange: boolean;
  readonly records: readonly LogRecord[];
  /** First offset that the log still holds. */
  readonly startOffset: Offset;
  /** Offset that the next record will get (high watermark). */
  readonly endOffset: Offset;
  /**
   * Where to read on: after the last record, or further where the rest was control batches or compacted away.
   * Equal to the offset asked for when nothing was there.
   */
  readonly nextOffset: Offset;
}

export interface LogAdmin {
  /** Creates the topic unless it exists; then checks it like `check`. Idempotent; safe from several processes. */
  ensure(topic: TopicDescription): Promise<readonly TopicFinding[]>;
  /** Differences between the topic and its description; empty when it is right. */
  check(topic: TopicDescription): Promise<readonly TopicFinding[]>;
  /** The brokers that are there now, with the region that each stands in. */
  brokers(): Promise<readonly PlacedBroker[]>;
  bounds(
    topic: string,
    partition: number,
  ): Promise<{ readonly startOffset: Offset; readonly endOffset: Offset }>;
  /**
   * Prefers a broker of the region as the partition's leader, and lets it lead now if it is in sync. The replicas stay
   * where they are, and nothing that is committed is lost. Idempotent; after a failure it may still take effect.
   */
  placeLeader(topic: string, partition: number, region: RegionName): Promise<LeaderPlacement>;
}

export interface TopicDescription {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly minInsyncReplicas: number;
  /** `compacted`: the last record of each key stays for ever, any other one for some minutes at least. */
  readonly retentionMs: number | 'compacted';
  /** How brokers store and send what is appended; readers of this port unpack it. */
  readonly compression: Compression;
  /** Broker ids per partition, leader first; null lets the brokers choose. For creation only. */
  readonly replicas: readonly (readonly number[])[] | null;
}

export type Compression = 'none' | 'zstd';

export interface TopicFinding {
  /** For example `partitions`, `replication`, `message.timestamp.type`. */
  readonly setting: string;
  readonly expected: string;
  readonly found: string;
}
