/**
 * Short outages under load: of the log, of one region's database, of one region's disk. Every answer is one that the
 * contract knows, nothing that was acknowledged is lost, memory stays bounded, other regions go on, and whoever saw the
 * outage goes on alone afterwards (I4, I7, I8, I17, I20). Longer ones: outages.extended.spec.ts.
 */
import { afterAll, beforeAll, test } from '@jest/globals';
import { LocalCluster } from '../e2e/local-cluster.js';
import { fullDisk, kafkaOutage, postgresOutage } from './outages.js';

let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await LocalCluster.startAttended();
}, 180_000);

afterAll(() => cluster?.stop(), 60_000);

test('without Kafka: honest answers, nothing lost, and everything goes on by itself', async () => {
  await kafkaOutage(cluster, 6_000, 100);
}, 240_000);

test('without the database of one region: the others acknowledge, it catches up by itself', async () => {
  await postgresOutage(cluster, 'ap', 3_000);
}, 240_000);

// Mounting is for root alone.
(process.getuid?.() === 0 ? test : test.skip)(
  'with a full disk in one region: it claims nothing that it does not hold, and goes on when there is room',
  async () => {
    await fullDisk(cluster, 'ap', 3_000);
  },
  240_000,
);
