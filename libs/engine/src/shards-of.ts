import { shardName, type DatasetName, type ShardName } from '@lockstep/protocol';

/** The shards of a dataset, in the order of their partitions. */
export const shardsOf = (dataset: DatasetName, partitions: number): readonly ShardName[] =>
  Array.from({ length: partitions }, (_, partition) => shardName(dataset, partition));
