/** Late writes of former homes, as this region's fold kept them. */
import {
  answerJson,
  answerProblem,
  parseShardName,
  problem,
  time,
  type Answer,
  type DatasetName,
  type ShardName,
} from '@lockstep/protocol';
import { shardsOf } from '../shards-of.js';
import type { Quarantined } from '../ports/store.js';
import type { GatewayOptions } from './gateway-options.js';
import { strangeName } from './query.js';
import { answeringStore, unknownDataset } from './refusals.js';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

export async function readQuarantine(
  { datasets, region, store }: Pick<GatewayOptions, 'datasets' | 'region' | 'store'>,
  query: { readonly [name: string]: string },
): Promise<Answer> {
  const strange = strangeName(query, ['dataset', 'shard', 'limit']);
  if (strange !== null) return answerProblem(problem('malformed', strange));
  const { dataset, limit = String(LIMIT_DEFAULT), shard } = query;
  if (!/^[1-9][0-9]{0,3}$/.test(limit) || Number(limit) > LIMIT_MAX)
    return answerProblem(problem('malformed', `limit must be a whole number from 1 to ${LIMIT_MAX}`));
  if (dataset !== undefined && !datasets.has(dataset as DatasetName)) return unknownDataset(dataset);
  const shards: readonly ShardName[] = [...datasets.values()]
    .filter(({ table }) => dataset === undefined || table.dataset === dataset)
    .flatMap(({ partitions, table }) => shardsOf(table.dataset, partitions));
  if (shard !== undefined && parseShardName(shard) === null)
    return answerProblem(
      problem('malformed', 'shard must be a dataset and a number, for example accounts/0'),
    );
  const asked = shards.filter((one) => shard === undefined || one === shard);
  if (asked.length === 0) return answerProblem(problem('not-found', `there is no such shard ${shard}`));
  return answeringStore(region, async () => {
    const attempts = await store.quarantined(asked, Number(limit));
    return answerJson(200, { region, attempts: attempts.map(describe) });
  });
}

const describe = ({ attempt, outcome, shard }: Quarantined): object => ({
  shard,
  sequence: Number(attempt.sequence),
  logIncarnation: attempt.logIncarnation,
  region: attempt.region,
  id: `${attempt.publisher}:${attempt.number}`,
  epoch: Number(attempt.epoch),
  shardEpoch: Number(attempt.shardEpoch),
  key: attempt.firstKey,
  idempotencyKeyHash: attempt.idempotencyKey,
  traceparent: attempt.traceparent,
  at: time(attempt.logTimeMs),
  outcome: outcome === null ? null : { verdict: outcome.verdict, sequence: Number(outcome.sequence) },
});
