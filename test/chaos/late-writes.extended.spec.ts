/**
 * 75 times, by three seeds, a home's gateway stands still with writes under way while its shard is fenced to another region (I5, I6, I9); 200
 * times with LOCKSTEP_TEST_WHOLE=1, five times for every change: ownership-faults.e2e.spec.ts.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Log } from '@lockstep/engine';
import { kafkaLog } from '@lockstep/kafka';
import { Chance } from '@lockstep/testing';
import type { LocalCluster } from '../e2e/local-cluster.js';
import { expectAgreement } from './agreement.js';
import { startFailing } from './failpoints.js';
import { LateWrites } from './late-writes.js';

const TRIALS = 25;
const SEEDS = process.env['LOCKSTEP_TEST_WHOLE'] === '1' ? [1, 2, 3, 4, 5, 6, 7, 8] : [1, 2, 3];
let cluster: LocalCluster;
let log: Log;

beforeAll(async () => {
  cluster = await startFailing();
  log = kafkaLog({ brokers: cluster.file.kafka.brokers, clientId: 'reader' });
}, 180_000);

afterAll(async () => {
  await log?.close();
  await cluster?.stop();
}, 60_000);

test.each(SEEDS)(
  'late writes of a home that stood still are rejected alike, and their callers hear the new home: seed %d',
  async (seed) => {
    const writes = new LateWrites(cluster, log, new Chance(seed), `seed-${seed}`);
    const late = { fenced: 0, repeated: 0, duplicate: 0 };
    for (let trial = 0; trial < TRIALS; trial += 1) {
      const { duplicate, fenced, repeated } = await writes.trial();
      late.fenced += fenced;
      late.repeated += repeated;
      late.duplicate += duplicate;
    }
    console.log(`${TRIALS} trials, late entries: ${JSON.stringify(late)}`);
    expect(late.fenced).toBeGreaterThan(TRIALS);
    expect(late.repeated).toBeGreaterThan(0);
    await expectAgreement(cluster);
  },
  600_000,
);
