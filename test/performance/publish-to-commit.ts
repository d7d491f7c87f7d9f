/** From the publisher to the commit in a region beside it, at a pace, against the parts of that way measured alone. */
import { openApplyStore } from '@lockstep/postgres';
import { offset, topicOf, type Offset } from '@lockstep/protocol';
import { named, onStage, SERVERS, type Stage } from './apply.ts';
import { INSERT_ONE, onFreshDatabase } from './appliers.ts';
import { P99_MS, tellArrivals, timeArrivals } from './arrivals.ts';
import {
  disturbance,
  inTurns,
  P50_MS,
  p50,
  ROUNDS,
  spread,
  type Benchmark,
  type Figure,
  type Rounds,
  type Side,
} from './benchmark.ts';
import { quantile } from './critical-writes.ts';
import { byLockstep } from './debezium-chain.ts';
import { inOpenLoop } from './pace.ts';
import { parsed, singleReadings, type Entry } from './sample-writes.ts';
import { connected } from './servers.ts';
import { ShardPublishers } from './shard-publishers.ts';
import { prepareRows, renamedWork, type Work } from './work.ts';

const SLOW_PER_SECOND = 200;
const QUICK_PER_SECOND = 2_000;
const PACES_PER_SECOND = [SLOW_PER_SECOND, QUICK_PER_SECOND] as const;
const UNCOUNTED_SECONDS = 2;
const COUNTED_SECONDS = 3;
const FETCH_WAIT_MS_MAX = 200;
const FETCH_BYTES_MAX = 1024 * 1024;

const whole = (perSecond: number): string => `publish until told, ${perSecond} a second`;
const LOGGED = 'append until read';
const logged = (perSecond: number): string => `${LOGGED}, ${perSecond} a second`;
const COMMITTED = 'commit until told';

interface Pace {
  readonly perSecond: number;
  /** So many of the entries, the first, do not count. */
  readonly uncounted: number;
  readonly work: Work;
}

export const publishToCommit: Benchmark = {
  name: 'publish-to-commit',
  profile: `Entries of one reading, each submitted when it is due, 12 shards. ${SERVERS} Here it applies while the same process writes by ShardPublisher, as a \
gateway does; from when an entry is submitted to the notification that a trigger sends when its row is inserted. ${COUNTED_SECONDS} s at each pace, after \
${UNCOUNTED_SECONDS} s that do not count: in a log just created the first entry of the broker's index, after 4 KB, takes tens of milliseconds for each shard. \
The parts alone: ${LOGGED}: the same publishers at the same pace, and a reader of the log port that asks again as soon as it is answered and does nothing with \
what it gets. ${COMMITTED}: one statement that inserts the row and moves the cursor, on one connection until the notification, \
${SLOW_PER_SECOND} a second: ${QUICK_PER_SECOND} are more than one connection does in turn.`,
  run: (context) =>
    onStage(context, async (stage) => {
      const { say, servers } = stage;
      const dataset = await named('readings');
      const paceOf = async (perSecond: number): Promise<Pace> => {
        const entries = perSecond * (UNCOUNTED_SECONDS + COUNTED_SECONDS);
        const work = await prepareRows(servers, dataset, singleReadings(dataset, entries, entries));
        await tellArrivals(work);
        return { perSecond, uncounted: perSecond * UNCOUNTED_SECONDS, work };
      };
      const slow = await paceOf(SLOW_PER_SECOND);
      const paces = [slow, await paceOf(QUICK_PER_SECOND)];
      const rounds = await inTurns({
        say,
        processes: servers.processes,
        sides: [
          ...paces.map((pace) => publishUntilTold(stage, pace)),
          ...paces.map((pace) => appendUntilRead(stage, pace)),
          commitUntilTold(stage, slow),
        ],
        rounds: ROUNDS,
      });
      return [
        ...PACES_PER_SECOND.map((perSecond) => besideItsParts(rounds, perSecond)),
        ...PACES_PER_SECOND.map((perSecond) => tail(rounds, whole(perSecond))),
        ...[...PACES_PER_SECOND.flatMap((perSecond) => [whole(perSecond), logged(perSecond)]), COMMITTED].map(
          (side) => p50(rounds, side),
        ),
        disturbance(rounds),
      ];
    }),
};

