/**
 * Streams between regions: a replicator tells watermarks and verdicts, gateways and coordinators listen.
 *
 * Promises of an adapter: frames of one connection arrive in the order told; a connection begins with the present
 * watermark of every shard that its instance holds; watermark frames may be merged per shard (only the newest
 * counts); verdicts may be missing (a gateway then reads the stored outcome), never wrong.
 */
import type {
  EntryNumber,
  Epoch,
  PublisherId,
  RegionName,
  Sequence,
  ShardName,
  Verdict,
  Watermark,
} from '@lockstep/protocol';

export interface StreamSource {
  /** How many replicator instances may tell something of the region; at least one. */
  instances(region: RegionName): number;
  /**
   * @param instance from 0; which of the region's instances holds which shard changes with their leases.
   * @param publisherPrefix verdicts of publishers that begin so are sent as well; null for none. */
  connect(region: RegionName, instance: number, publisherPrefix: string | null): Promise<StreamConnection>;
}

export interface StreamConnection {
  /** The frames that arrived since the last call, at least one. Rejects when the connection ended. */
  next(): Promise<readonly StreamFrame[]>;
  close(): void;
}

export type StreamFrame =
  | { readonly kind: 'watermark'; readonly watermark: Watermark }
  | { readonly kind: 'verdicts'; readonly shard: ShardName; readonly verdicts: readonly ToldVerdict[] };

/** A committed verdict of one entry (I7): told after commit only. */
export interface ToldVerdict {
  readonly publisher: PublisherId;
  readonly number: EntryNumber;
  readonly verdict: Verdict;
  readonly sequence: Sequence;
  readonly epoch: Epoch;
  readonly appendTimeMs: number;
  /** Wall clock of the region when the commit was answered; display only. */
  readonly committedAtMs: number;
  /** For `repeated`: the first outcome, which is the answer. */
  readonly first: FirstOutcome | null;
}

export interface FirstOutcome {
  readonly verdict: Verdict;
  readonly sequence: Sequence;
  readonly epoch: Epoch;
  readonly appendTimeMs: number;
}
