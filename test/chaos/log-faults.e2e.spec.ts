/**
 * Logs that are no longer what a region has folded: retention that passed its cursor, a topic that was made anew,
 * shorter or longer. The shard stops with the named reason, told by the gateway, by readiness and in the log file;
 * nothing is skipped, and every other shard and dataset goes on (I4, I17). At a start as well as in the middle of work.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  call,
  eventually,
  LocalCluster,
  REGIONS,
  write,
  type Answered,
  type Region,
} from '../e2e/local-cluster.js';
import { cursorOf } from './agreement.js';
import { LogTampering } from './log-tampering.js';
import { ownReplicator } from './replicator-process.js';

/** A shorter log is given ten seconds; a little less, as it is seen by two clocks. */
const TAIL_AWAITED_MS = 9_000;

let cluster: LocalCluster;
let log: LogTampering;

beforeAll(async () => {
  cluster = await LocalCluster.startAttended();
  log = await LogTampering.open(cluster);
}, 180_000);

afterAll(async () => {
  await log?.close();
  await cluster?.stop();
}, 60_000);

const order = (key: string): Promise<Answered> =>
  write(cluster, 'us', 'orders', {
    events: [{ key, type: 'placed', data: { customer: 'c', total: 1 } }],
    ack: 'quorum',
  });

/** A key of the group in the partition. */
async function keyIn(partition: number): Promise<string> {
  for (let i = 0; ; i += 1) {
    const key = `us:p${partition}-${i}`;
    if ((await order(key)).body.shard === `orders/${partition}`) return key;
  }
}

const partitionOf = (shard: string): number => Number(shard.split('/')[1]);
const replicatorPid = (region: Region): number => cluster.file.regions[region]!.pids.replicator!;

/** In all three places, and nothing past the stop. */
async function expectHalted(region: Region, shard: string, code: string, withinMs = 90_000): Promise<void> {
  const { body } = await eventually(
    () => call(`${cluster.gateway(region)}/v1/shards/${shard}`),
    (answer) => answer.body.state === 'halted' && answer.body.regions[region].halted.code === code,
    withinMs,
  );
  expect(body.reason).toBe(body.regions[region].halted.detail);
  expect(body.reason).toMatch(/\S/);
  // What the gateway last heard may be of a former process.
  const ready = await eventually(
    () => call(`${cluster.file.regions[region]!.replicator}/readyz`),
    (answer) => answer.status === 503 && (answer.body.detail as string).includes(`${shard}: ${code}`),
  );
  expect(ready.body.code).toBe('not-ready');
  expect(readFileSync(join(cluster.data, 'logs', `${region}-replicator.log`), 'utf8')).toMatch(
    new RegExp(`"event":"shard-halted","shard":"${shard}","code":"${code}"`),
  );
  expect((await cursorOf(cluster, region, shard)).sequence).toBe(BigInt(body.regions[region].sequence));
}

/** Writes that every region applies, through every gateway, of each home. */
async function expectGoesOn(dataset: 'accounts' | 'orders', keys: readonly string[]): Promise<void> {
  const event = (key: string): object =>
    dataset === 'orders'
      ? { key, type: 'placed', data: { customer: 'c', total: 2 } }
      : { key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } };
  const answers = await Promise.all(
    keys.flatMap((key) =>
      REGIONS.map((region) =>
        write(cluster, region, dataset, { events: [event(`${key}-${region}`)], ack: 'everywhere' }),
      ),
    ),
  );
  for (const answer of answers) expect(answer).toMatchObject({ status: 200, body: { stage: 'everywhere' } });
}

