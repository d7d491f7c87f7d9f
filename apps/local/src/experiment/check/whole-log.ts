/** Reads every shard of the log from its first record to where the regions stand, and folds it once more. */
import { kafkaLog } from '@lockstep/kafka';
import { offset, partitionCount, shardName, topicOf } from '@lockstep/protocol';
import type { Configurations } from '@lockstep/protocol';
import { Refold, type RefoldedLog } from '@lockstep/testing/history';
import { LocalError } from '../../local-error.js';
import type { DeployedDataset } from './fold-configurations.js';

const FETCH_BYTES_MAX = 16 * 1024 * 1024;
const FETCH_MS_MAX = 1_000;

export interface WholeLog {
  readonly brokers: readonly string[];
  readonly datasets: readonly DeployedDataset[];
  readonly configurations: Configurations;
  /** By shard, the offset of the last record that is folded. */
  readonly ends: ReadonlyMap<string, bigint>;
  readonly wanted: (key: string) => boolean;
  /** Places whose hashes are to be compared with what was told. */
  readonly compared: (shard: string, sequence: bigint) => boolean;
}

export async function refoldLog(whole: WholeLog): Promise<RefoldedLog> {
  const refold = new Refold(whole.configurations, whole.wanted, whole.compared);
  const log = kafkaLog({ brokers: whole.brokers, clientId: 'lockstep-check' });
  try {
    for (const { content } of whole.datasets) await readDataset(log, content, whole.ends, refold);
  } finally {
    await log.close();
  }
  return refold.finish();
}

async function readDataset(
  log: ReturnType<typeof kafkaLog>,
  { dataset, groups }: DeployedDataset['content'],
  ends: WholeLog['ends'],
  refold: Refold,
): Promise<void> {
  const reader = await log.openReader(topicOf(dataset));
  const endOf = (partition: number): bigint => ends.get(shardName(dataset, partition)) ?? -1n;
  const places = new Map<number, bigint>();
  for (let partition = 0; partition < partitionCount(groups); partition += 1) {
    if (endOf(partition) >= 0n) places.set(partition, 0n);
  }
  while (places.size > 0) {
    const fetched = await reader.fetch({
      positions: [...places].map(([partition, at]) => ({ partition, offset: offset(at) })),
      waitMsMax: FETCH_MS_MAX,
      bytesMax: FETCH_BYTES_MAX,
    });
    for (const { partition, outOfRange, records, nextOffset, endOffset } of fetched) {
      const end = endOf(partition);
      if (outOfRange) {
        throw new LocalError(
          'nothing-to-check',
          `The log of ${dataset}/${partition} no longer holds its first record, so that it cannot be folded as a whole.`,
        );
      }
      refold.take(
        shardName(dataset, partition),
        records.filter((record) => record.offset <= end),
      );
      // A log that is shorter than a region's place is left to the judge.
      if (nextOffset > end || nextOffset >= endOffset) places.delete(partition);
      else places.set(partition, nextOffset);
    }
  }
  await reader.close();
}
