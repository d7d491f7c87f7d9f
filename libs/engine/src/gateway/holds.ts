/** Until when this process holds writes of shards: each hold is counted from when the process first met what makes it. */
import type { ShardName } from '@lockstep/protocol';
import type { Clock } from '../ports/world.js';

export class Holds {
  private readonly held = new Map<ShardName, { readonly by: string; readonly untilMs: number }>();

  /** @param forMs from when it is first met. */
  constructor(
    private readonly clock: Clock,
    private readonly forMs: number,
  ) {}

  /** By the monotonic clock. @param by what holds the shard, by its name. */
  untilMs(shard: ShardName, by: string): number {
    const known = this.held.get(shard);
    if (known?.by === by) return known.untilMs;
    const untilMs = this.clock.monotonicMs() + this.forMs;
    this.held.set(shard, { by, untilMs });
    return untilMs;
  }

  /** Nothing holds the shard. */
  forget(shard: ShardName): void {
    this.held.delete(shard);
  }
}
