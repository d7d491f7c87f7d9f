/**
 * Three brokers of which one's clock is ten minutes ahead and one's is ten minutes behind, which jump while they run, and of which
 * the control log's leader stands still: no clock makes or prevents a leader of the coordinators, and each term has one (I16, I20).
 */
import { afterAll, beforeAll, test } from '@jest/globals';
import { CONTROL_TOPIC } from '@lockstep/protocol';
import { LocalCluster } from '../e2e/local-cluster.js';
import { partitionsOf } from '../e2e/topic-partitions.js';
import type { AccountWriter } from './account-writer.js';
import { BrokerClocks } from './broker-clock.js';
import { ControlHistory } from './control-history.js';
import { beginWriting, disturbLeader, expectHonestEnd, stallBroker } from './disturbed-coordinators.js';

const BROKERS = 3;
const OFF_SECONDS = 600;
const STALLS = 5;
let clocks: BrokerClocks;
let cluster: LocalCluster;
let history: ControlHistory;
let writer: AccountWriter;

beforeAll(async () => {
  clocks = await BrokerClocks.prepare(BROKERS);
  clocks.set(1, OFF_SECONDS);
  clocks.set(2, -OFF_SECONDS);
  cluster = await LocalCluster.startAttended(['--brokers', String(BROKERS)], clocks.environment);
  history = new ControlHistory(cluster);
  writer = await beginWriting(cluster, 'clocks');
}, 300_000);

afterAll(async () => {
  await history?.close();
  await cluster?.stop();
  clocks?.close();
}, 60_000);

/** The broker that leads the control log. */
const controlBroker = async (): Promise<number> => (await partitionsOf(cluster, CONTROL_TOPIC))[0]!.leader;

const secondsOff = (appendTimeMs: number): number => Math.round((appendTimeMs - Date.now()) / 60_000) * 60;

test('with brokers whose clocks differ by twenty minutes a leader stays, and one that stands still is followed', async () => {
  const before = await history.agreed();
  await history.heartbeats(12);
  await history.expectStays(before);
  for (let trial = 0; trial < 3; trial += 1) await disturbLeader(cluster, history, 'paused');
  await disturbLeader(cluster, history, 'killed');
});

test('a clock of the control log that jumps ten minutes and twenty back changes no leader', async () => {
  const broker = await controlBroker();
  for (const seconds of [0, OFF_SECONDS, -OFF_SECONDS, 0]) {
    const before = await history.agreed();
    const fromMs = performance.now();
    clocks.set(broker, seconds);
    await history.read((_, { appendTimeMs }) => secondsOff(appendTimeMs) === seconds, fromMs, 60_000);
    await history.heartbeats(12);
    await history.expectStays(before);
    await disturbLeader(cluster, history, 'paused');
  }
});

// Another broker takes the log over within the five seconds. Whoever finds it first speaks first: mostly the incumbent stays.
test('the broker of the control log stands still for five seconds, and afterwards one coordinator leads', async () => {
  const terms: bigint[] = [];
  for (let stall = 0; stall < STALLS; stall += 1) {
    const before = await history.agreed();
    await stallBroker(cluster, await controlBroker());
    await history.heartbeats(16);
    const { term } = await history.agreed();
    terms.push(term - before.term);
  }
  console.log(`terms that stalls of the control log's broker opened: ${terms.join(', ')}`);
}, 240_000);

test('in all of this each term had one leader, and every write was answered, once', async () => {
  await expectHonestEnd(cluster, history, writer);
}, 120_000);
