/**
 * Hands a simulated cluster that has come to rest to the judge of all histories: every region's database, and the log
 * folded once more as a whole. The one place where a run of a seed is judged.
 */
import { shardsOf } from '@lockstep/engine';
import { hashToHex, parseShardName, topicOf, type ShardName } from '@lockstep/protocol';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import {
  judge,
  ofRun,
  Refold,
  type AskedAgain,
  type HistoryLine,
  type Judgement,
  type RefoldedLog,
  type RegionalState,
} from '../history/index.js';

export interface ClusterRun {
  readonly cluster: SimulatedCluster;
  readonly run: string;
  readonly lines: readonly HistoryLine[];
  readonly asked: ReadonlyMap<number, AskedAgain>;
  readonly unrest: readonly string[];
  readonly keyHash: (key: string) => string;
}

export function judgeCluster(run: ClusterRun): Judgement & { readonly log: RefoldedLog } {
  const { asked, cluster, keyHash, lines, unrest } = run;
  const log = refolded(cluster, run.run);
  const regions = new Map(
    [...cluster.regions.keys()].map((region) => [region as string, regionalState(cluster, region, run.run)]),
  );
  return { ...judge({ lines, asked, log, regions, unrest, keyHash }), log };
}

export const shardsIn = ({ options }: SimulatedCluster): readonly ShardName[] =>
  [...options.datasets].flatMap(([name, { partitions }]) => shardsOf(name, partitions));

function refolded(cluster: SimulatedCluster, run: string): RefoldedLog {
  const known = [...cluster.options.datasets.values()].map(({ configuration }) => configuration);
  const refold = new Refold((hash) => known.find((one) => one.hash === hash) ?? null, ofRun(run));
  for (const shard of shardsIn(cluster)) {
    const { dataset, partition } = parseShardName(shard)!;
    refold.take(shard, cluster.log.records(topicOf(dataset), partition));
  }
  return refold.finish();
}

function regionalState(cluster: SimulatedCluster, region: string, run: string): RegionalState {
  const { database } = cluster.region(region);
  const isOfRun = ofRun(run);
  const cursors = shardsIn(cluster).flatMap((shard) => {
    const cursor = database.cursor(shard);
    if (cursor === null) return [];
    const { effectsHash, inputHash, logIncarnation, sequence } = cursor;
    const stored = {
      logIncarnation,
      sequence,
      inputHash: hashToHex(inputHash),
      effectsHash: hashToHex(effectsHash),
    };
    return [[shard as string, stored] as const];
  });
  const rows = [...cluster.options.datasets].map(([dataset, { table }]) => {
    const stored = [...(database.rows(table.table) ?? [])].filter(([key]) => isOfRun(key));
    return [dataset as string, new Map(stored)] as const;
  });
  return { cursors: new Map(cursors), rows: new Map(rows) };
}
