/** A shard as this process sees it through the streams of all regions, in the words of the decisions about moves. */
import {
  groupOfPartition,
  parseShardName,
  type ConfigurationContent,
  type RegionName,
  type SeenShard,
  type ShardName,
} from '@lockstep/protocol';
import type { LedgerFeed } from '../gateway/ledger-feed.js';

export function seeShard(
  feed: LedgerFeed,
  regions: readonly RegionName[],
  content: ConfigurationContent,
  shard: ShardName,
): SeenShard {
  const connected = feed.connected();
  const differing = feed.differing(shard);
  const logIncarnation = feed.logIncarnation(shard);
  return {
    shard,
    legal: groupOfPartition(content.groups, parseShardName(shard)!.partition).regions,
    regions: regions.map((region) => {
      const told = feed.watermark(shard, region);
      const isOfThisLog = told !== null && told.logIncarnation === logIncarnation;
      return {
        region,
        isConnected: connected.has(region),
        differs: differing.has(region),
        told: !isOfThisLog
          ? null
          : {
              sequence: told.sequence,
              epoch: told.epoch,
              home: told.home,
              term: told.term,
              decision: told.decision,
              lagRecords: told.lagRecords,
              halted: told.halted?.code ?? null,
              withheld: told.withheld?.code ?? null,
            },
      };
    }),
    rule: feed.tally(shard).rules.at(-1)?.text ?? null,
  };
}
