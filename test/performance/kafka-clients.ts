/** Both Kafka clients under the log port, with the same records: which of them writes and reads for less. */
import type { Compression, Log, LogWriter } from '@lockstep/engine';
import { kafkaLog } from '@lockstep/kafka';
import type { KafkaClient } from '@lockstep/kafka';
import { platformaticClient } from '@lockstep/kafka/platformatic';
import { offset, type Offset } from '@lockstep/protocol';
import {
  between,
  clientTimeOf,
  cost,
  disturbance,
  inTurns,
  P50_MS,
  p50,
  rate,
  ratio,
  ROUNDS,
  type Benchmark,
  type Figure,
  type Side,
} from './benchmark.ts';
import { quantile } from './critical-writes.ts';
import { BATCH_BYTES_MAX, BATCH_ENTRIES_MAX } from './prepared-batches.ts';
import { appendAll, readyBatches } from './ready-records.ts';
import { meanBytes, readings, readingsDataset } from './sample-writes.ts';
import { createTopic } from './shard-publishers.ts';

const ENTRIES = 54_000;
const STATIONS = 5_004;
const PARTITIONS = 12;
const APPENDS = 300;
const FETCH_BYTES_MAX = 8 * 1024 * 1024;
const TIMEOUT_MS = 60_000;
const WRITTEN = 'bench.written';
const READ = 'bench.read';
const COMPRESSIONS = ['none', 'zstd'] as const;
const topicOf = (name: string, compression: Compression): string => `${name}.${compression}`;

const CLIENTS: readonly (readonly [name: string, client: KafkaClient | undefined])[] = [
  ['kafkajs', undefined],
  ['@platformatic/kafka', platformaticClient],
];
const WORKS = [
  'writing',
  'reading',
  'writing, compressed',
  'reading, compressed',
  'one append after the other',
] as const;
const sideOf = (work: (typeof WORKS)[number], client: string): string => `${work}, ${client}`;

export const kafkaClients: Benchmark = {
  name: 'kafka-clients',
  profile: `kafkaLog with either client, ${ENTRIES} records with a header each, 12 partitions, one broker, one replica, acks all; topics are \
uncompressed, or compressed by their broker (zstd level 1); client and broker on one machine. Writing: appends of at most ${BATCH_ENTRIES_MAX} records or ${BATCH_BYTES_MAX / 1024} \
KiB, headers ready, keys and values as texts, one in flight per partition. Reading: all partitions from their beginning, one fetch at a time of \
at most ${FETCH_BYTES_MAX / 2 ** 20} MiB, with the digest of each record; @platformatic/kafka also checks each batch's CRC. One append after the other: ${APPENDS} of one record \
in one partition, each awaited.`,
  run: async (context) => {
    const { say } = context;
    const { brokers, processes } = await context.servers();
    const dataset = await readingsDataset();
    const entries = readings(dataset, ENTRIES, STATIONS);
    say(`${entries.length} records, ${meanBytes(entries)} bytes each`);
    const batches = readyBatches(dataset, entries);
    const logs = CLIENTS.map(([name, client]) =>
      kafkaLog({ brokers, clientId: `bench-${name}`, ...(client === undefined ? {} : { client }) }),
    );
    try {
      const [log] = logs;
      const first = await log!.openWriter();
      for (const compression of COMPRESSIONS) {
        for (const name of [WRITTEN, READ])
          await createTopic(log!, topicOf(name, compression), dataset.partitions, compression);
        await appendAll(first, topicOf(READ, compression), batches);
      }
      const sides = await Promise.all(
        CLIENTS.map(async ([name], index): Promise<readonly Side[]> => {
          const writer = await logs[index]!.openWriter();
          const single = sideOf('one append after the other', name);
          return [
            ...COMPRESSIONS.flatMap((compression): readonly Side[] => [
              writingSide(writer, name, compression, batches),
              readingSide(logs[index]!, name, compression),
            ]),
            {
              name: single,
              measure: async (watch) => {
                const topic = topicOf(WRITTEN, 'none');
                const tookMs: number[] = [];
                const records = [batches[0]![0]![0]!];
                watch.start();
                for (let count = 0; count < APPENDS; count += 1) {
                  const startMs = performance.now();
                  await writer.append({ topic, partition: 0, records, timeoutMs: TIMEOUT_MS });
                  tookMs.push(performance.now() - startMs);
                }
                watch.stop();
                watch.count(P50_MS, quantile(tookMs, 0.5));
                return APPENDS;
              },
            },
          ];
        }),
      );
      const rounds = await inTurns({
        say,
        processes: { broker: processes.broker },
        sides: WORKS.flatMap((_, work) => sides.map((ofClient) => ofClient[work]!)),
        rounds: ROUNDS,
      });
      const [kafkajs, platformatic] = CLIENTS.map(([name]) => name) as [string, string];
      return [
        ...WORKS.flatMap((work): readonly Figure[] => {
          const pair = [sideOf(work, platformatic), sideOf(work, kafkajs)] as const;
          const title = `client time per record, ${work}: ${platformatic} / ${kafkajs}`;
          return [ratio(rounds, ...pair), between(rounds, title, pair, clientTimeOf)];
        }),
        ...(['writing', 'reading'] as const).map((work) =>
          ratio(rounds, sideOf(`${work}, compressed`, kafkajs), sideOf(work, kafkajs)),
        ),
        ...WORKS.flatMap((work) =>
          CLIENTS.flatMap(([name]) => [
            rate(rounds, sideOf(work, name), 'records/s'),
            ...cost(rounds, sideOf(work, name), 'record'),
          ]),
        ),
        ...CLIENTS.map(([name]) => p50(rounds, sideOf('one append after the other', name))),
        disturbance(rounds),
      ];
    } finally {
      await Promise.all(logs.map((log) => log.close()));
    }
  },
};

function writingSide(
  writer: LogWriter,
  client: string,
  compression: Compression,
  batches: ReturnType<typeof readyBatches>,
): Side {
  return {
    name: sideOf(compression === 'none' ? 'writing' : 'writing, compressed', client),
    measure: async (watch) => {
      watch.start();
      await appendAll(writer, topicOf(WRITTEN, compression), batches);
      watch.stop();
      return ENTRIES;
    },
  };
}

function readingSide(log: Log, client: string, compression: Compression): Side {
  return {
    name: sideOf(compression === 'none' ? 'reading' : 'reading, compressed', client),
    measure: async (watch) => {
      const reader = await log.openReader(topicOf(READ, compression));
      watch.start();
      let read = 0;
      const next = new Map<number, Offset>(
        Array.from({ length: PARTITIONS }, (_, partition) => [partition, offset(0n)]),
      );
      while (read < ENTRIES) {
        const positions = [...next].map(([partition, at]) => ({ partition, offset: at }));
        const answers = await reader.fetch({ positions, waitMsMax: 1_000, bytesMax: FETCH_BYTES_MAX });
        for (const { nextOffset, partition, records } of answers) {
          read += records.length;
          next.set(partition, nextOffset);
        }
      }
      watch.stop();
      await reader.close();
      return read;
    },
  };
}
