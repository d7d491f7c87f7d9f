/** Applying beside Debezium's JDBC sink on Kafka Connect, as it comes and as it is quickest. */
import { topicOf } from '@lockstep/protocol';
import { byReplicator, WAL_BYTES } from './appliers.ts';
import { named, onStage, SERVERS } from './apply.ts';
import {
  cost,
  counted,
  disturbance,
  inTurns,
  rate,
  ratio,
  ROUNDS,
  spread,
  warmUp,
  type Benchmark,
  type Figure,
} from './benchmark.ts';
import { ENVELOPE, FLAT } from './debezium-records.ts';
import { prepareDebeziumSink, TUNED_SETTINGS, type Sink } from './debezium-sink.ts';
import { KafkaConnect } from './kafka-connect.ts';
import { readings } from './sample-writes.ts';
import { prepareWork, renamed } from './work.ts';

const ENTRIES = 12_000;
/** The slower side takes fewer. */
const DEFAULTS_ENTRIES = 3_000;
const STATIONS = 5_004;
const WARM_UP_SECONDS = 30;

const LOCKSTEP = 'lockstep';
const TUNED = 'Debezium sink, tuned, two tasks';
const DEFAULTS = 'Debezium sink, defaults';

const TUNED_SINK: Sink = { topic: 'peer-sink-tuned', form: FLAT, tasks: 2, settings: TUNED_SETTINGS };
const DEFAULTS_SINK: Sink = { topic: 'peer-sink-defaults', form: ENVELOPE, tasks: 1, settings: {} };

export const debezium: Benchmark = {
  name: 'debezium',
  profile: `${ENTRIES} entries of 10 readings in 12 shards. ${SERVERS} Debezium: JDBC sink 3.6 on a standalone worker of Kafka \
Connect 4.3 (heap up to 2 GB, ${WARM_UP_SECONDS} s warm-up), the same events as rows in 12 partitions of a topic that was filled before, \
one record each; upserts by the record's key; from when all tasks have their partitions and something is applied to the last row; the client only looks on. \
${TUNED}: unnest insert, reduction buffer, batches and polls of 2,000, flat JSON whose schema the converter is told once. ${DEFAULTS}: \
one task, and records as Debezium's source has them by default, whole envelopes with schema, of ${DEFAULTS_ENTRIES} of the entries.`,
  run: (context) =>
    onStage(context, async (stage) => {
      const { servers, say } = stage;
      const connect = await context.ends(KafkaConnect.start(servers.brokers));
      const dataset = await named('readings');
      const entries = readings(dataset, ENTRIES, STATIONS);
      const work = await prepareWork(stage, dataset, entries);
      const fewer = await prepareWork(
        stage,
        renamed(dataset, 'readings_fewer'),
        entries.slice(0, DEFAULTS_ENTRIES),
      );
      const sinks = [
        await prepareDebeziumSink({ ...stage, connect }, TUNED, { work, sink: TUNED_SINK }),
        await prepareDebeziumSink({ ...stage, connect }, DEFAULTS, { work: fewer, sink: DEFAULTS_SINK }),
      ];
      const processes = { ...servers.processes, connect: connect.pid };
      await warmUp({ say, processes, sides: sinks, seconds: WARM_UP_SECONDS });
      const rounds = await inTurns({
        ...{ say, processes, rounds: ROUNDS },
        sides: [byReplicator(stage, LOCKSTEP, work), ...sinks],
      });
      const sides = [LOCKSTEP, TUNED, DEFAULTS];
      const bytes = (side: string, topic: string, events: number): Figure => ({
        name: `${side}: bytes in Kafka`,
        unit: 'per event',
        ...spread([servers.logBytes(topic) / events]),
      });
      return [
        ratio(rounds, LOCKSTEP, TUNED, 1.5),
        ratio(rounds, LOCKSTEP, DEFAULTS, 5),
        ...sides.map((side) => rate(rounds, side, 'events/s')),
        ...sides.map((side) => counted(rounds, side, WAL_BYTES, 'event')),
        bytes(LOCKSTEP, topicOf(dataset.table.dataset), work.events),
        bytes(TUNED, TUNED_SINK.topic, work.events),
        bytes(DEFAULTS, DEFAULTS_SINK.topic, fewer.events),
        ...sides.flatMap((side) => cost(rounds, side, 'event')),
        disturbance(rounds),
      ];
    }),
};
