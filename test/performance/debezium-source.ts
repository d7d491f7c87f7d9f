/**
 * The whole chain of Debezium as a side: rows of one database through its Postgres source, Kafka and its JDBC sink to rows
 * of another. Each measurement has a topic and a replication slot of its own, and a row has passed before it begins.
 */
import type pg from 'pg';
import type { Stage } from './apply.ts';
import { timeArrivals } from './arrivals.ts';
import { onFreshDatabase } from './appliers.ts';
import type { Side, Stopwatch } from './benchmark.ts';
import {
  areShared,
  hasBegun,
  isDone,
  sinkSettings,
  waitUntil,
  type LastRows,
  type Sink,
} from './debezium-sink.ts';
import type { ConnectorSettings, KafkaConnect } from './kafka-connect.ts';
import { eventsOf, givePublisher, writeAll, type Publisher } from './native-replication.ts';
import { connected, kafkaClient } from './servers.ts';
import { createTopic } from './shard-publishers.ts';
import type { Work } from './work.ts';

export interface Chain {
  /** What differs from the defaults. */
  readonly source: ConnectorSettings;
  readonly sink: Omit<Sink, 'topic'>;
}

export interface ChainStage extends Stage {
  readonly connect: KafkaConnect;
  readonly publisher: Publisher;
}

/** A chain that runs, between two databases. */
interface Running {
  readonly source: pg.Client;
  readonly target: pg.Client;
  readonly url: string;
  readonly watch: Stopwatch;
  /** Throws what a connector has failed of. */
  until(isSo: () => Promise<boolean>): Promise<void>;
  /** The source reads no more. */
  halt(): Promise<void>;
  resume(): Promise<void>;
}

const ROWS_PER_TRANSACTION = 1_000;
/** Of twelve partitions each has one among so many rows. */
const LAST_ROWS = 200;
/** Several, so that commits share a write to the disk; a partition has one of them, so that a key has its order. */
const WRITERS = 4;

/** Written while the source is stopped, from the first row that arrives to the last. */
export function backlogByDebezium(stage: ChainStage, name: string, chain: Chain, work: Work): Side {
  const lastRows = lastRowsOf(work);
  return byChain(stage, name, { chain, work }, async ({ source, target, watch, until, halt, resume }) => {
    await halt();
    await writeAll(source, ROWS_PER_TRANSACTION);
    await resume();
    await until(() => hasBegun(target));
    watch.start();
    const { rows } = await target.query<{ count: string }>('select count(*) from readings');
    await until(() => isDone(target, lastRows));
    watch.stop();
    return Number(rows[0]!.count);
  });
}

/** Each row a transaction of its own, written at a pace. */
export const pacedByDebezium = (
  stage: ChainStage,
  name: string,
  { chain, work, perSecond }: { readonly chain: Chain; readonly work: Work; readonly perSecond: number },
): Side =>
  byChain(stage, name, { chain, work }, async ({ url, watch }) => {
    const events = eventsOf(work);
    const writers = await Promise.all(
      Array.from({ length: WRITERS }, () => connected(durable(stage.publisher.url))),
    );
    const written = writers.map((): Promise<unknown> => Promise.resolve());
    watch.start();
    await timeArrivals({ url, work, watch }, { perSecond }, async ({ partition }, index) => {
      const { id, sensor, value, at, version } = events[index]!;
      const values = [id, sensor, value, at, version];
      const turn = partition % WRITERS;
      written[turn] = written[turn]!.then(() => writers[turn]!.query({ name: 'row', text: UPSERT, values }));
      await written[turn];
    });
    watch.stop();
    await Promise.all(writers.map((writer) => writer.end()));
    return 0;
  });

const UPSERT = `
insert into readings (id, sensor, value, at, lockstep_version) values ($1, $2, $3, $4, $5)
on conflict (id) do update set sensor = excluded.sensor, value = excluded.value, at = excluded.at,
  lockstep_version = excluded.lockstep_version`;

