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
  type ShardName,
} from '@lockstep/protocol';
import { untilChanged, type HeldShardsOptions } from './held-shards.js';
import { Holds } from './holds.js';

export interface OpeningWrite {
  readonly shard: ShardName;
  readonly keys: readonly string[];
  /** Of its dataset, in per cent of the keys. */
  readonly openFirst: number;
  readonly untilMs: number;
}

export class OpeningShards {
  private readonly holds: Holds;

  constructor(private readonly options: HeldShardsOptions) {
    this.holds = new Holds(options.clock, OPENING_MS_MAX);
  }

  /** Resolves at once unless the shard is at home here and opens for others first. False: the write is to come back. */
  async pass(write: OpeningWrite): Promise<boolean> {
    const { clock } = this.options;
    const giveUpAtMs = Math.min(write.untilMs, clock.monotonicMs() + HOLD_MS_MAX);
    for (;;) {
      const heldUntilMs = this.heldUntilMs(write);
      const nowMs = clock.monotonicMs();
      if (nowMs >= heldUntilMs) return true;
      if (nowMs >= giveUpAtMs) return false;
      await untilChanged(this.options, write.shard, Math.min(giveUpAtMs, heldUntilMs));
    }
  }

  /** 0 for a write that is taken. */
  private heldUntilMs({ keys, openFirst, shard }: OpeningWrite): number {
    const move = this.openingBy(shard, openFirst);
    if (move === null) this.holds.forget(shard);
    if (move === null || isTakenFirst(move, keys, openFirst)) return 0;
    return this.holds.untilMs(shard, String(move.decision));
  }

  private openingBy(shard: ShardName, openFirst: number): OpenMove | null {
    const { control, feed, region } = this.options;
    const { epoch, home } = feed.own(shard)!;
    return home === region ? openingBy(control.state(), { shard, home, epoch, openFirst }) : null;
  }
}
