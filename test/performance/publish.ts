/**
 * Publish: entries through the publishers of a dataset's shards, against what a program gets that prepared everything
 * and hands whole batches to kafkajs.
 */
import { kafkaLog } from '@lockstep/kafka';
import { topicOf } from '@lockstep/protocol';
import { cost, disturbance, inTurns, rate, ratio, type Benchmark, type Side } from './benchmark.ts';
import { BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, openPreparedBatches, PREPARED } from './prepared-batches.ts';
import { EVENTS_PER_ENTRY, meanBytes, readings, readingsDataset, type Entry } from './sample-writes.ts';
import { ShardPublishers } from './shard-publishers.ts';

const ENTRIES = 36_000;
const STATIONS = 5_004;
const ROUNDS = 7;
const LOCKSTEP = 'lockstep';

export const publish: Benchmark = {
  name: 'publish',
  profile: `${ENTRIES} entries of ${EVENTS_PER_ENTRY} readings (their text is ready), 12 partitions, one broker, one replica, acks \
all, no compression, idempotence off, one batch in flight per partition, at most ${BATCH_ENTRIES_MAX} entries or \
${BATCH_BYTES_MAX / 1024} KiB each; client and broker on one machine. ${LOCKSTEP}: ShardPublisher over kafkaLog, all entries \
submitted at once, from the first submission to the last answer. ${PREPARED}: producer.send of the same batches with \
keys, values and headers encoded beforehand, to the same topic.`,
  run: async (context) => {
    const { say } = context;
    const { brokers, processes } = await context.servers();
    const dataset = await readingsDataset();
    const entries = readings(dataset, ENTRIES, STATIONS);
    say(`${entries.length} entries, ${meanBytes(entries)} bytes each`);
    const log = kafkaLog({ brokers, clientId: 'bench-publish' });
    try {
      const publishers = await ShardPublishers.open(log, dataset);
      const prepared = await openPreparedBatches(brokers, topicOf(dataset.table.dataset), dataset, entries);
      const rounds = await inTurns({
        say,
        processes: { broker: processes.broker },
        sides: [byPublishers(publishers, entries), prepared.side],
        rounds: ROUNDS,
      });
      await Promise.all([publishers.close(), prepared.close()]);
      const sides = [LOCKSTEP, PREPARED];
      return [
        ratio(rounds, LOCKSTEP, PREPARED),
        ...sides.map((side) => rate(rounds, side, 'entries/s')),
        ...sides.map((side) => rate(rounds, side, 'MB/s', meanBytes(entries) / 1e6)),
        ...sides.flatMap((side) => cost(rounds, side, 'entry')),
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
