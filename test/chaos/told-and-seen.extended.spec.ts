/** What is told is true, and what was seen stays seen (I7), in full size. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LocalCluster } from '../e2e/local-cluster.js';
import { expectNoStepBack } from './hopping-clients.js';
import { expectQuorumTruth } from './quorum-truth.js';

let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await LocalCluster.start(['--wan', '5']);
}, 180_000);

afterAll(() => cluster?.stop(), 60_000);

test('after each of 10,000 acknowledgements the regions that its rule demands have the row', async () => {
  const truth = await expectQuorumTruth(cluster, 10_000);
  console.log(
    `${truth.acknowledged} writes acknowledged at quorum, 0 untrue; ${truth.rules} rules in force over six shards, ` +
      `${truth.jointSteps} of them joint steps; ${truth.faults} faults`,
  );
  expect(truth.acknowledged).toBeGreaterThanOrEqual(10_000);
}, 1_800_000);

test('100,000 reads of clients that hop between regions: no step back', async () => {
  const { faults, reads, refused, writes } = await expectNoStepBack(cluster, 100_000);
  console.log(
    `${reads} reads, 0 violations; ${writes} writes, ${refused} calls asked again, ${faults} faults`,
  );
  expect(reads).toBeGreaterThanOrEqual(100_000);
}, 1_800_000);
