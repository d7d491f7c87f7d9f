/** What an operator's mistake, a lost disk or a wrong retention does to a topic, through Kafka's own administration. */
import { ConfigResourceTypes, Kafka, logLevel, type Admin, type Producer } from 'kafkajs';
import { eventually, type LocalCluster } from '../e2e/local-cluster.js';

/** Kafka's numbers for where a setting comes from: this one was given to the topic itself. */
const GIVEN_TO_TOPIC = 1;

export class LogTampering {
  private constructor(
    private readonly admin: Admin,
    private readonly producer: Producer,
  ) {}

  static async open(cluster: LocalCluster): Promise<LogTampering> {
    const client = new Kafka({ brokers: [...cluster.file.kafka.brokers], logLevel: logLevel.NOTHING });
    const opened = new LogTampering(client.admin(), client.producer({ allowAutoTopicCreation: false }));
    await opened.admin.connect();
    await opened.producer.connect();
    return opened;
  }

  async close(): Promise<void> {
    await this.producer.disconnect();
    await this.admin.disconnect();
  }

  async logEnd(topic: string, partition: number): Promise<bigint> {
    const offsets = await this.admin.fetchTopicOffsets(topic);
    return BigInt(offsets.find((one) => one.partition === partition)!.offset);
  }

  /** As retention does it: what lies before the offset is gone. */
  async removeBefore(topic: string, partition: number, offset: bigint): Promise<void> {
    await this.admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
  }

  /** Deletes the topic and makes it anew with the same settings, empty. */
  async replace(topic: string): Promise<void> {
    const { resources } = await this.admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }],
    });
    const configEntries = resources[0]!.configEntries
      .filter((entry) => Number(entry.configSource) === GIVEN_TO_TOPIC)
      .map(({ configName, configValue }) => ({ name: configName, value: configValue }));
    const { topics } = await this.admin.fetchTopicMetadata({ topics: [topic] });
    const numPartitions = topics[0]!.partitions.length;
    await this.admin.deleteTopics({ topics: [topic] });
    await eventually(
      () => this.admin.listTopics(),
      (names) => !names.includes(topic),
    );
    // Kafka answers "exists" until it has forgotten the former one; a slow one makes it, and its answer is lost.
    const wanted = { topic, numPartitions, replicationFactor: 1, configEntries };
    await eventually(
      async () => {
        await this.admin.createTopics({ waitForLeaders: false, topics: [wanted] }).catch(() => false);
        return (await this.admin.listTopics()).includes(topic);
      },
      Boolean,
      30_000,
    );
  }

  async append(topic: string, partition: number, records: number): Promise<void> {
    const messages = Array.from({ length: records }, (_, i) => ({
      partition,
      key: 'us:x',
      value: `other ${i}`,
    }));
    await this.producer.send({ topic, messages });
  }
}
