/**
 * Databases that stand still (SIGSTOP) under critical writes: one does not hold a quorum up, two are never told as one, and
 * a dataset that asks for it acknowledges below its rule and says so (I7, I8, I19, I20).
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import {
  call,
  eventually,
  LocalCluster,
  REGIONS,
  write,
  type Answered,
  type Region,
} from '../e2e/local-cluster.js';
import { attended } from '../e2e/sample-catalogue.js';
import { AccountWriter } from './account-writer.js';
import { expectAgreement } from './agreement.js';

let cluster: LocalCluster;

beforeAll(async () => {
  const orders = 'datasets/orders.yaml';
  const degrading = (text: string): string => `${attended[orders](text)}\nonTimeout: degrade\n`;
  cluster = await LocalCluster.startWith({ ...attended, [orders]: degrading });
}, 180_000);

afterAll(() => cluster?.stop(), 60_000);

const writerFor = (name: string, timeoutMs: number): Promise<AccountWriter> =>
  AccountWriter.open(cluster, { name, ack: 'quorum', inFlight: 6, timeoutMs, pauseMs: 10 });

const stopped = async (regions: readonly Region[], during: () => Promise<void>): Promise<void> => {
  for (const region of regions) await cluster.lockstep(['local', 'pause', region, 'postgres']);
  try {
    await during();
  } finally {
    for (const region of regions) await cluster.lockstep(['local', 'continue', region, 'postgres']);
  }
};

const answeredWith = (
  writer: AccountWriter,
  status: number,
  fromMs: number,
  atLeast: number,
): Promise<number> =>
  eventually(
    () => Promise.resolve(writer.statuses({ fromMs })[status] ?? 0),
    (count) => count >= atLeast,
    60_000,
  );

test('one after the other, the home’s too: every critical write is acknowledged by the other two', async () => {
  const writer = await writerFor('one-stopped', 40_000);
  writer.start();
  for (const region of REGIONS) {
    await stopped([region], async () => {
      await answeredWith(writer, 200, Date.now(), 60);
    });
  }
  await writer.stop();
  expect(Object.keys(writer.statuses())).toEqual(['200']);
  await writer.expectEffectsOnce();
}, 240_000);

test('two at once: nothing is told as reached, every write is answered in time, and all of them resolve afterwards', async () => {
  const timeoutMs = 1_500;
  const writer = await writerFor('two-stopped', timeoutMs);
  await stopped(['us', 'ap'], async () => {
    // Beyond the writes that were on their way.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const beginMs = Date.now();
    const told = await Promise.all(
      writer.accounts.map(async (account, i) => {
        const one = await writer.credit(account, REGIONS[i % 3]!);
        return { ...one, tookMs: one.answeredMs - beginMs };
      }),
    );
    for (const { answer, tookMs } of told) {
      expect(answer.status).toBe(202);
      expect(answer.body.stages.quorum).toBeUndefined();
      expect(tookMs).toBeLessThan(timeoutMs + 15_000);
    }
  });
  await writer.expectEffectsOnce();
  for (const { answer, via } of writer.told) {
    const receipt = await call(
      `${cluster.gateway(via)}${answer.headers.get('location')}&wait=quorum&timeoutMs=10000`,
    );
    expect(receipt).toMatchObject({
      status: 200,
      body: { outcome: 'accepted', stage: expect.stringMatching(/quorum|everywhere/) },
    });
  }
}, 240_000);

test('two at once, where the dataset says degrade: acknowledged, and said so in receipts, metrics and databases', async () => {
  const keys = REGIONS.map((home) => ({ home, id: randomUUID() }));
  const place = ({ home, id }: (typeof keys)[number]): Promise<Answered> =>
    write(
      cluster,
      'us',
      'orders',
      {
        events: [{ key: `${home}:${id}`, type: 'placed', data: { customer: 'c', total: 1 } }],
        ack: 'quorum',
        timeoutMs: 10_000,
      },
      id,
    );
  await stopped(['us', 'ap'], async () => {
    // One that the home had not folded in time is asked for again.
    const answers = keys.map((key) =>
      eventually(
        () => place(key),
        ({ status }) => status === 200,
      ),
    );
    for (const answer of await Promise.all(answers))
      expect(answer).toMatchObject({ status: 200, body: { stage: 'accepted', degraded: true } });
  });
  for (const { home, id } of keys) {
    const metrics = await (await fetch(`${cluster.gateway(home)}/metrics`)).text();
    expect(metrics).toMatch(/lockstep_degraded_writes_total\{[^}]*dataset="orders"[^}]*\} [1-9]\d*/);
    for (const region of REGIONS) {
      const asked = `${cluster.gateway(region)}/v1/datasets/orders/receipts/${id}?wait=everywhere&timeoutMs=20000`;
      expect(await call(asked)).toMatchObject({ status: 200, body: { stage: 'everywhere', degraded: true } });
    }
  }
  for (const region of REGIONS) {
    expect(
      await cluster.sql(region, 'select count(*)::int as count from lockstep.outcome where degraded'),
    ).toEqual([{ count: keys.length }]);
  }
  // Asked for again under its key it is the same write, and by now its rule is met.
  expect(await place(keys[0]!)).toMatchObject({ status: 200, headers: expect.anything() });
  await expectAgreement(cluster);
}, 240_000);

test('a next home that stands still lacks what was written: its loss is accepted by two persons, or not at all', async () => {
  const written = { events: [{ key: 'eu:lossy', type: 'opened', data: { owner: 'Ada', currency: 'EUR' } }] };
  const { shard } = (await write(cluster, 'eu', 'accounts', written)).body as { shard: string };
  const words = [shard, 'us', '--reason', 'a drill', '--yes'];
  const failover = ['failover', ...words, '--accept-loss', '--as', 'anna'];
  let refused = '';
  await stopped(['us'], async () => {
    const credit = { events: [{ key: 'eu:lossy', type: 'credited', data: { amount: 1 } }], ack: 'quorum' };
    expect((await write(cluster, 'eu', 'accounts', credit)).status).toBe(200);
    refused = await cluster.lockstep(failover, 1);
    await cluster.lockstep(['approve', ...words, '--as', 'bob']);
    // Decided, it waits for the next home.
    await cluster.lockstep([...failover, '--timeout', '1'], 1);
  });
  expect(refused).toContain('nobody else has approved');
  const told = await eventually(
    () => cluster.lockstep(['decisions', shard]),
    (text) => text.includes('from eu to us: done'),
  );
  expect(told).toContain('loss accepted: bob agreed');
  expect(told).toContain('wanted by anna');
  await cluster.lockstep(['decisions', 'replay']);
  await cluster.lockstep(['switchover', shard, 'eu', '--reason', 'the drill is over', '--yes']);
  await expectAgreement(cluster);
}, 240_000);
