/**
 * Entries that were undone in one region, and what people did with them; safe to call concurrently.
 *
 * Promises: `ask` and `settle` are durable before they answer, and each finds out whether the entry was settled before: one
 * settlement stands, whoever else tries. A call that rejects with `unknown` may have happened; to ask again is harmless.
 */
import type { EntrySettlement, ShardName, UndoneEntry } from '@lockstep/protocol';

export interface UndoneStore {
  /** Those that nobody has settled first, then the newest first; at most `limit`. */
  undone(shards: readonly ShardName[], limit: number): Promise<readonly UndoneEntry[]>;
  /** Null when none of these shards keeps such an entry. */
  undoneByKey(shards: readonly ShardName[], idempotencyKey: string): Promise<UndoneInFull | null>;
  /** That somebody is about to apply it again. False when it is settled. */
  askUndone(number: bigint, act: Act): Promise<boolean>;
  /**
   * @param ifAsked who had asked to apply it again when whoever settles it looked; `ever` where that does not matter. False
   *   when it is settled, or somebody has asked since.
   */
  settleUndone(
    number: bigint,
    settlement: EntrySettlement,
    act: Act,
    ifAsked: 'ever' | UndoneEntry['asked'],
  ): Promise<boolean>;
}

export interface Act {
  readonly by: string;
  readonly atMs: number;
}

export interface UndoneInFull extends UndoneEntry {
  /** The body of its record. */
  readonly body: string;
  /** Rows as they were before it and after it. */
  readonly changes: readonly {
    readonly table: string;
    readonly key: string;
    readonly before: unknown;
    readonly after: unknown;
  }[];
}
