/**
 * What a pause covers, as people write it:
 *
 *   scope = "all" | "dataset:" dataset | "shard:" shard | "region:" region
 *
 * A region covers every move from it and to it.
 */
import {
  isDatasetName,
  isRegionName,
  parseShardName,
  type RegionName,
  type ShardName,
} from '../identity/identity.js';

declare const brand: unique symbol;
/** A text that `isScope` knows. */
export type Scope = string & { readonly [brand]: 'Scope' };

export function isScope(text: string): text is Scope {
  if (text === 'all') return true;
  const name = text.slice(text.indexOf(':') + 1);
  switch (text.slice(0, text.indexOf(':') + 1)) {
    case 'dataset:':
      return isDatasetName(name);
    case 'shard:':
      return parseShardName(name) !== null;
    case 'region:':
      return isRegionName(name);
    default:
      return false;
  }
}

export const A_SCOPE_IS = '"all", "dataset:NAME", "shard:DATASET/N" or "region:NAME"';

export function covers(
  scope: Scope,
  move: { readonly shard: ShardName; readonly from: RegionName; readonly to: RegionName },
): boolean {
  const dataset = parseShardName(move.shard)?.dataset;
  const covering = [
    'all',
    `dataset:${dataset}`,
    `shard:${move.shard}`,
    `region:${move.from}`,
    `region:${move.to}`,
  ];
  return covering.includes(scope);
}