const counted = (rounds: Rounds, side: string, count: string): readonly number[] =>
  rounds.get(side)!.map(({ watch }) => watch.counts.get(count)!);

function besideItsParts(rounds: Rounds, perSecond: number): Figure {
  const [all, log, store] = [whole(perSecond), logged(perSecond), COMMITTED].map((side) =>
    counted(rounds, side, P50_MS),
  );
  const ratios = all!.map((tookMs, round) => tookMs / (log![round]! + store![round]!));
  return {
    name: `p50 / its parts alone, ${perSecond} a second`,
    unit: 'ratio',
    ...spread(ratios),
    goalMost: 1.5,
  };
}

function tail(rounds: Rounds, side: string): Figure {
  const p50Ms = counted(rounds, side, P50_MS);
  const ratios = counted(rounds, side, P99_MS).map((p99Ms, round) => p99Ms / p50Ms[round]!);
  return { name: `p99 / p50, ${side}`, unit: 'ratio', ...spread(ratios), goalMost: 5 };
}

const publishUntilTold = (stage: Stage, { work, ...pace }: Pace): Side =>
  byLockstep(stage, whole(pace.perSecond), work, ({ publishers, ...at }) =>
    timeArrivals({ ...at, work }, pace, (entry) => publishers.append([entry])),
  );

function appendUntilRead({ log }: Stage, { work, perSecond, uncounted }: Pace): Side {
  let measurements = 0;
  return {
    name: logged(perSecond),
    measure: async (watch) => {
      measurements += 1;
      const { dataset, entries } = renamedWork(work, `logged_${perSecond}_${measurements}`);
      const publishers = await ShardPublishers.open(log, dataset);
      const reader = await log.openReader(topicOf(dataset.table.dataset));
      const submittedMs = Array.from({ length: dataset.partitions }, (): number[] => []);
      const tookMs: number[] = [];
      const read = async (): Promise<void> => {
        // Each log begins with its genesis, at offset 0.
        const next = new Map<number, Offset>(submittedMs.map((_, partition) => [partition, offset(1n)]));
        while (tookMs.length < entries.length) {
          const positions = [...next].map(([partition, at]) => ({ partition, offset: at }));
          const answers = await reader.fetch({
            positions,
            waitMsMax: FETCH_WAIT_MS_MAX,
            bytesMax: FETCH_BYTES_MAX,
          });
          const nowMs = performance.now();
          for (const { nextOffset, partition, records } of answers) {
            next.set(partition, nextOffset);
            for (const record of records)
              tookMs.push(nowMs - submittedMs[partition]![Number(record.offset) - 1]!);
          }
        }
      };
      watch.start();
      const append = (entry: Entry): Promise<void> => {
        submittedMs[entry.partition]!.push(performance.now());
        return publishers.append([entry]);
      };
      await Promise.all([read(), inOpenLoop(entries, perSecond, append)]);
      watch.stop();
      watch.count(P50_MS, quantile(tookMs.slice(uncounted), 0.5));
      await reader.close();
      await publishers.close();
      return entries.length;
    },
  };
}

const COMMIT_ONE = `
with moved as (
  update lockstep.cursor set log_offset = $2, sequence = $2 where shard = $6 and log_offset < $2
)${INSERT_ONE}`;

const commitUntilTold = ({ servers }: Stage, { work, ...pace }: Pace): Side => ({
  name: COMMITTED,
  measure: (watch) =>
    onFreshDatabase(servers, work, watch, async (url) => {
      const store = await openApplyStore({ url });
      await store.ensureShards(work.shards);
      await store.close();
      const client = await connected(url);
      watch.start();
      await timeArrivals({ url, work, watch }, pace, async ({ partition, text }, index) => {
        const { key, data } = parsed(text)[0]!;
        const values = [key, index + 1, data.sensor, data.value, data.at, work.shards[partition]];
        await client.query({ name: 'commit', text: COMMIT_ONE, values });
      });
      watch.stop();
      await client.end();
    }),
});
