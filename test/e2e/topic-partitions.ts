/** Which brokers hold a topic of a real cluster, asked of Kafka itself. */
import { Kafka, logLevel, type PartitionMetadata } from 'kafkajs';
import type { LocalCluster } from './local-cluster.js';

/** By number. */
export async function partitionsOf(
  cluster: LocalCluster,
  topic: string,
): Promise<readonly PartitionMetadata[]> {
  const kafka = new Kafka({ brokers: [...cluster.file.kafka.brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]!.partitions.toSorted((x, y) => x.partitionId - y.partitionId);
  } finally {
    await admin.disconnect();
  }
}
