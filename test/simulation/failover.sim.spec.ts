/**
 * Regions that fail while nobody watches, in a simulated world: the others agree, the leader decides, writes go on elsewhere;
 * and whatever is not a failed region moves nothing (I5, I14).
 */
import { expect, test } from '@jest/globals';
import { FAILOVER_CHECKS, type RegionName, type Scope, type ShardName } from '@lockstep/protocol';
import { SimulatedCluster, World, type SimulatedClusterOptions } from '@lockstep/testing';
import { answeredWithin } from './answered.js';
import { elapse, leaderSeenBy, REGIONS } from './harassed-cluster.js';
import { sampleDatasets } from './sample-datasets.js';

const SHARD = 'orders/0' as ShardName;
const datasets = await sampleDatasets();
const answered = answeredWithin(60_000);

async function cluster(options: Partial<SimulatedClusterOptions> = {}): Promise<SimulatedCluster> {
  const made = new SimulatedCluster({
    world: new World(5),
    regions: REGIONS,
    datasets,
    roles: 'apart',
    failover: 'automatic',
    ...options,
  });
  await made.start();
  const { world } = made.options;
  await world.runUntil(() => leaderSeenBy(made, 'us') !== null && leaderSeenBy(made, 'ap') !== null, 10_000);
  await elapse(made, 3_000);
  return made;
}

const homeOf = (made: SimulatedCluster, region: string, shard = SHARD): RegionName | null =>
  made.region(region).database.cursor(shard)?.home ?? null;

interface Governed {
  readonly act: string;
  readonly votes: readonly {
    readonly observer: string;
    readonly kinds: readonly string[];
    readonly evidence: string;
  }[];
  readonly checks: readonly { readonly code: string; readonly passed: boolean }[];
  readonly shards: readonly { readonly shard: string; readonly to: string }[];
}
const ALL_PASSED = FAILOVER_CHECKS.map((code) => ({ code, passed: true, detail: expect.any(String) }));

/** As us tells it, the newest first. */
const governedBy = (made: SimulatedCluster): readonly Governed[] => {
  const { body } = made
    .region('us')
    .coordinator.operator.decisions({ shard: null, decision: null, limit: 9 });
  return (JSON.parse(body) as { governed: readonly Governed[] }).governed;
};

const order = (timeoutMs: number): object => ({
  events: [{ key: 'eu:a', type: 'placed', data: { customer: 'c', total: 1 } }],
  timeoutMs,
});

test.each([
  [
    'is killed',
    (made: SimulatedCluster) => {
      const home = made.region('eu');
      for (const name of home.processNames()) home.killProcess(name);
    },
  ],
  [
    'stands still',
    (made: SimulatedCluster) => {
      for (const process of made.region('eu').processes()) process.pause();
    },
  ],
])('a home that %s is replaced without a person, and its writes go on', async (_, fail) => {
  const made = await cluster();
  const { world } = made.options;
  fail(made);
  const failedAtMs = world.elapsedMs();
  const answer = await answered(made, made.write('us', 'orders', order(30_000), 'after'));
  expect(answer.status).toBe(200);
  expect(JSON.parse(answer.body)).toMatchObject({ outcome: 'accepted', epoch: 2 });
  expect(world.elapsedMs() - failedAtMs).toBeLessThan(5_000);
  await world.runUntil(
    () => homeOf(made, 'us') !== 'eu' && homeOf(made, 'us') === homeOf(made, 'ap'),
    10_000,
  );
  const [decided] = governedBy(made).filter(({ act }) => act === 'fail-over');
  expect(decided).toMatchObject({ region: 'eu', checks: ALL_PASSED });
  expect(decided!.votes.map(({ observer }) => observer).sort()).toEqual(['ap', 'us']);
  for (const { evidence, kinds } of decided!.votes) {
    expect(kinds).toContain('canary');
    expect(evidence).toContain('canaries');
  }
  expect(decided!.shards.find(({ shard }) => shard === SHARD)).toMatchObject({
    to: expect.stringMatching(/^(us|ap)$/),
  });
});

test('a next home that does not fold its fence is left for another region, without a person', async () => {
  const made = await cluster();
  const { world } = made.options;
  const home = made.region('eu');
  for (const name of home.processNames()) home.killProcess(name);
  const decided = (): Governed | undefined => governedBy(made).find(({ act }) => act === 'fail-over');
  await world.runUntil(() => decided() !== undefined, 10_000);
  const next = decided()!.shards.find(({ shard }) => shard === SHARD)!.to;
  const other = next === 'us' ? 'ap' : 'us';
  // Its coordinator and its gateway go on, so that one observer alone complains.
  made.region(next).process('replicator-0')!.pause();
  await world.runUntil(() => homeOf(made, other) === next, 5_000);
  const answer = await answered(made, made.write(other, 'orders', order(30_000), 'after'));
  expect(JSON.parse(answer.body)).toMatchObject({ outcome: 'accepted', epoch: 3 });
  expect(homeOf(made, other)).toBe(other);
  made.region(next).process('replicator-0')!.goOn();
  await world.runUntil(() => homeOf(made, next) === other, 5_000);
});

