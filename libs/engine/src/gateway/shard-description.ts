/** One shard of GET /v1/shards: who owns it, whether it goes on here, and how far each region is. */
import type { ShardName, Tally } from '@lockstep/protocol';
import type { GatewayOptions } from './gateway-options.js';

export function describeShard(
  { feed, region, regions }: Pick<GatewayOptions, 'feed' | 'region' | 'regions'>,
  shard: ShardName,
): object {
  const own = feed.own(shard);
  const halted = own?.halted ?? null;
  const differing = feed.differing(shard);
  const state = own === null || own.home === null ? 'unknown' : halted === null ? 'open' : 'halted';
  return {
    shard,
    home: own?.home ?? null,
    epoch: own === null ? null : Number(own.epoch),
    state,
    rule: ruleInForce(feed.tally(shard)),
    reason: own === null ? `${region} has told nothing of it yet` : (halted?.detail ?? null),
    regions: Object.fromEntries(
      regions.map((name) => {
        const watermark = feed.watermark(shard, name);
        if (watermark === null) return [name, null];
        return [
          name,
          {
            sequence: Number(watermark.sequence),
            offset: String(watermark.offset),
            epoch: Number(watermark.epoch),
            lagRecords: watermark.lagRecords,
            inputHash: watermark.inputHash,
            effectsHash: watermark.effectsHash,
            logIncarnation: watermark.logIncarnation,
            storeIncarnation: watermark.storeIncarnation,
            halted: watermark.halted,
            withheld: watermark.withheld,
            differs: differing.has(name),
            parked: [],
          },
        ];
      }),
    ),
  };
}

/** Null while no region that counts has told of it. */
function ruleInForce({ rules }: Tally): object | null {
  const rule = rules.at(-1);
  if (rule === undefined) return null;
  const { from, jointly, text, withdrawn } = rule;
  return { text, from: Number(from), joint: jointly.length > 0, withdrawn };
}
