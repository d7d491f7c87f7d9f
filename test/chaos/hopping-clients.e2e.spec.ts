/** Read your writes and monotonic reads across regions. In small; in full size: hopping-clients.extended.spec.ts. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LocalCluster } from '../e2e/local-cluster.js';
import { expectNoStepBack } from './hopping-clients.js';

let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await LocalCluster.start();
}, 180_000);

afterAll(() => cluster?.stop(), 60_000);

test('clients that hop between regions after every call see their writes and never go back', async () => {
  const { reads, writes } = await expectNoStepBack(cluster, 3_000);
  expect(reads).toBeGreaterThanOrEqual(3_000);
  expect(writes).toBeGreaterThan(100);
}, 120_000);
