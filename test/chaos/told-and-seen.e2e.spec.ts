/**
 * What is told is true, and what was seen stays seen: an acknowledged critical write is where its rule says, whatever the rule is
 * by then, and a client that goes from region to region never goes back (I7). In full size: told-and-seen.extended.spec.ts.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LocalCluster } from '../e2e/local-cluster.js';
import { expectNoStepBack } from './hopping-clients.js';
import { expectQuorumTruth } from './quorum-truth.js';

let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await LocalCluster.start(['--wan', '5']);
}, 180_000);

afterAll(() => cluster?.stop(), 60_000);

test('after each acknowledgement the regions that the rule of its position demands have the row', async () => {
  const { acknowledged, jointSteps, rules } = await expectQuorumTruth(cluster, 500);
  expect(acknowledged).toBeGreaterThanOrEqual(500);
  // Six shards: each had every rule, and a joint step for those that can be apart.
  expect(rules).toBeGreaterThanOrEqual(6 * 6);
  expect(jointSteps).toBeGreaterThanOrEqual(6 * 3);
}, 180_000);

test('clients that hop between regions after every call see their writes and never go back', async () => {
  const { reads, writes } = await expectNoStepBack(cluster, 2_000);
  expect(reads).toBeGreaterThanOrEqual(2_000);
  expect(writes).toBeGreaterThan(100);
}, 120_000);