test('retention that passed the cursor, in the middle of work and at a start: retention-overrun', async () => {
  const [running, starting] = ['orders/2', 'orders/3'];
  const keys = new Map([
    [running, await keyIn(2)],
    [starting, await keyIn(3)],
  ]);
  for (const [shard, key] of keys) {
    // While its replicator can read nothing, the others fold what will be gone.
    if (shard === running) process.kill(replicatorPid('eu'), 'SIGSTOP');
    else await cluster.lockstep(['local', 'stop', 'eu', 'replicator']);
    for (let i = 0; i < 4; i += 1)
      expect(await order(`${key}/${i}`)).toMatchObject({ status: 200, body: { shard } });
    const end = await log.logEnd('lockstep.orders', partitionOf(shard));
    await log.removeBefore('lockstep.orders', partitionOf(shard), end - 1n);
    if (shard === running) process.kill(replicatorPid('eu'), 'SIGCONT');
    else await cluster.lockstep(['local', 'start', 'eu', 'replicator']);
    await expectHalted('eu', shard, 'retention-overrun');
    const { offset } = await cursorOf(cluster, 'eu', shard);
    expect(offset).toBeLessThan(end - 2n);
    // A quorum goes on without it, and it takes no part.
    expect((await order(`${key}/after`)).status).toBe(200);
    expect((await cursorOf(cluster, 'eu', shard)).offset).toBe(offset);
    expect(
      await cluster.sql('eu', `select id from orders where id = any($1)`, [[`${key}/3`, `${key}/after`]]),
    ).toEqual([]);
  }
  // After a start both are judged anew.
  await expectHalted('eu', running, 'retention-overrun');
  await expectGoesOn('orders', ['eu:on', 'ap:on']);
  await expectGoesOn('accounts', ['eu:on', 'us:on', 'ap:on']);
}, 400_000);

test('a topic that was made anew and is shorter, in the middle of work and at a start: log-truncated', async () => {
  const shards = ['readings/0', 'readings/5', 'readings/11'];
  const before = await Promise.all(shards.map((shard) => cursorOf(cluster, 'us', shard)));
  await cluster.lockstep(['local', 'stop', 'ap', 'replicator']);
  const replacedMs = Date.now();
  await log.replace('lockstep.readings');
  // The command waits until the process runs, not until it is ready, which it will not be.
  await cluster.lockstep(['local', 'start', 'ap', 'replicator']);
  // A tail may come back for a while; whatever else there is goes on meanwhile.
  await expectGoesOn('accounts', ['eu:meanwhile', 'us:meanwhile']);
  for (const region of ['us', 'ap'] as const) {
    const { body } = await call(`${cluster.gateway(region)}/v1/shards/${shards[0]}`);
    if (Date.now() < replacedMs + TAIL_AWAITED_MS) expect(body.state).not.toBe('halted');
  }
  for (const region of REGIONS) {
    for (const shard of shards) await expectHalted(region, shard, 'log-truncated');
    const lines = ownReplicator(cluster, region).log();
    for (const { time } of lines.filter(
      ({ code, event }) => event === 'shard-halted' && code === 'log-truncated',
    ))
      expect(Date.parse(time) - replacedMs).toBeGreaterThanOrEqual(TAIL_AWAITED_MS);
  }
  for (const region of REGIONS) {
    const after = await Promise.all(shards.map((shard) => cursorOf(cluster, region, shard)));
    expect(after.map(({ offset }) => offset)).toEqual(before.map(({ offset }) => offset));
  }
  await expectGoesOn('accounts', ['eu:then', 'us:then', 'ap:then']);
}, 400_000);

test('a topic that was made anew and is longer, in the middle of work and at a start: log-replaced', async () => {
  const shards = ['orders/0', 'orders/4', 'orders/5'];
  const before = await Promise.all(shards.map((shard) => cursorOf(cluster, 'ap', shard)));
  // `us` finds the other log when it is complete, in the middle of its work; `ap` sees it grow; `eu` starts on it.
  process.kill(replicatorPid('us'), 'SIGSTOP');
  try {
    await cluster.lockstep(['local', 'stop', 'eu', 'replicator']);
    await log.replace('lockstep.orders');
    for (let partition = 0; partition < 6; partition += 1) {
      const { offset } = await cursorOf(cluster, 'ap', `orders/${partition}`);
      await log.append('lockstep.orders', partition, Number(offset) + 20);
    }
  } finally {
    process.kill(replicatorPid('us'), 'SIGCONT');
  }
  await cluster.lockstep(['local', 'start', 'eu', 'replicator']);
  for (const region of REGIONS) {
    for (const shard of shards) await expectHalted(region, shard, 'log-replaced');
    const after = await Promise.all(shards.map((shard) => cursorOf(cluster, region, shard)));
    expect(after.map(({ offset }) => offset)).toEqual(before.map(({ offset }) => offset));
  }
  await expectGoesOn('accounts', ['eu:still', 'us:still', 'ap:still']);
}, 400_000);
