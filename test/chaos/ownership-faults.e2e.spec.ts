/**
 * Moves of ownership under crashes and stops at named points, on real processes: a few of the points. All of them:
 * move-crashes, stopped-leader and late-writes in their extended specs.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Log } from '@lockstep/engine';
import { kafkaLog } from '@lockstep/kafka';
import { Chance } from '@lockstep/testing';
import type { LocalCluster } from '../e2e/local-cluster.js';
import { expectAgreement } from './agreement.js';
import { BackgroundLoad } from './background-load.js';
import { startFailing } from './failpoints.js';
import { LateWrites } from './late-writes.js';
import { MoveCrashes, type Crash } from './move-crashes.js';
import { StoppedLeader } from './stopped-leader.js';

let cluster: LocalCluster;
let log: Log;
let load: BackgroundLoad | undefined;

beforeAll(async () => {
  cluster = await startFailing();
  log = kafkaLog({ brokers: cluster.file.kafka.brokers, clientId: 'reader' });
}, 180_000);

afterAll(async () => {
  await load?.stop();
  await log?.close();
  await cluster?.stop();
}, 60_000);

const SEED = 11;
const CRASHES: readonly Crash[] = [
  { kind: 'switchover', entry: 'decision', moment: 'before', victim: 'leader' },
  { kind: 'switchover', entry: 'fence', moment: 'before', victim: 'leader' },
  { kind: 'switchover', entry: 'drained', moment: 'after', victim: 'home-gateway' },
  { kind: 'failover', entry: 'fence', moment: 'after', victim: 'leader' },
  { kind: 'failover', entry: 'fencing', moment: 'after', victim: 'candidate-replicator' },
  { kind: 'evacuation', entry: 'evacuate', moment: 'after', victim: 'leader' },
];

test('whoever is killed at a point of a move, the shard has one home and its writes go on', async () => {
  load = new BackgroundLoad(cluster, { clients: 6, rate: 30 });
  const crashes = new MoveCrashes(cluster);
  for (const crash of CRASHES) await crashes.expectOneHome(crash);
  await load.expectTold();
  await expectAgreement(cluster);
}, 400_000);

test.each(['another-term', 'pause-confirmed'] as const)(
  'a leader that stood still before its fence until %s changes nothing when it goes on',
  async (until) => {
    const leader = new StoppedLeader(cluster, log);
    await leader.expectNoEffect({ kind: 'switchover', entry: 'fence', moment: 'before', until });
    await expectAgreement(cluster);
  },
  240_000,
);

const TRIALS = 5;

test('late writes of a home that stood still are rejected alike, and their callers hear the new home', async () => {
  const trials = new LateWrites(cluster, log, new Chance(SEED), 'late');
  let fenced = 0;
  for (let trial = 0; trial < TRIALS; trial += 1) {
    fenced += (await trials.trial()).fenced;
  }
  expect(fenced).toBeGreaterThan(0);
  await expectAgreement(cluster);
}, 240_000);
