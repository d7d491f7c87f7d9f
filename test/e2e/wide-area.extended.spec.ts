/**
 * Three brokers, one per region, and delayed links between the regions, over which records go compressed: leaders stand at home, a write reaches every
 * region, and a region that is cut off is missed by nobody and catches up alone when its links heal (I11, I20).
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { call, eventually, LocalCluster, write } from './local-cluster.js';
import { attended, compressed } from './sample-catalogue.js';
import { partitionsOf } from './topic-partitions.js';

let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await LocalCluster.startWith({ ...attended, ...compressed }, ['--brokers', '3', '--wan', '20']);
}, 300_000);

afterAll(() => cluster?.stop(), 60_000);

const opened = (key: string, ack: string): object => ({
  events: [{ key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } }],
  ack,
  timeoutMs: 20_000,
});

test('each shard is led by the broker of its home, and every region holds a replica', async () => {
  const partitions = await partitionsOf(cluster, 'lockstep.accounts');
  const preferred = partitions.map(({ replicas }) => replicas[0]);
  // Two shards for each of the groups ap, eu and us, in the order of the catalogue: two by two the same broker.
  expect(preferred[0]).toBe(preferred[1]);
  expect(preferred[2]).toBe(preferred[3]);
  expect(preferred[4]).toBe(preferred[5]);
  expect(new Set(preferred).size).toBe(3);
  for (const { replicas } of partitions) expect(new Set(replicas).size).toBe(3);
});

test('a write through another region pays the way there and back, and reaches everywhere', async () => {
  const answer = await write(cluster, 'ap', 'accounts', opened('eu:far', 'everywhere'));
  expect(answer).toMatchObject({ status: 200, body: { stage: 'everywhere' } });
});

test('a region that is cut off is missed by nobody, and catches up alone when it is healed', async () => {
  await cluster.lockstep(['local', 'cut', 'ap']);
  const quorum = await eventually(
    () => write(cluster, 'eu', 'accounts', opened(`eu:cut-${Date.now()}`, 'quorum')),
    ({ status }) => status === 200,
    60_000,
  );
  expect(quorum.body.stages.quorum.regions).toEqual(['eu', 'us']);
  await cluster.lockstep(['local', 'heal', 'ap']);
  const key = Object.keys(quorum.body.versions as object)[0]!;
  const row = await eventually(
    () => call(`${cluster.gateway('ap')}/v1/datasets/accounts/rows/${encodeURIComponent(key)}`),
    ({ status }) => status === 200,
    60_000,
  );
  expect(row.body.version).toBe(quorum.body.sequence);
}, 180_000);
