/**
 * Shards that are about to leave this region: while a switchover has them parked, their new writes wait here, so that the
 * next home begins with nothing under way at the former one. Bounded: a write goes on when the shard has moved, when the
 * move has ended otherwise, and in any case after a while; what the former home appends too late is fenced.
 */
import { HOLD_MS_MAX, parkingOf, type OpenMove, type RegionName, type ShardName } from '@lockstep/protocol';
import type { ControlLog } from '../control/control-log.js';
import type { Clock } from '../ports/world.js';
import type { LedgerFeed } from './ledger-feed.js';

const HOLDING: readonly OpenMove['stage'][] = ['parked', 'drained', 'fencing', 'withdrawing', 'fenced'];

export interface HeldShardsOptions {
  readonly region: RegionName;
  readonly feed: LedgerFeed;
  readonly control: ControlLog;
  readonly clock: Clock;
}

/** The move by which the shard is about to leave this region; null where none has it parked. */
export function leavingBy(
  { control, feed, region }: Pick<HeldShardsOptions, 'control' | 'feed' | 'region'>,
  shard: ShardName,
): OpenMove | null {
  const move = control.state()?.open.find((open) => open.shard === shard);
  const isLeaving =
    move !== undefined &&
    move.from === region &&
    move.move === 'switchover' &&
    HOLDING.includes(move.stage) &&
    feed.own(shard)?.epoch === move.expectedEpoch;
  return isLeaving ? move : null;
}

export class HeldShards {
  /** Until when this process holds the shard, counted from when it first met it parked, and the move by which it is held. */
  private readonly held = new Map<ShardName, { readonly by: string; readonly untilMs: number }>();

  constructor(private readonly options: HeldShardsOptions) {}

  /** Resolves at once unless the shard is at home here and held. */
  async pass(shard: ShardName, untilMs: number): Promise<void> {
    const { clock, control, feed } = this.options;
    for (;;) {
      const giveUpAtMs = Math.min(untilMs, this.heldUntilMs(shard));
      if (clock.monotonicMs() >= giveUpAtMs) return;
      const { epoch } = feed.own(shard)!;
      const hasMoved = (): boolean => feed.own(shard)!.epoch !== epoch;
      await feed.waitUntil(shard, hasMoved, giveUpAtMs, control.nextChange());
    }
  }

  /** 0 while it is not held. */
  private heldUntilMs(shard: ShardName): number {
    const move = leavingBy(this.options, shard);
    if (move === null) {
      this.held.delete(shard);
      return 0;
    }
    const by = parkingOf(move);
    const known = this.held.get(shard);
    if (known?.by === by) return known.untilMs;
    const untilMs = this.options.clock.monotonicMs() + HOLD_MS_MAX;
    this.held.set(shard, { by, untilMs });
    return untilMs;
  }
}
