/** GET /v1/status: where each shard's writes are taken now, and when a client that waits shall come back. */
import {
  answerJson,
  answerProblem,
  parseShardName,
  problem,
  reconnection,
  time,
  type Answer,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import type { GatewayOptions } from './gateway-options.js';
import { readShards, strangeName } from './query.js';

type StatusOptions = Pick<GatewayOptions, 'addresses' | 'clock' | 'control' | 'datasets' | 'feed' | 'region'>;

/** From memory alone, so that it can be asked while log and stores are away. */
export function readWriteStatus(options: StatusOptions, query: { readonly [name: string]: string }): Answer {
  const { clock, datasets, region } = options;
  const strange = strangeName(query, ['dataset', 'shard']);
  if (strange !== null) return answerProblem(problem('malformed', strange));
  const asked = readShards(datasets, query);
  if ('refused' in asked) return asked.refused;
  const shards = asked.map((shard) => describe(options, shard));
  return answerJson(200, { region, at: time(clock.nowMs()), shards }, { 'Cache-Control': 'no-store' });
}

function describe({ addresses, control, datasets, feed, region }: StatusOptions, shard: ShardName): object {
  const own = feed.own(shard);
  const home = own?.home ?? null;
  const { configuration, openFirst } = datasets.get(parseShardName(shard)!.dataset)!;
  const { afterMs, move, reason, sinceMs, withinMs, writes } = reconnection({
    shard,
    region,
    home,
    epoch: own?.epoch ?? null,
    isHomeHeard: home !== null && feed.connected().has(home),
    isHalted: (own?.halted ?? null) !== null,
    hasManyWriters: configuration.content.writers === 'any',
    openFirst,
    control: control.state(),
  });
  const gatewayOf = (of: RegionName | null): string | null =>
    of === null ? null : (addresses.get(of) ?? null);
  return {
    shard,
    writes,
    reason,
    home,
    gateway: gatewayOf(home),
    epoch: home === null ? null : Number(own!.epoch),
    since: sinceMs === null ? null : time(sinceMs),
    move:
      move === null
        ? null
        : {
            decision: Number(move.decision),
            move: move.move,
            stage: move.stage,
            since: time(move.passed.at(-1)!.atMs),
            to: move.to,
            gateway: gatewayOf(move.to),
          },
    comeBack: { afterMs, withinMs },
  };
}
