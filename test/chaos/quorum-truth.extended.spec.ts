/** An acknowledged critical write is where its rule says (I7), in full size: 10,000 acknowledged writes. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LocalCluster } from '../e2e/local-cluster.js';
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
}, 900_000);
