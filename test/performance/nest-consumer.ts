/** The naive consumer as a side: its program in a process of its own, on a topic of plain messages. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import type { Log } from '@lockstep/engine';
import type { Side } from './benchmark.ts';
import { installPeer } from './peer-packages.ts';
import { parsed } from './sample-writes.ts';
import { connected, kafkaClient, type Servers } from './servers.ts';
import { createTopic } from './shard-publishers.ts';
import type { Work } from './work.ts';

const TOPIC = 'peer-readings';
const DEPENDENCIES = {
  '@nestjs/common': '12.1.1',
  '@nestjs/core': '12.1.1',
  '@nestjs/microservices': '12.1.1',
  kafkajs: '2.2.4',
  pg: '8.23.1',
  'reflect-metadata': '0.2.2',
  rxjs: '7.8.2',
  typeorm: '1.1.1',
};

/** Fills its topic with the first events of the work, one a message, and installs the program. */
export async function prepareNestConsumer(
  { servers, log }: { readonly servers: Servers; readonly log: Log },
  name: string,
  { work, count }: { readonly work: Work; readonly count: number },
): Promise<Side> {
  const program = await installPeer('nest-consumer', {
    dependencies: DEPENDENCIES,
    program: join(import.meta.dirname, 'peers/nest-consumer.mjs'),
  });
  const events = work.entries
    .slice(0, count)
    .flatMap(({ text }) => parsed(text))
    .slice(0, count)
    .map(({ key, data }, index) => ({ key, ...data, version: index + 1 }));
  await createTopic(log, TOPIC, work.shards.length);
  const kafka = kafkaClient(servers.brokers);
  const producer = kafka.producer();
  await producer.connect();
  const messages = events.map((event) => ({ key: event.key, value: JSON.stringify(event) }));
  await producer.send({ topic: TOPIC, messages });
  await producer.disconnect();
  const keys = new Set(events.map(({ key }) => key)).size;
  return {
    name,
    measure: async (watch) => {
      const database = await servers.createDatabase(work.template);
      const settings = {
        broker: servers.brokers[0]!,
        topic: TOPIC,
        group: `peer-${performance.now()}`,
        url: database.url,
        count,
      };
      const child = spawn(process.execPath, ['--no-warnings', program, JSON.stringify(settings)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let isDone = false;
      for await (const line of createInterface(child.stdout)) {
        if (line === 'begun') watch.start();
        if (line !== 'done') continue;
        watch.stop();
        isDone = true;
        child.kill();
      }
      if (!isDone) throw new Error('the consumer ended before it was done');
      const client = await connected(database.url);
      const { rows } = await client.query<{ count: string }>('select count(*) from readings');
      await client.end();
      await database.drop();
      if (Number(rows[0]!.count) !== keys) throw new Error(`${rows[0]!.count} rows, not ${keys}`);
      return count;
    },
  };
}
