/**
 * Changes of quorum rules as this process noticed them, for people who look: the logs hold the entries, but their times only in
 * each shard. Nothing is decided from it. The rule that is met first is no change; what changed while this process was away is
 * one change, noticed when it is back.
 *
 * Bounded: `CHANGES_MAX` changes.
 */
import { Gate, waitAtMost, type Clock, type LedgerFeed } from '@lockstep/engine';
import { time, type ShardName } from '@lockstep/protocol';

const LOOK_MS = 1_000;
export const CHANGES_MAX = 256;

interface Change {
  readonly atMs: number;
  readonly shard: ShardName;
  readonly rule: string;
  readonly before: string;
}

export class RuleRecord {
  private readonly known = new Map<ShardName, string>();
  private readonly changes: Change[] = [];
  private readonly stopping = new Gate();

  constructor(
    private readonly feed: Pick<LedgerFeed, 'tally'>,
    private readonly shards: readonly ShardName[],
    private readonly clock: Pick<Clock, 'nowMs' | 'sleep'>,
  ) {}

  /** Runs until `stop`. */
  async run(): Promise<void> {
    while (!this.stopping.isOpen) {
      this.look();
      await waitAtMost(this.stopping, this.clock, LOOK_MS);
    }
  }

  stop(): void {
    this.stopping.open();
  }

  describe(): object {
    return { changes: this.changes.map(({ atMs, ...change }) => ({ at: time(atMs), ...change })) };
  }

  private look(): void {
    for (const shard of this.shards) {
      const rule = this.feed.tally(shard).rules.at(-1);
      if (rule === undefined) continue;
      const { jointly, text, withdrawn } = rule;
      const without = withdrawn.length === 0 ? '' : ` without ${withdrawn.join(', ')}`;
      const now = `${text}${without}${jointly.length === 0 ? '' : ' (with the rule before, for now)'}`;
      const before = this.known.get(shard);
      this.known.set(shard, now);
      if (before === undefined || before === now) continue;
      this.changes.push({ atMs: this.clock.nowMs(), shard, rule: now, before });
      if (this.changes.length > CHANGES_MAX) this.changes.shift();
    }
  }
}
