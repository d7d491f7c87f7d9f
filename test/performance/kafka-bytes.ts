/** What entries take on a broker's disk, and between brokers: as they are, and where the topic compresses. */
import type { GatewayDataset, Log } from '@lockstep/engine';
import { spread, type Figure } from './benchmark.ts';
import { appendAll, readyBatches } from './ready-records.ts';
import type { Entry, EVENTS_PER_ENTRY } from './sample-writes.ts';
import { kafkaClient, type Servers } from './servers.ts';

/** Brokers compress what arrives, batch by batch; appends themselves are never compressed. */
const CODECS = {
  'no compression': [['compression.type', 'uncompressed']],
  'zstd level 1': [
    ['compression.type', 'zstd'],
    ['compression.zstd.level', '1'],
  ],
} as const;

export interface Shape {
  readonly name: string;
  readonly entries: readonly Entry[];
  readonly eventsPerEntry: 1 | typeof EVENTS_PER_ENTRY;
  /** Entries of an append; as many as a publisher takes where it is absent. */
  readonly entriesMax?: number;
}

export async function kafkaBytes(
  { brokers, logBytes }: Servers,
  log: Log,
  dataset: GatewayDataset,
  shapes: readonly Shape[],
): Promise<readonly Figure[]> {
  const client = kafkaClient(brokers);
  const admin = client.admin();
  await admin.connect();
  const writer = await log.openWriter();
  const figures: Figure[] = [];
  for (const [index, { entries, entriesMax, eventsPerEntry, name }] of shapes.entries()) {
    for (const [codec, settings] of Object.entries(CODECS)) {
      const topic = `bytes.${index}.${codec.replaceAll(' ', '-')}`;
      const configEntries = [['message.timestamp.type', 'LogAppendTime'], ...settings].map(
        ([setting, value]) => ({ name: setting!, value: value! }),
      );
      await admin.createTopics({
        topics: [{ topic, numPartitions: dataset.partitions, configEntries }],
        waitForLeaders: true,
      });
      await appendAll(writer, topic, readyBatches(dataset, entries, entriesMax));
      const bytes = logBytes(topic) / (entries.length * eventsPerEntry);
      figures.push({
        name: `bytes in Kafka, ${name}, ${codec}, one replica`,
        unit: 'per event',
        ...spread([bytes]),
      });
    }
  }
  await admin.disconnect();
  return figures;
}
