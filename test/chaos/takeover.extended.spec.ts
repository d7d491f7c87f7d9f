/**
 * A standby commits within 1.5 s of the crash of the replicator that held the leases (I20): many takeovers, while
 * entries go on. Holders are held down, so that nothing but the standby can be what goes on.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { WATERMARK_TOPIC } from '@lockstep/protocol';
import { Kafka, logLevel } from 'kafkajs';
import { eventually, LocalCluster, write } from '../e2e/local-cluster.js';
import { expectAgreement } from './agreement.js';
import { SecondReplicator } from './replicator-process.js';
import { measureTakeover, type Takeover } from './takeover.js';

const PROMISED_MS = 1_500;
const KEY = 'us:taken-over';
/** Two hours of three regions with 24 shards each that change every second. */
const HOURS_OF_WATERMARKS = 500_000;
const WATERMARKS_AT_ONCE = 5_000;
const TOLD_BY_OTHERS = {
  partition: 0,
  key: 'us/accounts/2',
  value: JSON.stringify({
    region: 'us',
    storeIncarnation: 'a'.repeat(32),
    shard: 'accounts/2',
    logIncarnation: 'b'.repeat(32),
    sequence: 1,
    offset: '0',
    epoch: 1,
    inputHash: 'c'.repeat(32),
    effectsHash: 'd'.repeat(32),
  }),
};
let cluster: LocalCluster;
let shard: string;
/** The one of the two that does not run. */
let dead: SecondReplicator;
let instances: readonly SecondReplicator[] = [];

beforeAll(async () => {
  cluster = await LocalCluster.startAttended();
  const opened = await write(cluster, 'us', 'accounts', {
    events: [{ key: KEY, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } }],
    ack: 'everywhere',
  });
  expect(opened).toMatchObject({ status: 200 });
  shard = opened.body.shard as string;
  instances = [2, 3].map((n) => new SecondReplicator(cluster, 'eu', `eu-replicator-${n}`));
  const [holder, other] = instances as [SecondReplicator, SecondReplicator];
  dead = other;
  await holder.start();
  // From here on only the two that are ours: they stay down when they are killed.
  await cluster.lockstep(['local', 'kill', 'eu', 'replicator', '--stay-down']);
  await eventually(
    () => cluster.sql('eu', 'select holder from lockstep.lease where shard = $1', [shard]),
    ([row]) => String(row!['holder']).startsWith(holder.instance),
  );
}, 180_000);

afterAll(async () => {
  for (const instance of instances) await instance.kill();
  await cluster?.stop();
}, 60_000);

test(`a standby commits within ${PROMISED_MS} ms of the crash of the holder`, async () => {
  await expectTakeovers(20);
}, 400_000);

// What regions told piles up on a topic that is read before a store speaks; a standby must not begin it when it is needed.
test('also when the cluster has run for hours', async () => {
  const client = new Kafka({ brokers: [...cluster.file.kafka.brokers], logLevel: logLevel.NOTHING });
  const producer = client.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  try {
    for (let sent = 0; sent < HOURS_OF_WATERMARKS; sent += WATERMARKS_AT_ONCE) {
      const messages = Array.from({ length: WATERMARKS_AT_ONCE }, () => TOLD_BY_OTHERS);
      await producer.send({ topic: WATERMARK_TOPIC, messages });
    }
  } finally {
    await producer.disconnect();
  }
  await expectTakeovers(6);
}, 400_000);

test('afterwards all regions are equal, and the cluster holds its own leases again', async () => {
  await cluster.lockstep(['local', 'start', 'eu', 'replicator']);
  await expectAgreement(cluster);
  for (const instance of instances) await instance.kill();
  await eventually(
    () => cluster.sql('eu', 'select distinct holder from lockstep.lease'),
    (rows) => rows.length === 1 && String(rows[0]!['holder']).startsWith('eu-replicator-1'),
  );
});

/** Kills the holder and starts it again as the standby, so often. */
async function expectTakeovers(count: number): Promise<void> {
  const takeovers: Takeover[] = [];
  for (let i = 0; i < count; i += 1) {
    await dead.start();
    takeovers.push(
      await measureTakeover(cluster, {
        region: 'eu',
        shard,
        key: KEY,
        kill: (holder) => {
          dead = instances.find(({ instance }) => holder.startsWith(instance))!;
          process.kill(dead.pid(), 'SIGKILL');
        },
      }),
    );
    await dead.kill();
  }
  const committedMs = takeovers.map((takeover) => takeover.committedMs).sort((x, y) => x - y);
  const claimedMs = takeovers.map((takeover) => takeover.claimedMs).sort((x, y) => x - y);
  console.log(`takeovers: ${JSON.stringify({ claimedMs, committedMs })}`);
  // Some of them meet whatever else the machine does.
  expect(committedMs[Math.floor((count - 1) / 2)]).toBeLessThan(PROMISED_MS);
}
