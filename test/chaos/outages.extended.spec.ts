/**
 * The outages of outages.e2e.spec.ts, a minute each: long enough for every time-out, back-off and queue of the roles to
 * have been met, and for memory that grows to show (I17, I20).
 */
import { afterAll, beforeAll, test } from '@jest/globals';
import { LocalCluster } from '../e2e/local-cluster.js';
import { fullDisk, kafkaOutage, postgresOutage } from './outages.js';

const OUTAGE_MS = 60_000;
let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await LocalCluster.startAttended();
}, 180_000);

afterAll(() => cluster?.stop(), 60_000);

test('a minute without Kafka', async () => {
  await kafkaOutage(cluster, OUTAGE_MS, 80);
}, 300_000);

test('a minute without the database of one region', async () => {
  await postgresOutage(cluster, 'eu', OUTAGE_MS);
}, 300_000);

// Mounting is for root alone.
(process.getuid?.() === 0 ? test : test.skip)(
  'a minute with a full disk in one region',
  async () => {
    await fullDisk(cluster, 'us', OUTAGE_MS);
  },
  300_000,
);
