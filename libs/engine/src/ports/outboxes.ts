/**
 * Outboxes of whatever region, as the leader of a move asks about them.
 *
 * Promises: one attempt, bounded well below the time for which writes are held; rejects when no answer came.
 */
import type { RegionName, ShardName } from '@lockstep/protocol';

export interface Outboxes {
  ask(home: RegionName, shard: ShardName): Promise<OutboxStanding>;
}

/** Of one shard, at one moment. */
export interface OutboxStanding {
  /** The parking for which services are told to come back; null: whatever they save is taken. */
  readonly parkedFor: string | null;
  /** Entries that the log has not decided. */
  readonly pending: number;
}

/**
 * What a home does with its own outbox: safe to call concurrently.
 *
 * Promises: when `parkOutbox` has answered, no transaction is open that could still store an entry of the shard, and none
 * begins before the parking is over: by `unparkOutbox`, or by itself.
 */
export interface OutboxParkingStore {
  /** Once for each parking: to ask again does not prolong it. */
  parkOutbox(shard: ShardName, parking: string, forMs: number): Promise<void>;
  /** Ends that parking and no other. */
  unparkOutbox(shard: ShardName, parking: string): Promise<void>;
  outboxStanding(shard: ShardName): Promise<OutboxStanding>;
}
