/**
 * Who leads the coordinators, on real processes and a real broker, while accounts are written: the leader is killed, stands
 * still, is not heard or hears nothing; the broker's clock is wrong and jumps; the control log stands still. One leader per
 * term, a new one where there must be one, the incumbent where there need not be one (I16, I20).
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LocalCluster } from '../e2e/local-cluster.js';
import type { AccountWriter } from './account-writer.js';
import { BrokerClocks } from './broker-clock.js';
import { ControlHistory } from './control-history.js';
import {
  beginWriting,
  BROKER_REGION,
  disturbFollower,
  disturbLeader,
  DISTURBANCES,
  expectHonestEnd,
  stallBroker,
} from './disturbed-coordinators.js';

let clocks: BrokerClocks;
let cluster: LocalCluster;
let history: ControlHistory;
let writer: AccountWriter;

beforeAll(async () => {
  clocks = await BrokerClocks.prepare(1);
  cluster = await LocalCluster.startAttended(
    ['--wan', '0', '--brokers-in', BROKER_REGION],
    clocks.environment,
  );
  history = new ControlHistory(cluster);
  writer = await beginWriting(cluster, 'led');
}, 240_000);

afterAll(async () => {
  await history?.close();
  await cluster?.stop();
  clocks?.close();
}, 60_000);

test.each(DISTURBANCES)(
  'a leader that is %s is followed by one other, and leads no more afterwards',
  async (how) => {
    const tookMs = await disturbLeader(cluster, history, how);
    console.log(`the leader ${how}: the next one after ${Math.round(tookMs)} ms`);
  },
);

test.each(DISTURBANCES)('while another coordinator than the leader is %s, the leader stays', async (how) => {
  await disturbFollower(cluster, history, how);
});

test.each([600, -600])(
  'a broker whose clock jumps to %d s off neither elects nor prevents',
  async (seconds) => {
    const before = await history.agreed();
    const fromMs = performance.now();
    clocks.set(1, seconds);
    const isOff = (appendTimeMs: number): boolean =>
      Math.abs(appendTimeMs - Date.now() - seconds * 1_000) < 60_000;
    await history.read((_, { appendTimeMs }) => isOff(appendTimeMs), fromMs, 60_000);
    await history.heartbeats(8);
    await history.expectStays(before);
    await disturbLeader(cluster, history, 'paused');
  },
);

// The incumbent speaks first when the log goes on, unless the machine holds it up just then.
test('a control log that stands still for five seconds leaves the incumbent where it is', async () => {
  clocks.set(1, 0);
  let stays = 0;
  for (let stall = 0; stall < 3; stall += 1) {
    const before = await history.agreed();
    await stallBroker(cluster, null);
    await history.heartbeats(16);
    if ((await history.agreed()).term === before.term) stays += 1;
  }
  expect(stays).toBeGreaterThanOrEqual(2);
});

test('in all of this each term had one leader, and every write was answered, once', async () => {
  await expectHonestEnd(cluster, history, writer);
}, 120_000);
