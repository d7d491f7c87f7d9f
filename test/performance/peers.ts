/** Applying beside what somebody would take instead. */
import { byReplicator } from './appliers.ts';
import { named, onStage, SERVERS, takeTurns } from './apply.ts';
import { disturbance, rate, ratio, type Benchmark } from './benchmark.ts';
import { byNativeReplication, startPublisher } from './native-replication.ts';
import { prepareNestConsumer } from './nest-consumer.ts';
import { readings } from './sample-writes.ts';
import { prepareWork } from './work.ts';

const ENTRIES = 6_000;
const STATIONS = 5_004;
const MESSAGES = 800;

const LOCKSTEP = 'lockstep';
const NATIVE_1 = 'logical replication, 1 row per transaction';
const NATIVE_1000 = 'logical replication, 1,000 rows per transaction';
const NEST = 'NestJS consumer, TypeORM save per message';

export const peers: Benchmark = {
  name: 'peers',
  profile: `${ENTRIES} entries of 10 readings in 12 shards. ${SERVERS} Logical replication: a second Postgres 18 publishes the same \
events as upserts, which a subscription (streaming = parallel, asynchronous commits as by default) takes up while nobody writes, from \
the first to the last row that it applies. ${NEST}: @nestjs/microservices on Kafka in a process of its own, ${MESSAGES} messages of \
one reading, from the first to the last.`,
  run: (context) =>
    onStage(context, async (stage) => {
      const publisher = await context.ends(startPublisher());
      const dataset = await named('readings');
      const work = await prepareWork(stage, dataset, readings(dataset, ENTRIES, STATIONS));
      const native = (name: string, rowsPerTransaction: number) =>
        byNativeReplication({ servers: stage.servers, publisher }, name, { work, rowsPerTransaction });
      const rounds = await takeTurns(stage, [
        byReplicator(stage, LOCKSTEP, work),
        native(NATIVE_1, 1),
        native(NATIVE_1000, 1_000),
        await prepareNestConsumer(stage, NEST, { work, count: MESSAGES }),
      ]);
      return [
        ratio(rounds, LOCKSTEP, NATIVE_1, 2),
        ratio(rounds, LOCKSTEP, NATIVE_1000, 1.25),
        ratio(rounds, LOCKSTEP, NEST, 20),
        ...[LOCKSTEP, NATIVE_1, NATIVE_1000, NEST].map((side) => rate(rounds, side, 'events/s')),
        disturbance(rounds),
      ];
    }),
};
