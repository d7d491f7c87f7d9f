/**
 * Shards that are about to leave this region: while a switchover has them parked, their new writes wait here, so that the
 * next home begins with nothing under way at the former one. Bounded: a write goes on when the shard has moved, when the
 * move has ended otherwise, and in any case after a while; what the former home appends too late is fenced.
 */
import { HOLD_MS_MAX, parkingOf, type OpenMove, type RegionName, type ShardName } from '@lockstep/protocol';
import type { ControlLog } from '../control/control-log.js';
import type { Clock } from '../ports/world.js';
import { Holds } from './holds.js';
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

/** Until the shard has another epoch here, the control log has changed, or the time is over. */
export async function untilChanged(
  { control, feed }: Pick<HeldShardsOptions, 'control' | 'feed'>,
  shard: ShardName,
  untilMs: number,
): Promise<void> {
  const { epoch } = feed.own(shard)!;
  const hasMoved = (): boolean => feed.own(shard)!.epoch !== epoch;
  await feed.waitUntil(shard, hasMoved, untilMs, control.nextChange());
}

export class HeldShards {
  private readonly holds: Holds;

  constructor(private readonly options: HeldShardsOptions) {
    this.holds = new Holds(options.clock, HOLD_MS_MAX);
  }

  /** Resolves at once unless the shard is at home here and held. */
  async pass(shard: ShardName, untilMs: number): Promise<void> {
    for (;;) {
      const giveUpAtMs = Math.min(untilMs, this.heldUntilMs(shard));
      if (this.options.clock.monotonicMs() >= giveUpAtMs) return;
      await untilChanged(this.options, shard, giveUpAtMs);
    }
  }

  /** 0 while it is not held. */
  private heldUntilMs(shard: ShardName): number {
    const move = leavingBy(this.options, shard);
    if (move !== null) return this.holds.untilMs(shard, parkingOf(move));
    this.holds.forget(shard);
    return 0;
  }
}
