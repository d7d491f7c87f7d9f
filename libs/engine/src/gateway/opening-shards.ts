/**
 * Shards that have just come to this region and whose dataset opens a new home for a share of the keys first: the other writes
 * wait here until the leader has seen that the home sustains that share. Bounded twice: a write waits for as long as one of a
 * parked shard and is then told to come back, and all are taken after a while, whatever became of the move.
 */
import {
  HOLD_MS_MAX,
  isTakenFirst,
  openingBy,
  OPENING_MS_MAX,
  type OpenMove,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import type { ControlLog } from '../control/control-log.js';
import type { Clock } from '../ports/world.js';
import type { LedgerFeed } from './ledger-feed.js';

export interface OpeningShardsOptions {
  readonly region: RegionName;
  readonly feed: LedgerFeed;
  readonly control: ControlLog;
  readonly clock: Clock;
}

export interface OpeningWrite {
  readonly shard: ShardName;
  readonly keys: readonly string[];
  /** Of its dataset. */
  readonly openFirst: number | null;
  readonly untilMs: number;
}

export class OpeningShards {
  /** Until when this process holds writes of the shard, counted from when it first met its opening, and by which decision. */
  private readonly opening = new Map<ShardName, { readonly by: bigint; readonly untilMs: number }>();

  constructor(private readonly options: OpeningShardsOptions) {}

  /** Resolves at once unless the shard is at home here and opens for others first. False: the write is to come back. */
  async pass(write: OpeningWrite): Promise<boolean> {
    const { clock, control, feed } = this.options;
    const giveUpAtMs = Math.min(write.untilMs, clock.monotonicMs() + HOLD_MS_MAX);
    for (;;) {
      const changed = control.nextChange();
      const heldUntilMs = this.heldUntilMs(write);
      const nowMs = clock.monotonicMs();
      if (nowMs >= heldUntilMs) return true;
      if (nowMs >= giveUpAtMs) return false;
      const { epoch } = feed.own(write.shard)!;
      const hasMoved = (): boolean => feed.own(write.shard)!.epoch !== epoch;
      await feed.waitUntil(write.shard, hasMoved, Math.min(giveUpAtMs, heldUntilMs), changed);
    }
  }

  /** 0 for a write that is taken. */
  private heldUntilMs({ keys, openFirst, shard }: OpeningWrite): number {
    if (openFirst === null) return 0;
    const move = this.openingBy(shard, openFirst);
    if (move === null) {
      this.opening.delete(shard);
      return 0;
    }
    if (isTakenFirst(move, keys, openFirst)) return 0;
    const { decision } = move;
    const known = this.opening.get(shard);
    if (known?.by === decision) return known.untilMs;
    const untilMs = this.options.clock.monotonicMs() + OPENING_MS_MAX;
    this.opening.set(shard, { by: decision, untilMs });
    return untilMs;
  }

  private openingBy(shard: ShardName, openFirst: number): OpenMove | null {
    const { control, feed, region } = this.options;
    const { epoch, home } = feed.own(shard)!;
    return home === region ? openingBy(control.state(), { shard, home, epoch, openFirst }) : null;
  }
}
