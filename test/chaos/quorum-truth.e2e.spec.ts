/**
 * An acknowledged critical write is where its rule says, whatever the rule is by then (I7). In small; in full size:
 * quorum-truth.extended.spec.ts.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LocalCluster } from '../e2e/local-cluster.js';
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