/** A source is sent what is on the disk; unless commits wait for that, it comes up to 600 ms later. */
function durable(publisherUrl: string): string {
  const url = new URL(publisherUrl);
  url.searchParams.set('options', '-c synchronous_commit=on');
  return url.href;
}

/** @param act answers how many events came before the watch. */
function byChain(
  { servers, log, connect, publisher }: ChainStage,
  name: string,
  { chain, work }: { readonly chain: Chain; readonly work: Work },
  act: (running: Running) => Promise<number>,
): Side {
  const kafka = kafkaClient(servers.brokers);
  let measurements = 0;
  return {
    name,
    measure: async (watch) => {
      measurements += 1;
      const prefix = `${name.replaceAll(/\W+/g, '_').toLowerCase()}_${measurements}`;
      const topic = `${prefix}.public.readings`;
      const [sourceName, sinkName] = [`${prefix}-source`, `${prefix}-sink`];
      await createTopic(log, topic, work.shards.length);
      const source = await connected(publisher.url);
      await givePublisher(source, eventsOf(work));
      let early = 0;
      const events = await onFreshDatabase(servers, work, watch, async (url) => {
        const target = await connected(url);
        const until = (isSo: () => Promise<boolean>) =>
          waitUntil(isSo, async () => {
            await connect.check(sourceName);
            await connect.check(sinkName);
          });
        const slotIs = (active: boolean) => () => isSlot(source, prefix, active);
        try {
          await connect.begin(sourceName, sourceSettings(prefix, publisher.url, chain));
          await connect.begin(sinkName, sinkSettings({ ...chain.sink, topic }, url));
          await until(slotIs(true));
          await until(() => areShared(kafka, sinkName, chain.sink.tasks));
          // A source that has seen nothing has no place to go on from.
          await source.query(`insert into readings (id, lockstep_version) values ('first', 0)`);
          await until(() => hasBegun(target));
          await target.query('delete from readings');
          early = await act({
            ...{ source, target, url, watch, until },
            halt: async () => {
              await connect.halt(sourceName);
              await until(slotIs(false));
            },
            resume: () => connect.resume(sourceName),
          });
        } finally {
          await connect.end(sourceName);
          await connect.end(sinkName);
          await target.end();
        }
      });
      await waitUntil(
        () => isSlot(source, prefix, false),
        () => Promise.resolve(),
      );
      await source.query('select pg_drop_replication_slot($1)', [prefix]);
      await source.end();
      if (early > events / 4) throw new Error(`${name}: ${early} of ${events} events came before the watch`);
      return events - early;
    },
  };
}

function sourceSettings(prefix: string, publisherUrl: string, { source }: Chain): ConnectorSettings {
  const { hostname, port, pathname, username, password } = new URL(publisherUrl);
  return {
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'plugin.name': 'pgoutput',
    'slot.name': prefix,
    'publication.name': 'readings',
    'publication.autocreate.mode': 'disabled',
    'snapshot.mode': 'no_data',
    'topic.prefix': prefix,
    'database.hostname': hostname,
    'database.port': port,
    'database.dbname': pathname.slice(1),
    'database.user': username,
    'database.password': password,
    'table.include.list': 'public.readings',
    ...source,
  };
}

async function isSlot(source: pg.Client, slot: string, active: boolean): Promise<boolean> {
  const { rows } = await source.query<{ active: boolean }>(
    'select active from pg_replication_slots where slot_name = $1',
    [slot],
  );
  return rows[0]?.active === active;
}

/** Of the keys that are written last. */
function lastRowsOf(work: Work): LastRows {
  const last = new Map<string, number>();
  for (const { id, version } of eventsOf(work).toReversed()) {
    if (!last.has(id)) last.set(id, version);
    if (last.size === LAST_ROWS) break;
  }
  return last;
}
