/** What is known of an accepted entry's stages: by the ledger now, or by what was written down of it; what was told stands. */
import type { Sequence, ShardName, Stage, StageTimes } from '@lockstep/protocol';
import type { LedgerFeed, Reached } from './ledger-feed.js';
import type { ReachedHistory } from './reached-history.js';

export class KnownStages {
  constructor(
    private readonly feed: LedgerFeed,
    private readonly history: ReachedHistory,
  ) {}

  of(shard: ShardName, at: Sequence, told: StageTimes): StageTimes {
    const accepted = this.feed.reached(shard, 'accepted', at);
    const quorum = this.reached(shard, 'quorum', at);
    const everywhere = this.reached(shard, 'everywhere', at);
    const [region] = accepted?.regions ?? [];
    return {
      ...(accepted === null || region === undefined ? {} : { accepted: { atMs: accepted.atMs, region } }),
      ...told,
      ...(quorum === null ? {} : { quorum: { atMs: quorum.atMs, regions: quorum.regions } }),
      ...(everywhere === null ? {} : { everywhere: { atMs: everywhere.atMs } }),
    };
  }

  /** False when the time is over. Stages up to `accepted` are told with the verdict. */
  async awaitStage(shard: ShardName, stage: Stage, at: Sequence, untilMs: number): Promise<boolean> {
    if (stage !== 'quorum' && stage !== 'everywhere') return true;
    return this.feed.waitUntil(shard, () => this.reached(shard, stage, at) !== null, untilMs);
  }

  private reached(shard: ShardName, stage: 'quorum' | 'everywhere', at: Sequence): Reached | null {
    const known = this.feed.reached(shard, stage, at);
    if (known !== null) return known;
    const logIncarnation = this.feed.logIncarnation(shard);
    return logIncarnation === null ? null : this.history.find(shard, logIncarnation, stage, at);
  }
}
