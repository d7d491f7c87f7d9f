/**
 * Topics that brokers compress: writes go through all regions, what others pack by another codec or beyond all bounds stops
 * nobody, and regions end equal (I11).
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CompressionTypes, ConfigResourceTypes, Kafka, logLevel } from 'kafkajs';
import { call, eventually, LocalCluster, REGIONS, write } from './local-cluster.js';
import { attended, compressed } from './sample-catalogue.js';

const TOPIC = 'lockstep.accounts';
/** As many as anybody may append, and then the header of the batch. */
const TOO_MANY_BYTES = 4 * 1024 * 1024;

let cluster: LocalCluster;
let kafka: Kafka;

beforeAll(async () => {
  cluster = await LocalCluster.startWith({ ...attended, ...compressed });
  kafka = new Kafka({ brokers: [...cluster.file.kafka.brokers], logLevel: logLevel.NOTHING });
}, 180_000);

afterAll(() => cluster?.stop(), 60_000);

const opened = (key: string): object => ({
  events: [{ key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } }],
  ack: 'everywhere',
});

async function openEverywhere(name: string): Promise<void> {
  for (const region of REGIONS)
    for (const home of REGIONS)
      expect(await write(cluster, region, 'accounts', opened(`${home}:${name}-${region}`))).toMatchObject({
        status: 200,
        body: { stage: 'everywhere' },
      });
}

test('topics of datasets are compressed and take writes, that of the control plane is not', async () => {
  await openEverywhere('before');
  const admin = kafka.admin();
  await admin.connect();
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [TOPIC, 'lockstep.control'].map((name) => ({
      type: ConfigResourceTypes.TOPIC,
      name,
      configNames: ['compression.type'],
    })),
  });
  await admin.disconnect();
  const codecs = resources.map(({ configEntries }) => configEntries[0]?.configValue);
  expect(codecs).toEqual(['zstd', 'uncompressed']);
});

test('what others packed otherwise is counted, what unpacks to more than anybody may append is stepped over', async () => {
  const look = async (): Promise<ReturnType<typeof shardOf>> =>
    shardOf(await call(`${cluster.gateway('eu')}/v1/shards/accounts/0`));
  const before = await eventually(look, ({ sequences }) => new Set(sequences).size === 1);
  const producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const send = (...values: readonly string[]): Promise<unknown> =>
    producer.send({
      topic: TOPIC,
      compression: CompressionTypes.GZIP,
      messages: values.map((value) => ({ partition: 0, value })),
    });
  await send('a', 'b'.repeat(1_000), 'c');
  await send('x'.repeat(TOO_MANY_BYTES), 'beside it');
  await send('d');
  await producer.disconnect();

  const after = await eventually(look, ({ sequences }) =>
    sequences.every((one) => one >= before.sequences[0]! + 4),
  );
  expect(after).toEqual({ sequences: before.sequences.map((one) => one + 4), hashes: 1, troubles: [] });
  await openEverywhere('after');
});

interface RegionOfShard {
  readonly sequence: number;
  readonly inputHash: string;
  readonly effectsHash: string;
  readonly halted: unknown;
  readonly differs: boolean;
}

function shardOf({ body }: Awaited<ReturnType<typeof call>>): {
  readonly sequences: readonly number[];
  readonly hashes: number;
  readonly troubles: readonly RegionOfShard[];
} {
  const regions = Object.values(body.regions as Record<string, RegionOfShard>);
  return {
    sequences: regions.map(({ sequence }) => sequence),
    hashes: new Set(regions.map(({ effectsHash, inputHash }) => inputHash + effectsHash)).size,
    troubles: regions.filter(({ differs, halted }) => differs || halted !== null),
  };
}
