/** Parts of a query string that several calls read. */
import {
  answerProblem,
  parseShardName,
  problem,
  TIMEOUT_MS_DEFAULT,
  TIMEOUT_MS_MAX,
  type Answer,
  type DatasetName,
  type ShardName,
} from '@lockstep/protocol';
import { shardsOf } from '../shards-of.js';
import type { GatewayOptions } from './gateway-options.js';
import { unknownDataset } from './refusals.js';

/** A misspelt name would silently mean something else; null when all are known. */
export function strangeName(
  query: { readonly [name: string]: string },
  known: readonly string[],
): string | null {
  const strange = Object.keys(query).find((name) => !known.includes(name));
  return strange === undefined
    ? null
    : `the query names "${strange.slice(0, 64)}"; known are ${known.join(', ')}`;
}

/** Null when it is not a time-out within bounds. */
export function readTimeout(text: string | undefined): number | null {
  if (text === undefined) return TIMEOUT_MS_DEFAULT;
  const value = /^[1-9][0-9]{0,5}$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= TIMEOUT_MS_MAX ? value : null;
}

/** The shards that `dataset` and `shard` leave, or why there are none. */
export function readShards(
  datasets: GatewayOptions['datasets'],
  { dataset, shard }: { readonly [name: string]: string },
): readonly ShardName[] | { readonly refused: Answer } {
  if (dataset !== undefined && !datasets.has(dataset as DatasetName))
    return { refused: unknownDataset(dataset) };
  if (shard !== undefined && parseShardName(shard) === null)
    return {
      refused: answerProblem(
        problem('malformed', 'shard must be a dataset and a number, for example accounts/0'),
      ),
    };
  const shards = [...datasets.values()]
    .filter(({ table }) => dataset === undefined || table.dataset === dataset)
    .flatMap(({ partitions, table }) => shardsOf(table.dataset, partitions))
    .filter((one) => shard === undefined || one === shard);
  if (shards.length > 0) return shards;
  return { refused: answerProblem(problem('not-found', `there is no such shard ${shard}`)) };
}
