/** Refusals that every call of a gateway knows. Nothing was written where one is told. */
import {
  answerProblem,
  problem,
  type Answer,
  type Problem,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import { isPortError } from '../ports/port-error.js';
import type { GatewayOptions } from './gateway-options.js';

const RETRY_AFTER_SECONDS = 1;

/** With `Retry-After` where waiting helps. */
export function answerRefusal(refusal: Problem): Answer {
  const wait = refusal.status === 429 || refusal.status === 503;
  return answerProblem(refusal, wait ? { 'Retry-After': String(RETRY_AFTER_SECONDS) } : {});
}

export const unknownDataset = (dataset: string): Answer =>
  answerProblem(problem('unknown-dataset', `"${dataset.slice(0, 64)}" is not a dataset of the catalogue`));

/** What is known to be wrong is not handed out (I11); null where nothing speaks against this region's store. */
export function refusalOfDoubted(
  { feed, region }: Pick<GatewayOptions, 'feed' | 'region'>,
  shard: ShardName,
): Answer | null {
  if (!feed.isDoubted(shard, region)) return null;
  return answerRefusal(problem('region-differs', `${shard} in ${region} contradicts the other regions`));
}

/** What the store cannot answer now is for the caller to ask again; it is no defect. */
export async function answeringStore(region: RegionName, answer: () => Promise<Answer>): Promise<Answer> {
  try {
    return await answer();
  } catch (error) {
    if (!isPortError(error)) throw error;
    return answerRefusal(
      problem('store-unavailable', `the store of ${region} does not answer (${error.code})`),
    );
  }
}
