/**
 * Publish: entries through the publishers of a dataset's shards, against what a program gets that prepared everything
 * and hands whole batches to kafkajs.
 */
import { kafkaLog } from '@lockstep/kafka';
import { topicOf } from '@lockstep/protocol';
import {
  cost,
  disturbance,
  inTurns,
  P50_MS,
  p50,
  rate,
  ratio,
  ROUNDS,
  spread,
  type Benchmark,
  type Figure,
  type Rounds,
  type Side,
} from './benchmark.ts';
import { quantile } from './critical-writes.ts';
import { kafkaBytes } from './kafka-bytes.ts';
import { inOpenLoop } from './pace.ts';
import {
  AWAITED,
  BATCH_BYTES_MAX,
  BATCH_ENTRIES_MAX,
  openPreparedBatches,
  PREPARED,
} from './prepared-batches.ts';
import {
  EVENTS_PER_ENTRY,
  meanBytes,
  readings,
  readingsDataset,
  singleReadings,
  type Entry,
} from './sample-writes.ts';
import { ShardPublishers } from './shard-publishers.ts';

const ENTRIES = 36_000;
const STATIONS = 5_004;
const SENSORS = 5_004;
const PACE_PER_SECOND = 1_000;
const PACED_ENTRIES = 2_000;
const COUNTED_ENTRIES = 6_000;
const ALONE_ENTRIES = 1_200;
const LOCKSTEP = 'lockstep';
const PACED = `lockstep at ${PACE_PER_SECOND} events a second`;

export const publish: Benchmark = {
  name: 'publish',
  profile: `${ENTRIES} entries of ${EVENTS_PER_ENTRY} readings (their text is ready), 12 partitions, one broker, one replica, acks \
all, no compression, idempotence off, one batch in flight per partition, at most ${BATCH_ENTRIES_MAX} entries or \
${BATCH_BYTES_MAX / 1024} KiB each; client and broker on one machine. ${LOCKSTEP}: ShardPublisher over kafkaLog, all entries \
submitted at once, from the first submission to the last answer. ${PREPARED}: producer.send of the same batches with \
keys, values and headers encoded beforehand, to the same topic. ${AWAITED}: one entry a send with nothing else under way. ${PACED}: \
entries of one reading, each submitted when it is due whatever became of those before, from its submission to its answer; what is added is \
this beyond one awaited send. Bytes in Kafka: segments on disk of topics whose broker compresses each batch, or does not.`,
  run: async (context) => {
    const { say } = context;
    const servers = await context.servers();
    const { brokers, processes } = servers;
    const dataset = await readingsDataset();
    const entries = readings(dataset, ENTRIES, STATIONS);
    const singles = singleReadings(dataset, COUNTED_ENTRIES, SENSORS);
    say(`${entries.length} entries, ${meanBytes(entries)} bytes each`);
    const log = kafkaLog({ brokers, clientId: 'bench-publish' });
    try {
      const publishers = await ShardPublishers.open(log, dataset);
      const prepared = await openPreparedBatches(brokers, topicOf(dataset.table.dataset), dataset, entries);
      const rounds = await inTurns({
        say,
        processes: { broker: processes.broker },
        sides: [
          byPublishers(publishers, entries),
          prepared.side,
          prepared.awaited,
          paced(publishers, singles.slice(0, PACED_ENTRIES)),
        ],
        rounds: ROUNDS,
      });
      await Promise.all([publishers.close(), prepared.close()]);
      const alone = singles.slice(0, ALONE_ENTRIES);
      const bytes = await kafkaBytes(servers, log, dataset, [
        { name: 'ten events an entry', entries: entries.slice(0, COUNTED_ENTRIES), eventsPerEntry: 10 },
        { name: 'one event an entry', entries: singles, eventsPerEntry: 1 },
        { name: 'one event an entry, each appended alone', entries: alone, eventsPerEntry: 1, entriesMax: 1 },
      ]);
      const sides = [LOCKSTEP, PREPARED];
      return [
        ratio(rounds, LOCKSTEP, PREPARED, 0.9),
        ratio(rounds, LOCKSTEP, AWAITED, 10),
        added(rounds),
        p50(rounds, PACED),
        p50(rounds, AWAITED),
        ...sides.map((side) => rate(rounds, side, 'entries/s')),
        ...sides.map((side) => rate(rounds, side, 'MB/s', meanBytes(entries) / 1e6)),
        ...sides.flatMap((side) => cost(rounds, side, 'entry')),
        ...bytes,
        disturbance(rounds),
      ];
    } finally {
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

function paced(publishers: ShardPublishers, entries: readonly Entry[]): Side {
  return {
    name: PACED,
    measure: async (watch) => {
      const tookMs: number[] = [];
      watch.start();
      await inOpenLoop(entries, PACE_PER_SECOND, async (entry) => {
        const submittedMs = performance.now();
        await publishers.append([entry]);
        tookMs.push(performance.now() - submittedMs);
      });
      watch.stop();
      watch.count(P50_MS, quantile(tookMs, 0.5));
      return entries.length;
    },
  };
}

function added(rounds: Rounds): Figure {
  const msOf = (side: string): readonly number[] =>
    rounds.get(side)!.map(({ watch }) => watch.counts.get(P50_MS)!);
  const alone = msOf(AWAITED);
  return {
    name: `p50 added by publishing at ${PACE_PER_SECOND} events a second`,
    unit: 'ms',
    ...spread(msOf(PACED).map((ms, round) => ms - alone[round]!)),
    goalMost: 2,
  };
}
