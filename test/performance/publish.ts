/**
 * Publish: entries through the publishers of a dataset's shards, against what a program gets that prepared everything
 * and hands whole batches to kafkajs.
 */
import { kafkaLog } from '@lockstep/kafka';
import type { GatewayDataset } from '@lockstep/engine';
import {
  encodeHeader,
  entryNumber,
  epoch,
  groupOfPartition,
  RECORD_HEADER,
  topicOf,
  type PublisherId,
} from '@lockstep/protocol';
import kafkajs from 'kafkajs';
import type { Message, Producer } from 'kafkajs';
import { cost, disturbance, inTurns, rate, ratio, type Benchmark, type Side } from './benchmark.ts';
import { EVENTS_PER_ENTRY, meanBytes, readings, readingsDataset, type Entry } from './readings.ts';
import { randomId128 } from './real-world.ts';
import { ShardPublishers } from './shard-publishers.ts';

const ENTRIES = 36_000;
const STATIONS = 5_004;
const ROUNDS = 7;
/** What a ShardPublisher sends at once. */
const BATCH_ENTRIES_MAX = 1_000;
const BATCH_BYTES_MAX = 768 * 1024;

const LOCKSTEP = 'lockstep';
const PREPARED = 'prepared kafkajs batches';

export const publish: Benchmark = {
  name: 'publish',
  profile: `${ENTRIES} entries of ${EVENTS_PER_ENTRY} readings (their text is ready), 12 partitions, one broker, one replica, acks \
all, no compression, idempotence off, one batch in flight per partition, at most ${BATCH_ENTRIES_MAX} entries or \
${BATCH_BYTES_MAX / 1024} KiB each; client and broker on one machine. ${LOCKSTEP}: ShardPublisher over kafkaLog, all entries \
submitted at once, from the first submission to the last answer. ${PREPARED}: producer.send of the same batches with \
keys, values and headers encoded beforehand, to the same topic.`,
  run: async (context) => {
    const { servers, say } = context;
    const dataset = await readingsDataset();
    const entries = readings(dataset, ENTRIES, STATIONS);
    say(`${entries.length} entries, ${meanBytes(entries)} bytes each`);
    const log = kafkaLog({ brokers: servers.brokers, clientId: 'bench-publish' });
    const client = new kafkajs.Kafka({
      brokers: [...servers.brokers],
      clientId: 'bench-prepared',
      logLevel: kafkajs.logLevel.NOTHING,
    });
    const producer = client.producer({
      idempotent: false,
      allowAutoTopicCreation: false,
      retry: { retries: 0 },
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    try {
      const publishers = await ShardPublishers.open(log, dataset);
      await producer.connect();
      const rounds = await inTurns(
        context,
        [byPublishers(publishers, entries), byPreparedBatches(producer, dataset, entries)],
        ROUNDS,
      );
      await publishers.close();
      const sides = [LOCKSTEP, PREPARED];
      return [
        ratio(rounds, LOCKSTEP, PREPARED),
        ...sides.map((side) => rate(rounds, side, 'entries/s')),
        ...sides.map((side) => rate(rounds, side, 'MB/s', meanBytes(entries) / 1e6)),
        ...sides.flatMap((side) => cost(rounds, side, 'entry')),
        disturbance(rounds),
      ];
    } finally {
      await producer.disconnect();
      await log.close();
    }
  },
};

function byPublishers(publishers: ShardPublishers, entries: readonly Entry[]): Side {
  return {
    name: LOCKSTEP,
    measure: async (watch) => {
      watch.start();
      await publishers.append(entries);
      watch.stop();
      return entries.length;
    },
  };
}

function byPreparedBatches(producer: Producer, dataset: GatewayDataset, entries: readonly Entry[]): Side {
  const topic = topicOf(dataset.table.dataset);
  const byPartition = [...Map.groupBy(entries, ({ partition }) => partition).values()].map((part) =>
    batchesOf(part).map((batch) => batch.map((entry, index) => messageOf(dataset, entry, index + 1))),
  );
  return {
    name: PREPARED,
    measure: async (watch) => {
      watch.start();
      await Promise.all(
        byPartition.map(async (batches) => {
          for (const messages of batches) await producer.send({ topic, acks: -1, messages });
        }),
      );
      watch.stop();
      return entries.length;
    },
  };
}

function batchesOf(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const batches: Entry[][] = [];
  let bytes = Infinity;
  for (const entry of entries) {
    const current = batches.at(-1);
    if (
      current === undefined ||
      current.length === BATCH_ENTRIES_MAX ||
      bytes + entry.bytes > BATCH_BYTES_MAX
    ) {
      batches.push([entry]);
      bytes = entry.bytes;
    } else {
      current.push(entry);
      bytes += entry.bytes;
    }
  }
  return batches;
}

function messageOf({ configuration }: GatewayDataset, entry: Entry, number: number): Message {
  const header = encodeHeader({
    kind: 'data',
    epoch: epoch(1n),
    publisherClockMs: Date.now(),
    notAfterMs: Date.now(),
    publisher: randomId128() as PublisherId,
    number: entryNumber(BigInt(number)),
    configurationPrefix: configuration.hash.slice(0, 32),
    region: groupOfPartition(configuration.content.groups, entry.partition).home,
    idempotency: null,
    signature: null,
  });
  return {
    partition: entry.partition,
    key: Buffer.from(entry.events[0]!.key),
    value: Buffer.from(entry.text),
    headers: { [RECORD_HEADER]: Buffer.from(header) },
  };
}
