/**
 * Tells again how far shards are that nothing was told of: that they are still caught up, and that this process lives. A round
 * takes those that were told longest ago, at least one, so that listeners hear of the region in every round and of each shard
 * after a few; and it takes them of all lanes at one moment, because a frame that comes alone wakes every listener of every region.
 * What was read to its end longer ago than a round is not told any more: a region whose log has gone falls silent.
 */
import { Gate, waitAtMost } from '../gate.js';
import type { Clock } from '../ports/world.js';

const ROUND_MS = 500;
/** In which each of them is told once. */
const ROUNDS = 4;

export interface QuietShard {
  readonly toldAtMs: number;
  /** By the wall clock. */
  readonly caughtUpAtMs: number;
  readonly tell: () => void;
}

export class QuietShards {
  private readonly stopping = new Gate();

  constructor(
    /** Those of all lanes. */
    private readonly quiet: () => readonly QuietShard[],
    private readonly clock: Clock,
  ) {}

  /** Runs until `stop`. */
  async run(): Promise<void> {
    while (!(await waitAtMost(this.stopping, this.clock, ROUND_MS))) {
      const sinceMs = this.clock.nowMs() - ROUND_MS;
      const quiet = this.quiet().filter(({ caughtUpAtMs }) => caughtUpAtMs >= sinceMs);
      const longestAgo = quiet.toSorted((x, y) => x.toldAtMs - y.toldAtMs);
      for (const { tell } of longestAgo.slice(0, Math.ceil(quiet.length / ROUNDS))) tell();
    }
  }

  stop(): void {
    this.stopping.open();
  }
}
