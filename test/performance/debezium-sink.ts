/**
 * Debezium's JDBC sink as a side: the events of some work as rows in a topic of its own, which it applies to a fresh
 * database.
 *
 * A connector needs seconds until its tasks are started and share the partitions. The watch starts when they do and have
 * applied something. How much that was is not counted: the version of a row tells its place in its partition.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '@lockstep/engine';
import kafkajs from 'kafkajs';
import type pg from 'pg';
import { onFreshDatabase, WAL_BYTES } from './appliers.ts';
import type { Side } from './benchmark.ts';
import type { RecordForm } from './debezium-records.ts';
import type { ConnectorSettings, KafkaConnect } from './kafka-connect.ts';
import { parsed } from './sample-writes.ts';
import { connected, kafkaClient, type Servers } from './servers.ts';
import { createTopic } from './shard-publishers.ts';
import type { Work } from './work.ts';

export interface Sink {
  readonly topic: string;
  readonly form: RecordForm;
  readonly tasks: number;
  /** What differs from the defaults. */
  readonly settings: ConnectorSettings;
}

/** What makes it quickest with two tasks. */
export const TUNED_SETTINGS: ConnectorSettings = {
  'dialect.postgres.unnest.insert.enabled': 'true',
  'use.reduction.buffer': 'true',
  'batch.size': '2000',
  'consumer.override.max.poll.records': '2000',
  // The first task holds all partitions until a heartbeat tells it of the second one.
  'consumer.override.heartbeat.interval.ms': '100',
};

/** A send is one batch for each partition, which a broker takes up to a megabyte. */
const ENTRIES_PER_SEND = 120;
const LOOK_EVERY_MS = 10;
const CHECK_EVERY_MS = 1_000;
const APPLY_MS_MAX = 120_000;

interface Stage {
  readonly servers: Servers;
  readonly log: Log;
  readonly connect: KafkaConnect;
}

/** Fills the sink's topic. */
export async function prepareDebeziumSink(
  { servers, log, connect }: Stage,
  name: string,
  { work, sink }: { readonly work: Work; readonly sink: Sink },
): Promise<Side> {
  await createTopic(log, sink.topic, work.shards.length);
  const kafka = kafkaClient(servers.brokers);
  const lastRows = await fill(kafka, work, sink);
  let connectors = 0;
  return {
    name,
    measure: async (watch) => {
      connectors += 1;
      const connector = `${sink.topic}-${connectors}`;
      let early = 0;
      const events = await onFreshDatabase(servers, work, watch, async (url) => {
        const client = await connected(url);
        const walBytes = await servers.walBytes();
        await connect.begin(connector, sinkSettings(sink, url));
        const until = (isSo: () => Promise<boolean>) => waitUntil(isSo, () => connect.check(connector));
        try {
          await until(() => areShared(kafka, connector, sink.tasks));
          await until(() => hasBegun(client));
          watch.count(WAL_BYTES, walBytes - (await servers.walBytes()));
          watch.start();
          early = await appliedIn(client, work);
          await until(() => isDone(client, lastRows));
          watch.stop();
        } finally {
          await connect.end(connector);
          await client.end();
        }
      });
      if (early > events / 2) throw new Error(`${name}: ${early} of ${events} events came before the watch`);
      return events - early;
    },
  };
}

export function sinkSettings({ topic, tasks, form, settings }: Sink, url: string): ConnectorSettings {
  const { hostname, port, pathname, username, password } = new URL(url);
  return {
    'connector.class': 'io.debezium.connector.jdbc.JdbcSinkConnector',
    'tasks.max': String(tasks),
    topics: topic,
    'connection.url': `jdbc:postgresql://${hostname}:${port}${pathname}`,
    'connection.username': username,
    'connection.password': password,
    'collection.name.format': 'readings',
    'insert.mode': 'upsert',
    'primary.key.mode': 'record_key',
    ...form.converters,
    ...settings,
  };
}

/** Their versions by key; when they are there, so is all that came before them in their partitions. */
export type LastRows = ReadonlyMap<string, number>;

/** Partition by partition in the order of the log; a row's version is how many the partition has, and which one it is. */
async function fill(
  kafka: kafkajs.Kafka,
  { entries, shards }: Work,
  { topic, form }: Sink,
): Promise<LastRows> {
  const counts = shards.map(() => 0);
  const last: (readonly [key: string, version: number])[] = [];
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  for (let from = 0; from < entries.length; from += ENTRIES_PER_SEND) {
    const messages = entries.slice(from, from + ENTRIES_PER_SEND).flatMap(({ partition, text }) =>
      parsed(text).map(({ key, data }) => {
        counts[partition]! += 1;
        const version = counts[partition]! * shards.length + partition;
        last[partition] = [key, version];
        const row = { id: key, ...data, lockstep_version: version };
        return { partition, key: form.key(row), value: form.value(row) };
      }),
    );
    await producer.send({ topic, messages });
  }
  await producer.disconnect();
  return new Map(last);
}

/** Whether every task has its partitions. */
export async function areShared(kafka: kafkajs.Kafka, connector: string, tasks: number): Promise<boolean> {
  const admin = kafka.admin();
  await admin.connect();
  const { groups } = await admin.describeGroups([`connect-${connector}`]);
  await admin.disconnect();
  return groups[0]!.state === 'Stable' && groups[0]!.members.length === tasks;
}

export async function hasBegun(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query('select from readings limit 1');
  return rows.length > 0;
}

async function appliedIn(client: pg.Client, { shards }: Work): Promise<number> {
  const { rows } = await client.query<{ events: string }>(
    `select sum(events) as events
     from (select max(lockstep_version) / $1 as events from readings group by lockstep_version % $1) as partitions`,
    [shards.length],
  );
  return Number(rows[0]!.events);
}

export async function isDone(client: pg.Client, lastRows: LastRows): Promise<boolean> {
  const { rows } = await client.query<{ id: string; version: string }>(
    'select id, lockstep_version as version from readings where id = any($1)',
    [[...lastRows.keys()]],
  );
  return (
    rows.length === lastRows.size && rows.every(({ id, version }) => lastRows.get(id) === Number(version))
  );
}

export async function waitUntil(isSo: () => Promise<boolean>, check: () => Promise<void>): Promise<void> {
  const begunMs = performance.now();
  let checkedMs = begunMs;
  while (!(await isSo())) {
    const nowMs = performance.now();
    if (nowMs - begunMs > APPLY_MS_MAX)
      throw new Error(`the sink is not done after ${APPLY_MS_MAX / 1_000} s`);
    if (nowMs - checkedMs > CHECK_EVERY_MS) {
      await check();
      checkedMs = nowMs;
    }
    await sleep(LOOK_EVERY_MS);
  }
}
