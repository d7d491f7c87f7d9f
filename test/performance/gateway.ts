/** Gateway: entries over HTTP, in batches, to the gateway of one region that runs as `npm start` runs it. */
import { kafkaLog } from '@lockstep/kafka';
import type { GatewayDataset } from '@lockstep/engine';
import type { LocalCluster } from '../e2e/local-cluster.ts';
import {
  cost,
  disturbance,
  inTurns,
  rate,
  ratio,
  type Benchmark,
  type Context,
  type Side,
} from './benchmark.ts';
import { openPreparedBatches, PREPARED } from './prepared-batches.ts';
import { EVENTS_PER_ENTRY, meanBytes, readings, readingsDataset, type Entry } from './sample-writes.ts';
import { createTopic } from './shard-publishers.ts';

const ENTRIES = 8_000;
const STATIONS = 1_668;
const ENTRIES_PER_REQUEST = 200;
const IN_FLIGHT = 8;
const ROUNDS = 5;
const PREPARED_TOPIC = 'bench-prepared';

const HTTP = 'HTTP batches';

export const gateway: Benchmark = {
  name: 'gateway',
  profile: `${ENTRIES} entries of ${EVENTS_PER_ENTRY} readings in the 4 shards of group eu; \`npm start -- --regions eu\`: broker, \
Postgres, gateway, replicator and coordinator are processes on one machine, metrics on, no traces sent; the replicator \
applies meanwhile. ${HTTP}: POST entries:batch, ${ENTRIES_PER_REQUEST} entries a request, ${IN_FLIGHT} requests in flight, ack \
logged. ${PREPARED}: the same entries by kafkajs to a topic of the same broker, acks all.`,
  run: async ({ cluster, say }) => measure(say, await cluster(['--regions', 'eu'])),
};

async function measure(say: Context['say'], cluster: LocalCluster): ReturnType<Benchmark['run']> {
  const { kafka, regions } = cluster.file;
  const { pids } = regions['eu']!;
  const dataset = await readingsDataset();
  const eu = dataset.configuration.content.groups.find(({ home }) => home === 'eu')!;
  const entries = readings(dataset, (ENTRIES * dataset.partitions) / eu.shards, STATIONS).filter(
    ({ partition }) => partition >= eu.firstShard && partition < eu.firstShard + eu.shards,
  );
  const log = kafkaLog({ brokers: kafka.brokers, clientId: 'bench-gateway' });
  await createTopic(log, PREPARED_TOPIC, dataset.partitions);
  await log.close();
  const prepared = await openPreparedBatches(kafka.brokers, PREPARED_TOPIC, dataset, entries);
  const rounds = await inTurns({
    say,
    processes: {
      broker: kafka.pids[0]!,
      database: pids.postgres!,
      gateway: pids.gateway!,
      replicator: pids.replicator!,
    },
    sides: [overHttp(cluster.gateway('eu'), dataset, entries), prepared.side],
    rounds: ROUNDS,
  });
  await prepared.close();
  return [
    ratio(rounds, HTTP, PREPARED),
    ...[HTTP, PREPARED].map((side) => rate(rounds, side, 'entries/s')),
    ...[HTTP, PREPARED].map((side) => rate(rounds, side, 'MB/s', meanBytes(entries) / 1e6)),
    ...cost(rounds, HTTP, 'entry'),
    disturbance(rounds),
  ];
}

function overHttp(address: string, { table }: GatewayDataset, entries: readonly Entry[]): Side {
  const url = `${address}/v1/datasets/${table.dataset}/entries:batch`;
  const bodies: string[] = [];
  for (let from = 0; from < entries.length; from += ENTRIES_PER_REQUEST) {
    const batch = entries.slice(from, from + ENTRIES_PER_REQUEST).map(({ text }) => `{"events":${text}}`);
    bodies.push(`{"ack":"logged","timeoutMs":60000,"entries":[${batch.join(',')}]}`);
  }
  const post = async (body: string): Promise<string> => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    const text = await response.text();
    if (response.status !== 207) throw new Error(`the gateway answered ${response.status}: ${text}`);
    return text;
  };
  return {
    name: HTTP,
    measure: async (watch) => {
      const left = bodies.values();
      const answers: string[] = [];
      watch.start();
      await Promise.all(
        Array.from({ length: IN_FLIGHT }, async () => {
          for (const body of left) answers.push(await post(body));
        }),
      );
      watch.stop();
      const receipts = answers.flatMap(
        (text) => (JSON.parse(text) as { entries: readonly { stage?: string }[] }).entries,
      );
      const logged = receipts.filter(({ stage }) => stage !== undefined && stage !== null).length;
      if (logged !== entries.length) throw new Error(`${logged} of ${entries.length} entries are logged`);
      return logged;
    },
  };
}
