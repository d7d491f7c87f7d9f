/** Read your writes and monotonic reads across regions, in full size: 100,000 reads. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LocalCluster } from '../e2e/local-cluster.js';
import { expectNoStepBack } from './hopping-clients.js';

let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await LocalCluster.start();
}, 180_000);

afterAll(() => cluster?.stop(), 60_000);

test('100,000 reads of clients that hop between regions: no step back', async () => {
  const { faults, reads, refused, writes } = await expectNoStepBack(cluster, 100_000);
  console.log(
    `${reads} reads, 0 violations; ${writes} writes, ${refused} calls asked again, ${faults} faults`,
  );
  expect(reads).toBeGreaterThanOrEqual(100_000);
}, 900_000);
