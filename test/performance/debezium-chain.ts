/** From a row of one database to the row of another: Debezium's whole chain beside a log and its replicator. */
import {
  inTurns,
  between,
  cost,
  disturbance,
  P50_MS,
  p50,
  rate,
  ratio,
  warmUp,
  type Benchmark,
  type Figure,
  type Side,
  type Stopwatch,
} from './benchmark.ts';
import { named, onStage, SERVERS, type Stage } from './apply.ts';
import { onFreshDatabase, replicate } from './appliers.ts';
import { tellArrivals, timeArrivals } from './arrivals.ts';
import { ENVELOPE, FLAT } from './debezium-records.ts';
import { TUNED_SETTINGS } from './debezium-sink.ts';
import { backlogByDebezium, pacedByDebezium, type Chain } from './debezium-source.ts';
import { KafkaConnect } from './kafka-connect.ts';
import { startPublisher } from './native-replication.ts';
import { readings, singleReadings } from './sample-writes.ts';
import { ShardPublishers } from './shard-publishers.ts';
import { prepareRows, renamedWork, type Work } from './work.ts';

const ENTRIES = 12_000;
/** The slower sides take fewer. */
const CHAIN_ENTRIES = 5_000;
const STATIONS = 5_004;
const PACE_PER_SECOND = 1_000;
const PACED_ROWS = 5_000;
const SENSORS = 5_004;
/** Each side needs seconds until it begins. */
const ROUNDS = 5;
const WARM_UP_SECONDS = 90;

const LOCKSTEP = 'lockstep';
const TUNED = 'Debezium chain, tuned';
const DEFAULTS = 'Debezium chain, defaults';
const SIDES = [LOCKSTEP, TUNED, DEFAULTS] as const;
const paced = (side: string): string => `${side}, ${PACE_PER_SECOND} rows a second`;

const TUNED_CHAIN: Chain = {
  source: {
    'poll.interval.ms': '10',
    'max.batch.size': '8192',
    'max.queue.size': '32768',
    // Five unless told otherwise; where much is to be written, batches fill without.
    'producer.override.linger.ms': '0',
    // Flat rows without their schema, which the sink's converter is told once.
    transforms: 'unwrap',
    'transforms.unwrap.type': 'io.debezium.transforms.ExtractNewRecordState',
    'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'key.converter.schemas.enable': 'false',
    'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'value.converter.schemas.enable': 'false',
  },
  sink: { form: FLAT, tasks: 2, settings: TUNED_SETTINGS },
};
const DEFAULTS_CHAIN: Chain = { source: {}, sink: { form: ENVELOPE, tasks: 1, settings: {} } };

export const debeziumChain: Benchmark = {
  name: 'debezium-chain',
  profile: `From database A to database B. ${SERVERS} Here it applies while the same process writes the entries to a log that is new each time, \
by ShardPublisher as a gateway does; nothing is read from A. Debezium: a second Postgres 18 is A (pgoutput, a row changed there is read \
from its write-ahead log), source and JDBC sink 3.6 run on a standalone worker of Kafka Connect 4.3 (heap up to 2 GB, ${WARM_UP_SECONDS} s warm-up), one topic of 12 \
partitions; a new topic, slot and pair of connectors for each measurement, which begins when all tasks run and a row has passed. \
${TUNED}: poll.interval.ms 10, queue and batches of the source four times as large, no linger, flat JSON whose schema the sink is told once, two \
sink tasks with unnest insert, reduction buffer, batches and polls of 2,000. ${DEFAULTS}: poll.interval.ms 500, whole envelopes with \
schema, one sink task. Rates: ${ENTRIES} entries of 10 readings are submitted at once, from the first submission to the last commit; for \
Debezium ${CHAIN_ENTRIES} of them, upserts in transactions of 1,000, all written while its source is stopped, from the first row in B to \
the last. p50: ${PACED_ROWS} rows, ${PACE_PER_SECOND} a second in an open loop, each an entry or a transaction of its own; from when \
one is submitted to the notification that a trigger in B sends when it is inserted.`,
  run: (context) =>
    onStage(context, async (stage) => {
      const { servers, say } = stage;
      const connect = await context.ends(KafkaConnect.start(servers.brokers));
      const publisher = await context.ends(startPublisher());
      const chains = { ...stage, connect, publisher };
      const dataset = await named('readings');
      const entries = readings(dataset, ENTRIES, STATIONS);
      const all = await prepareRows(servers, dataset, entries);
      const fewer = await prepareRows(servers, dataset, entries.slice(0, CHAIN_ENTRIES));
      const single = await prepareRows(servers, dataset, singleReadings(dataset, PACED_ROWS, SENSORS));
      await tellArrivals(single);
      const processes = { ...servers.processes, connect: connect.pid, 'database A': publisher.pid };
      const inPace = { work: single, perSecond: PACE_PER_SECOND };
      const peers = [
        backlogByDebezium(chains, TUNED, TUNED_CHAIN, fewer),
        backlogByDebezium(chains, DEFAULTS, DEFAULTS_CHAIN, fewer),
        pacedByDebezium(chains, paced(TUNED), { ...inPace, chain: TUNED_CHAIN }),
        pacedByDebezium(chains, paced(DEFAULTS), { ...inPace, chain: DEFAULTS_CHAIN }),
      ];
      await warmUp({ say, processes, sides: peers, seconds: WARM_UP_SECONDS });
      const rounds = await inTurns({
        say,
        processes,
        sides: [
          byLockstep(stage, LOCKSTEP, all, ({ publishers }) => publishers.append(all.entries)),
          byLockstep(stage, paced(LOCKSTEP), single, ({ publishers, ...at }) =>
            timeArrivals({ ...at, work: single }, { perSecond: PACE_PER_SECOND }, (entry) =>
              publishers.append([entry]),
            ),
          ),
          ...peers,
        ],
        rounds: ROUNDS,
      });
      const sooner = (other: string, goalMost: number): Figure => ({
        ...between(
          rounds,
          `p50 from row to row, ${LOCKSTEP} / ${other}`,
          [paced(LOCKSTEP), paced(other)],
          ({ watch }) => watch.counts.get(P50_MS)!,
        ),
        goalMost,
      });
      return [
        ratio(rounds, LOCKSTEP, TUNED, 3),
        ratio(rounds, LOCKSTEP, DEFAULTS, 8),
        sooner(TUNED, 0.5),
        sooner(DEFAULTS, 0.03),
        ...SIDES.map((side) => rate(rounds, side, 'events/s')),
        ...SIDES.map((side) => p50(rounds, paced(side))),
        ...SIDES.flatMap((side) => cost(rounds, side, 'event')),
        disturbance(rounds),
      ];
    }),
};

interface Writing {
  readonly publishers: ShardPublishers;
  readonly url: string;
  readonly watch: Stopwatch;
}

/** Writes to an empty log as soon as a replicator has taken its shards. */
export function byLockstep(
  { servers, log }: Stage,
  name: string,
  work: Work,
  write: (writing: Writing) => Promise<void>,
): Side {
  let measurements = 0;
  return {
    name,
    measure: async (watch) => {
      measurements += 1;
      const own = renamedWork(work, `${name.replaceAll(/\W+/g, '_')}_${measurements}`);
      const publishers = await ShardPublishers.open(log, own.dataset);
      const events = await onFreshDatabase(servers, own, watch, async (url) => {
        const taken = Promise.withResolvers<void>();
        await Promise.all([
          replicate(log, own, { url, watch, taken: taken.resolve }),
          taken.promise.then(() => write({ publishers, url, watch })),
        ]);
      });
      await publishers.close();
      return events;
    },
  };
}