test('one process that dies, or stands still for a moment, moves nothing', async () => {
  const made = await cluster();
  const home = made.region('eu');
  for (const name of ['gateway', 'replicator-0', 'coordinator'] as const) {
    home.process(name)!.pause();
    await elapse(made, 300);
    home.process(name)!.goOn();
    await elapse(made, 2_000);
  }
  home.process('replicator-0')!.pause();
  await elapse(made, 4_000);
  home.process('replicator-0')!.goOn();
  await elapse(made, 2_000);
  home.process('gateway')!.pause();
  await elapse(made, 5_000);
  expect(homeOf(made, 'us')).toBe('eu');
  expect(homeOf(made, 'ap')).toBe('eu');
});

test('a region that folds nothing any more is replaced, though its gateway is there', async () => {
  const made = await cluster();
  made.region('eu').process('replicator-0')!.pause();
  await made.options.world.runUntil(() => homeOf(made, 'us') !== 'eu', 8_000);
});

test.each([400, 700, 1_300, 10_000])('observers that stand still for %d ms blame nobody', async (ms) => {
  const made = await cluster();
  for (let phase = 0; phase < 8; phase += 1) {
    const observers = ['us', 'ap'].map((region) => made.region(region).process('coordinator')!);
    for (const observer of observers) observer.pause();
    await elapse(made, ms);
    for (const observer of observers) observer.goOn();
    await elapse(made, 2_000 + phase * 70);
  }
  // One vote would have been considered, and held.
  const history = JSON.parse(made.region('us').coordinator.operator.history().body) as object;
  expect(history).toMatchObject({ failovers: [], held: [] });
});

// Of the 5 s that a region's refusals are borne it may need 3 to find the log: a call that was swallowed ends by its own time only.
test.each([0, 700, 1_500, 2_000])(
  'a log that answers nobody moves nothing, nor a region that finds it again %d ms after the others',
  async (laterMs) => {
    const made = await cluster();
    const { network } = made;
    for (let round = 0; round < 4; round += 1) {
      const cuts = REGIONS.map((from) => ({ from, to: 'log', fault: 'cut-off' }) as const);
      for (const cut of cuts) network.cut(cut);
      await elapse(made, 8_000 + round * 370);
      const [home, ...others] = cuts;
      for (const cut of others) network.heal(cut);
      await elapse(made, laterMs);
      network.heal(home!);
      await elapse(made, 6_000);
      expect(homeOf(made, 'us')).toBe('eu');
    }
    expect(governedBy(made)).toEqual([]);
  },
);

test('a region that does not find the log again is replaced, though its processes are there', async () => {
  const made = await cluster();
  const cuts = REGIONS.map((from) => ({ from, to: 'log', fault: 'cut-off' }) as const);
  for (const cut of cuts) made.network.cut(cut);
  await elapse(made, 8_000);
  for (const cut of cuts.slice(1)) made.network.heal(cut);
  await made.options.world.runUntil(() => homeOf(made, 'us') !== 'eu', 12_000);
});

test('where a pause covers the region, nothing moves by itself; when it is resumed, it does', async () => {
  const made = await cluster();
  const { world } = made.options;
  const { operator } = made.region(leaderSeenBy(made, 'us')!).coordinator;
  const scope = 'region:eu' as Scope;
  const paused = await answered(
    made,
    operator.pause({ scope, reason: 'maintenance', fromMs: null, untilMs: world.nowMs() + 60_000 }, 'alice'),
  );
  expect(paused.status).toBe(200);
  for (const process of made.region('eu').processes()) process.pause();
  await elapse(made, 8_000);
  expect(homeOf(made, 'us')).toBe('eu');
  const [held] = governedBy(made);
  expect(held).toMatchObject({ act: 'held', region: 'eu', shards: [] });
  expect(held!.checks).toContainEqual({
    code: 'paused',
    passed: false,
    detail: expect.stringMatching(/^pause \d+ covers it$/),
  });
  const { operator: next } = made.region(leaderSeenBy(made, 'us')!).coordinator;
  expect((await answered(made, next.resume({ scope, reason: 'done' }, 'alice'))).status).toBe(200);
  await world.runUntil(() => homeOf(made, 'us') !== 'eu', 5_000);
});

