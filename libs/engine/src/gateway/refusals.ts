/** Refusals that every call of a gateway knows. Nothing was written where one is told. */
import { answerProblem, problem, type Answer, type RegionName, type ShardName } from '@lockstep/protocol';
import { isPortError } from '../ports/port-error.js';
import type { GatewayOptions } from './gateway-options.js';

export const unknownDataset = (dataset: string): Answer =>
  answerProblem(problem('unknown-dataset', `"${dataset.slice(0, 64)}" is not a dataset of the catalogue`));

/** What is known to be wrong is not handed out (I11); null where nothing speaks against this region's store. */
export function refusalOfDoubted(
  { feed, region }: Pick<GatewayOptions, 'feed' | 'region'>,
  shard: ShardName,
): Answer | null {
  if (!feed.isDoubted(shard, region)) return null;
  return answerProblem(problem('region-differs', `${shard} in ${region} contradicts the other regions`));
}

/** What the store cannot answer now is for the caller to ask again; it is no defect. */
export async function answeringStore(region: RegionName, answer: () => Promise<Answer>): Promise<Answer> {
  try {
    return await answer();
  } catch (error) {
    if (!isPortError(error)) throw error;
    return answerProblem(
      problem('store-unavailable', `the store of ${region} does not answer (${error.code})`),
    );
  }
}
