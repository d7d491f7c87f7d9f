/**
 * A standby commits within 1.5 s of the crash of the replicator that held the leases (I20): many takeovers, while
 * entries go on. Holders are held down, so that nothing but the standby can be what goes on.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { call, eventually, LocalCluster, write } from '../e2e/local-cluster.js';
import { expectAgreement } from './agreement.js';
import { SecondReplicator } from './replicator-process.js';
import { measureTakeover, type Takeover } from './takeover.js';

const TAKEOVERS = 20;
const PROMISED_MS = 1_500;
let cluster: LocalCluster;
const instances: SecondReplicator[] = [];

beforeAll(async () => {
  cluster = await LocalCluster.start();
}, 180_000);

afterAll(async () => {
  for (const instance of instances) await instance.kill();
  await cluster?.stop();
}, 60_000);

test(`a standby commits within ${PROMISED_MS} ms of the crash of the holder`, async () => {
  const key = 'us:taken-over';
  const opened = await write(cluster, 'us', 'accounts', {
    events: [{ key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } }],
    ack: 'everywhere',
  });
  expect(opened).toMatchObject({ status: 200 });
  const { shard } = opened.body as { shard: string };
  instances.push(
    new SecondReplicator(cluster, 'eu', 'eu-replicator-2'),
    new SecondReplicator(cluster, 'eu', 'eu-replicator-3'),
  );
  await instances[0]!.start();
  // From here on only the two that are ours: they stay down when they are killed.
  await cluster.lockstep(['local', 'kill', 'eu', 'replicator', '--stay-down']);
  await eventually(
    () => cluster.sql('eu', 'select holder from lockstep.lease where shard = $1', [shard]),
    ([row]) => String(row!['holder']).startsWith(instances[0]!.instance),
  );
  const takeovers: Takeover[] = [];
  for (let i = 0; i < TAKEOVERS; i += 1) {
    const holder = instances[i % 2]!;
    await instances[(i + 1) % 2]!.start();
    takeovers.push(
      await measureTakeover(cluster, {
        region: 'eu',
        shard,
        key,
        kill: () => process.kill(holder.pid(), 'SIGKILL'),
      }),
    );
    await holder.kill();
  }
  console.log(`takeovers: ${JSON.stringify(takeovers)}`);
  const sorted = takeovers.map(({ committedMs }) => committedMs).sort((x, y) => x - y);
  expect(sorted[TAKEOVERS / 2]).toBeLessThan(PROMISED_MS);
  // Two cores, a cluster and the load beside it.
  expect(sorted.at(-1)).toBeLessThan(PROMISED_MS + 500);
  await cluster.lockstep(['local', 'start', 'eu', 'replicator']);
  await expectAgreement(cluster);
  expect((await call(`${cluster.gateway('eu')}/readyz`)).status).toBe(200);
});