test('where a pause covers one shard, the others move; it moves within a second of the end of its pause', async () => {
  const made = await cluster();
  const { world } = made.options;
  const { operator } = made.region(leaderSeenBy(made, 'us')!).coordinator;
  const untilMs = world.nowMs() + 15_000;
  const asked = { scope: `shard:${SHARD}` as Scope, reason: 'a migration', fromMs: null, untilMs };
  const { body } = await answered(made, operator.pause(asked, 'alice'));
  for (const process of made.region('eu').processes()) process.pause();
  await world.runUntil(() => homeOf(made, 'us', 'orders/1' as ShardName) !== 'eu', 5_000);
  await elapse(made, untilMs - world.nowMs() - 100);
  expect(homeOf(made, 'us')).toBe('eu');
  const [held] = governedBy(made);
  expect(held).toMatchObject({ act: 'held', region: 'eu' });
  expect(held!.checks).toContainEqual({
    code: 'paused',
    passed: false,
    detail: `pause ${(JSON.parse(body) as { pause: number }).pause} covers it`,
  });
  await world.runUntil(() => governedBy(made)[0]!.act === 'fail-over', 1_100);
  expect(governedBy(made)[0]!.shards).toMatchObject([{ shard: SHARD }]);
  await world.runUntil(() => homeOf(made, 'us') !== 'eu', 2_000);
});

test('a home that comes back gets nothing by itself, and is failed over again only when somebody has looked', async () => {
  const made = await cluster();
  const { world } = made.options;
  const home = made.region('eu');
  const fail = (): void => home.processes().forEach((process) => process.pause());
  const comeBack = async (): Promise<void> => {
    for (const process of home.processes()) process.goOn();
    await elapse(made, 8_000);
  };
  const failovers = (): readonly Governed[] => governedBy(made).filter(({ act }) => act === 'fail-over');
  fail();
  await world.runUntil(() => homeOf(made, 'us') !== 'eu', 8_000);
  for (let round = 0; round < 3; round += 1) {
    await comeBack();
    expect(homeOf(made, 'us')).not.toBe('eu');
    fail();
    await elapse(made, 5_000);
  }
  await comeBack();
  expect(failovers()).toHaveLength(1);
  const back = { to: 'eu' as RegionName, reason: 'it is well', dryRun: false, acceptLoss: false };
  const moved = made
    .region(leaderSeenBy(made, 'us')!)
    .coordinator.operator.move('switchover', SHARD, { ...back, timeoutMs: 20_000, actor: null }, 'alice');
  expect((await answered(made, moved)).status).toBe(200);
  await world.runUntil(() => homeOf(made, 'us') === 'eu', 8_000);
  fail();
  await elapse(made, 10_000);
  expect(homeOf(made, 'us')).toBe('eu');
  const [held] = governedBy(made);
  expect(held).toMatchObject({ act: 'held', region: 'eu' });
  expect(held!.checks).toContainEqual({
    code: 'cool-down',
    passed: false,
    detail: expect.stringContaining('or until somebody acknowledges'),
  });
}, 60_000);

test('a maintenance window begins and ends by itself: within it nothing moves without a person', async () => {
  const made = await cluster();
  const { world } = made.options;
  const { operator } = made.region(leaderSeenBy(made, 'us')!).coordinator;
  const scope = 'region:eu' as Scope;
  const fromMs = world.nowMs() + 2_000;
  const asked = { scope, reason: 'new switches', fromMs, untilMs: fromMs + 15_000 };
  const planned = await answered(made, operator.pause(asked, 'alice'));
  expect(planned.status).toBe(202);
  const { window } = JSON.parse(planned.body) as { window: number };
  const told = (): object => made.region('us').coordinator.describe();
  expect(told()).toMatchObject({ paused: [], windows: [{ window, scope, owner: 'alice' }] });
  await elapse(made, 3_000);
  expect(told()).toMatchObject({ paused: [{ scope, owner: 'alice', confirmed: true }], windows: [] });
  for (const process of made.region('eu').processes()) process.pause();
  await elapse(made, 8_000);
  expect(homeOf(made, 'us')).toBe('eu');
  expect(governedBy(made)[0]).toMatchObject({ act: 'held', region: 'eu' });
  await world.runUntil(() => homeOf(made, 'us') !== 'eu', 15_000);
});

test('a maintenance window that is taken back never begins', async () => {
  const made = await cluster();
  const { world } = made.options;
  const { operator } = made.region(leaderSeenBy(made, 'us')!).coordinator;
  const scope = 'all' as Scope;
  const fromMs = world.nowMs() + 3_000;
  await answered(made, operator.pause({ scope, reason: 'a', fromMs, untilMs: fromMs + 60_000 }, 'alice'));
  expect((await answered(made, operator.resume({ scope, reason: 'b' }, 'alice'))).status).toBe(200);
  await elapse(made, 4_000);
  expect(made.region('us').coordinator.describe()).toMatchObject({ paused: [], windows: [] });
});

test('a region that is cut off from all others moves nothing itself, and is replaced', async () => {
  const made = await cluster();
  const { network, options } = made;
  for (const other of ['us', 'ap']) {
    network.cut({ from: 'eu', to: other, fault: 'cut-off' });
    network.cut({ from: other, to: 'eu', fault: 'cut-off' });
  }
  await options.world.runUntil(() => homeOf(made, 'us') !== 'eu' && homeOf(made, 'ap') !== 'eu', 10_000);
});
