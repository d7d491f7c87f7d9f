/**
 * Two replicators of one region: one holds the shards, the other takes them over when the first is gone, and is heard by
 * the gateway at once (I4, I20).
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { call, eventually, LocalCluster, write } from '../e2e/local-cluster.js';

let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await LocalCluster.start(['--regions', 'eu', '--standby']);
}, 180_000);

afterAll(() => cluster?.stop(), 60_000);

/** Which of the two holds the shard's lease. */
async function holderOf(shard: string): Promise<'replicator' | 'standby'> {
  const [row] = await cluster.sql('eu', 'select holder from lockstep.lease where shard = $1', [shard]);
  const [, role] = /^eu-(replicator|standby)-1-/.exec(String(row!['holder']))!;
  return role as 'replicator' | 'standby';
}

const placed = (key: string): object => ({
  events: [{ key, type: 'placed', data: { customer: 'c', total: 1 } }],
  ack: 'accepted',
  timeoutMs: 30_000,
});

test.each(['once', 'and back'])(
  'who holds a shard is killed, %s: the other takes it over and is heard',
  async (turn) => {
    const before = await write(cluster, 'eu', 'orders', placed(`eu:shard/before ${turn}`));
    expect(before).toMatchObject({ status: 200 });
    const shard = before.body.shard as string;
    const dying = await holderOf(shard);
    await cluster.lockstep(['local', 'kill', 'eu', dying, '--stay-down']);
    const after = await write(cluster, 'eu', 'orders', placed(`eu:shard/after ${turn}`));
    expect(after).toMatchObject({ status: 200, body: { shard, outcome: 'accepted' } });
    expect(cluster.file.regions['eu']!.pids[dying]).toBeNull();
    expect(await holderOf(shard)).toBe(dying === 'standby' ? 'replicator' : 'standby');
    await cluster.lockstep(['local', 'start', 'eu', dying]);
    // The next turn needs it.
    await eventually(
      () => call(`${cluster.file.regions['eu']![dying]}/readyz`),
      ({ status }) => status === 200,
    );
  },
);
