/** The stages of an accepted entry as the ledger knows them now; what was told before stands. */
import type { Sequence, ShardName, StageTimes } from '@lockstep/protocol';
import type { LedgerFeed } from './ledger-feed.js';

export function knownStages(feed: LedgerFeed, shard: ShardName, at: Sequence, told: StageTimes): StageTimes {
  const accepted = feed.reached(shard, 'accepted', at);
  const quorum = feed.reached(shard, 'quorum', at);
  const everywhere = feed.reached(shard, 'everywhere', at);
  const [region] = accepted?.regions ?? [];
  return {
    ...(accepted === null || region === undefined ? {} : { accepted: { atMs: accepted.atMs, region } }),
    ...told,
    ...(quorum === null ? {} : { quorum: { atMs: quorum.atMs, regions: quorum.regions } }),
    ...(everywhere === null ? {} : { everywhere: { atMs: everywhere.atMs } }),
  };
}
