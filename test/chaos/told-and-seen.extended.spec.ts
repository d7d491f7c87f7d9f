/**
 * What is told is true, and what was seen stays seen (I7): longer than in `npm test`, and in full size (10,000
 * acknowledgements, 100,000 reads) with LOCKSTEP_TEST_WHOLE=1.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LocalCluster } from '../e2e/local-cluster.js';
import { expectNoStepBack } from './hopping-clients.js';
import { expectQuorumTruth } from './quorum-truth.js';

const SHARE = process.env['LOCKSTEP_TEST_WHOLE'] === '1' ? 1 : 0.4;
const ACKNOWLEDGED = 10_000 * SHARE;
const READS = 100_000 * SHARE;
let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await LocalCluster.start(['--wan', '5']);
}, 180_000);

afterAll(() => cluster?.stop(), 60_000);

test(`after each of ${ACKNOWLEDGED} acknowledgements the regions that its rule demands have the row`, async () => {
  const truth = await expectQuorumTruth(cluster, ACKNOWLEDGED);
  console.log(
    `${truth.acknowledged} writes acknowledged at quorum, 0 untrue; ${truth.rules} rules in force over six shards, ` +
      `${truth.jointSteps} of them joint steps; ${truth.faults} faults`,
  );
  expect(truth.acknowledged).toBeGreaterThanOrEqual(ACKNOWLEDGED);
}, 1_800_000);

test(`${READS} reads of clients that hop between regions: no step back`, async () => {
  const { faults, reads, refused, writes } = await expectNoStepBack(cluster, READS);
  console.log(
    `${reads} reads, 0 violations; ${writes} writes, ${refused} calls asked again, ${faults} faults`,
  );
  expect(reads).toBeGreaterThanOrEqual(READS);
}, 1_800_000);
