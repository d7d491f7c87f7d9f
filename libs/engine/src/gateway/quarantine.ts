/** Late writes of former homes, as this region's fold kept them. */
import { answerJson, answerProblem, problem, time, type Answer } from '@lockstep/protocol';
import type { Quarantined } from '../ports/store.js';
import type { GatewayOptions } from './gateway-options.js';
import { readShards, strangeName } from './query.js';
import { answeringStore } from './refusals.js';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

export async function readQuarantine(
  { datasets, region, store }: Pick<GatewayOptions, 'datasets' | 'region' | 'store'>,
  query: { readonly [name: string]: string },
): Promise<Answer> {
  const strange = strangeName(query, ['dataset', 'shard', 'limit']);
  if (strange !== null) return answerProblem(problem('malformed', strange));
  const { limit = String(LIMIT_DEFAULT) } = query;
  if (!/^[1-9][0-9]{0,3}$/.test(limit) || Number(limit) > LIMIT_MAX)
    return answerProblem(problem('malformed', `limit must be a whole number from 1 to ${LIMIT_MAX}`));
  const asked = readShards(datasets, query);
  if ('refused' in asked) return asked.refused;
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
