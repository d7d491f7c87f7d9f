/** The other side of everything that publishes: a program that prepared all and hands whole batches to kafkajs. */
import type { GatewayDataset } from '@lockstep/engine';
import {
  encodeHeader,
  entryNumber,
  epoch,
  groupOfPartition,
  RECORD_HEADER,
  type PublisherId,
} from '@lockstep/protocol';
import kafkajs from 'kafkajs';
import type { Message } from 'kafkajs';
import { P50_MS, type Side } from './benchmark.ts';
import { quantile } from './critical-writes.ts';
import type { Entry } from './sample-writes.ts';
import { randomId128 } from './real-world.ts';

/** What a ShardPublisher sends at once. */
export const BATCH_ENTRIES_MAX = 1_000;
export const BATCH_BYTES_MAX = 768 * 1024;

export const PREPARED = 'prepared kafkajs batches';
export const AWAITED = 'kafkajs, each send awaited';
const AWAITED_SENDS = 500;

/** Keys, values and headers are encoded here; batches as a ShardPublisher makes them, one in flight per partition. */
export async function openPreparedBatches(
  brokers: readonly string[],
  topic: string,
  dataset: GatewayDataset,
  entries: readonly Entry[],
): Promise<{
  readonly side: Side;
  /** One caller who sends one entry, waits, and sends the next. */
  readonly awaited: Side;
  readonly close: () => Promise<void>;
}> {
  const client = new kafkajs.Kafka({
    brokers: [...brokers],
    clientId: 'bench-prepared',
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const producer = client.producer({
    idempotent: false,
    allowAutoTopicCreation: false,
    retry: { retries: 0 },
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  const byPartition = [...Map.groupBy(entries, ({ partition }) => partition).values()].map((part) =>
    batchesOf(part).map((batch) => batch.map((entry, index) => messageOf(dataset, entry, index + 1))),
  );
  const side: Side = {
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
  const awaited: Side = {
    name: AWAITED,
    measure: async (watch) => {
      const single = byPartition.map((batches) => batches[0]![0]!);
      const tookMs: number[] = [];
      watch.start();
      for (let count = 0; count < AWAITED_SENDS; count += 1) {
        const startMs = performance.now();
        await producer.send({ topic, acks: -1, messages: [single[count % single.length]!] });
        tookMs.push(performance.now() - startMs);
      }
      watch.stop();
      watch.count(P50_MS, quantile(tookMs, 0.5));
      return AWAITED_SENDS;
    },
  };
  return { side, awaited, close: () => producer.disconnect() };
}

export function batchesOf(
  entries: readonly Entry[],
  entriesMax = BATCH_ENTRIES_MAX,
): readonly (readonly Entry[])[] {
  const batches: Entry[][] = [];
  let bytes = Infinity;
  for (const entry of entries) {
    const current = batches.at(-1);
    if (current === undefined || current.length === entriesMax || bytes + entry.bytes > BATCH_BYTES_MAX) {
      batches.push([entry]);
      bytes = entry.bytes;
    } else {
      current.push(entry);
      bytes += entry.bytes;
    }
  }
  return batches;
}

export function headerOf({ configuration }: GatewayDataset, entry: Entry, number: number): Uint8Array {
  return encodeHeader({
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
}

function messageOf(dataset: GatewayDataset, entry: Entry, number: number): Message {
  return {
    partition: entry.partition,
    key: Buffer.from(entry.key),
    value: Buffer.from(entry.text),
    headers: { [RECORD_HEADER]: Buffer.from(headerOf(dataset, entry, number)) },
  };
}
