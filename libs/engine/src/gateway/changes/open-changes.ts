/** Opens a change feed, or says why there is none. */
import {
  answerProblem,
  decodeFeedPosition,
  problem,
  type Answer,
  type DatasetName,
  type FeedPosition,
} from '@lockstep/protocol';
import type { GatewayOptions } from '../gateway-options.js';
import { strangeName } from '../query.js';
import { unknownDataset } from '../refusals.js';
import { ChangeFeed } from './change-feed.js';
import { openLog } from './open-log.js';

export interface ChangesCall {
  readonly dataset: string;
  readonly query: { readonly [name: string]: string };
  /** What a client sends that connects again by itself: newer than what its address says. */
  readonly lastEventId: string | null;
}

export async function openChanges(
  options: GatewayOptions,
  { dataset: name, lastEventId, query }: ChangesCall,
): Promise<ChangeFeed | Answer> {
  const dataset = options.datasets.get(name as DatasetName);
  if (dataset === undefined) return unknownDataset(name);
  const strange = strangeName(query, ['from']);
  if (strange !== null) return answerProblem(problem('malformed', strange));
  const asked = lastEventId ?? query['from'] ?? null;
  let from: FeedPosition | null = null;
  if (asked !== null) {
    from = decodeFeedPosition(asked);
    if (from === null) return answerProblem(problem('bad-token', 'the position of the feed cannot be read'));
  }
  const opened = await openLog(options, dataset, from);
  if (opened.kind === 'refused') return answerProblem(opened.problem);
  return new ChangeFeed(options, dataset, opened.position, opened.reader);
}
