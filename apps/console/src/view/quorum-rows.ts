/** Which rule makes a write `quorum`, dataset by dataset, and whether the regions that are heard can meet it. */
import type { Quorum, Shards } from '../facts.js';
import { some, type Tone } from './region-rows.js';
import { byShard, datasetOf, UNKNOWN } from './words.js';

export interface QuorumRow {
  readonly dataset: string;
  readonly rule: string;
  readonly tone: Tone;
  readonly state: string;
}

export function quorumRows(quorums: readonly Quorum[], shards: Shards | null): readonly QuorumRow[] {
  const datasets = [...new Set([...quorums].sort(byShard).map(({ shard }) => datasetOf(shard)))];
  return datasets.map((dataset) => {
    const own = quorums.filter(({ shard }) => datasetOf(shard) === dataset);
    return { dataset, rule: ruleOf(dataset, shards), ...stateOf(own) };
  });
}

/** Once the coordinator that told it does not answer. */
export const lastToldQuorum = ({ dataset, rule, state }: QuorumRow): QuorumRow => ({
  dataset,
  rule,
  tone: 'unknown',
  state: `${UNKNOWN}; last told: ${state}`,
});

function ruleOf(dataset: string, shards: Shards | null): string {
  const rules = (shards?.shards ?? [])
    .filter(({ shard }) => datasetOf(shard) === dataset)
    .map(({ rule }) => {
      if (rule === null) return UNKNOWN;
      const without = rule.withdrawn.length === 0 ? '' : ` without ${rule.withdrawn.join(', ')}`;
      return `${rule.text}${without}${rule.joint === true ? ' (and the rule before, for now)' : ''}`;
    });
  return rules.length === 0 ? UNKNOWN : [...new Set(rules)].join('; ');
}

function stateOf(own: readonly Quorum[]): Pick<QuorumRow, 'tone' | 'state'> {
  const lost = own.filter(({ reachable }) => reachable === false).map(({ shard }) => shard);
  if (lost.length > 0) return { tone: 'bad', state: `cannot be met in ${some(lost)}` };
  const unknown = own.filter(({ reachable }) => reachable === null).map(({ shard }) => shard);
  if (unknown.length > 0) return { tone: 'unknown', state: `unknown in ${some(unknown)}` };
  const voters = [...new Set(own.map((one) => one.voters))].sort();
  return { tone: 'well', state: `can be met; ${voters.join(' to ')} regions count` };
}
