/**
 * A home that fails while nobody watches, on real processes: its writes go on elsewhere by themselves, none that was acknowledged
 * is lost, and the region comes back equal (I5, I6, I13).
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { call, eventually, LocalCluster, write, type Region } from '../e2e/local-cluster.js';
import { AccountWriter } from './account-writer.js';
import { expectAgreement } from './agreement.js';

const ROLES = ['gateway', 'replicator', 'coordinator'] as const;

let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await LocalCluster.start();
}, 180_000);

afterAll(() => cluster?.stop(), 60_000);

const homeSeenBy = async (region: Region, shard: string): Promise<string | null> => {
  const { body } = await call(`${cluster.gateway(region)}/v1/shards/${shard}`);
  return (body as { home: string | null }).home;
};

/** Each shard moves by itself: the write that was taken may be of another one. */
const expectMovedFrom = (home: Region, seenIn: Region, shard: string): Promise<unknown> =>
  eventually(
    () => homeSeenBy(seenIn, shard),
    (seen) => seen !== null && seen !== home,
  );

/** Waits until a write to a key of the home, asked through another region, is taken; prints how long after it failed. */
async function expectTakenSince(sinceMs: number, home: Region, name: string): Promise<void> {
  const body = {
    events: [{ key: `${home}:${name}`, type: 'placed', data: { customer: 'c', total: 1 } }],
    timeoutMs: 60_000,
  };
  const answer = await write(cluster, 'ap', 'orders', body, name);
  expect({ status: answer.status, body: answer.body }).toMatchObject({
    status: 200,
    body: { outcome: 'accepted' },
  });
  console.log(`${name}: the first write was taken after ${Math.round(performance.now() - sinceMs)} ms`);
}

test('a home that stands still is replaced by itself; when it goes on, all it says late is turned down', async () => {
  const writer = await AccountWriter.open(cluster, {
    name: 'failed',
    ack: 'quorum',
    inFlight: 4,
    timeoutMs: 20_000,
    homes: ['eu'],
    pauseMs: 10,
  });
  await eventually(
    async () =>
      (await call(`${cluster.file.regions['ap']!.coordinator}/v1/cluster`)).body as { leader: unknown },
    ({ leader }) => leader !== null,
  );
  writer.start();
  const pids = ROLES.map((role) => cluster.file.regions['eu']!.pids[role]!);
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  await expectTakenSince(performance.now(), 'eu', 'stopped');
  for (const pid of pids) process.kill(pid, 'SIGCONT');
  await expectMovedFrom('eu', 'us', 'orders/0');
  await writer.stop();
  await writer.expectEffectsOnce();
  await expectAgreement(cluster);
}, 240_000);

test('a home whose roles are killed and stay down is replaced by itself; started again, it is equal', async () => {
  await Promise.all(ROLES.map((role) => cluster.lockstep(['local', 'kill', 'us', role, '--stay-down'])));
  await expectTakenSince(performance.now(), 'us', 'killed');
  await expectMovedFrom('us', 'ap', 'orders/2');
  await cluster.lockstep(['local', 'start', 'us']);
  await expectAgreement(cluster);
}, 240_000);
