/**
 * Who leads the coordinators, in a simulated world: one leader per term, a new one where there must be one, the incumbent
 * where there need not be one. The control log decides; no clock of a broker or process does (I16).
 */
import { expect, test } from '@jest/globals';
import { CONTROL_TOPIC, type RegionName } from '@lockstep/protocol';
import { SimulatedCluster, World, type SimulatedClusterOptions } from '@lockstep/testing';
import { sampleDatasets } from './sample-datasets.js';

const REGIONS = ['eu', 'us', 'ap'] as RegionName[];
const datasets = await sampleDatasets();

interface Leadership {
  readonly term: number | null;
  readonly leader: string | null;
}

/** `leader` leads the first term; `next` and `last` are the others, in the order of the catalogue. */
async function cluster(options: Partial<SimulatedClusterOptions> = {}): Promise<{
  readonly made: SimulatedCluster;
  readonly leader: RegionName;
  readonly next: RegionName;
  readonly last: RegionName;
}> {
  const made = new SimulatedCluster({
    world: new World(7),
    regions: REGIONS,
    datasets,
    roles: 'apart',
    ...options,
  });
  await made.start();
  const isLed = (): boolean => REGIONS.every((region) => seenBy(made, region).leader !== null);
  await made.options.world.runUntil(isLed, 10_000);
  const leader = seenBy(made, 'eu').leader as RegionName;
  const [next, last] = REGIONS.filter((region) => region !== leader);
  return { made, leader, next: next!, last: last! };
}

const seenBy = (made: SimulatedCluster, region: string): Leadership =>
  made.region(region).coordinator.describe() as Leadership;

async function until(made: SimulatedCluster, holds: () => boolean, ms: number): Promise<number> {
  const { world } = made.options;
  const startedAtMs = world.nowMs();
  await world.runUntil(holds, ms);
  return world.nowMs() - startedAtMs;
}

const NEW_LEADER_MS_MAX = 3_000;

test('the coordinators agree on one leader', async () => {
  const { leader, made } = await cluster();
  await made.options.world.elapse(1_000);
  expect(REGIONS.map((region) => seenBy(made, region))).toEqual(
    REGIONS.map(() => expect.objectContaining({ term: 1, leader, members: REGIONS })),
  );
});

test('a leader that is killed is followed within three seconds, and comes back as a follower', async () => {
  const { leader, made, next } = await cluster();
  made.region(leader).killProcess('coordinator');
  const tookMs = await until(made, () => seenBy(made, next).term === 2, 10_000);
  expect(tookMs).toBeLessThan(NEW_LEADER_MS_MAX);
  made.region(leader).startProcess('coordinator');
  await made.options.world.elapse(5_000);
  expect(REGIONS.map((region) => seenBy(made, region))).toEqual(
    REGIONS.map(() => expect.objectContaining({ term: 2, leader: next })),
  );
});

test('a leader that is killed and is back at once leads its region again, in a new term', async () => {
  const { leader, made, next } = await cluster();
  made.region(leader).killProcess('coordinator');
  made.region(leader).startProcess('coordinator');
  const tookMs = await until(made, () => seenBy(made, next).term === 2, 10_000);
  expect(tookMs).toBeLessThan(NEW_LEADER_MS_MAX);
  expect(seenBy(made, next).leader).toBe(leader);
});

test('a leader that stood still finds another one when it goes on, and changes nothing', async () => {
  const { leader, made, next } = await cluster();
  const process = made.region(leader).process('coordinator')!;
  process.pause();
  const tookMs = await until(made, () => seenBy(made, next).term === 2, 10_000);
  expect(tookMs).toBeLessThan(NEW_LEADER_MS_MAX);
  process.goOn();
  await made.options.world.elapse(5_000);
  expect(REGIONS.map((region) => seenBy(made, region))).toEqual(
    REGIONS.map(() => expect.objectContaining({ term: 2, leader: next })),
  );
});

test('a leader that stands still for less than the others bear stays the leader', async () => {
  const { leader, made, next } = await cluster();
  const process = made.region(leader).process('coordinator')!;
  process.pause();
  await made.options.world.elapse(700);
  process.goOn();
  await made.options.world.elapse(5_000);
  expect(seenBy(made, next)).toMatchObject({ term: 1, leader });
});

test.each(['what it says does not arrive', 'it hears nothing'])(
  'a leader cut off one way, so that %s',
  async (what) => {
    const { leader, made, next } = await cluster();
    const [from, to] = what === 'it hears nothing' ? ['log', leader] : [leader, 'log'];
    const cut = { from: from!, to: to!, fault: 'cut-one-way' };
    made.network.cut(cut);
    const tookMs = await until(made, () => seenBy(made, next).term === 2, 15_000);
    expect(tookMs).toBeLessThan(what === 'it hears nothing' ? 10_000 : NEW_LEADER_MS_MAX);
    made.network.heal(cut);
    await made.options.world.elapse(5_000);
    expect(REGIONS.map((region) => seenBy(made, region).term)).toEqual([2, 2, 2]);
  },
);

test('a control log that stands still for five seconds leaves the incumbent where it is', async () => {
  let isStalled = false;
  const { leader, made } = await cluster({
    logFaults: { append: ({ topic }) => (isStalled && topic === CONTROL_TOPIC ? 'refused' : 'appended') },
  });
  isStalled = true;
  await made.options.world.elapse(5_000);
  isStalled = false;
  await made.options.world.elapse(10_000);
  expect(REGIONS.map((region) => seenBy(made, region))).toEqual(
    REGIONS.map(() => expect.objectContaining({ term: 1, leader })),
  );
});

test.each([-600_000, 600_000])(
  'a broker whose clock is wrong by %d ms neither elects nor prevents',
  async (ms) => {
    const { leader, made, next } = await cluster({ brokers: 3 });
    for (const id of [1, 2, 3]) made.log.setBrokerClock(id, ms);
    await made.options.world.elapse(10_000);
    expect(seenBy(made, next)).toMatchObject({ term: 1, leader });
    made.region(leader).killProcess('coordinator');
    const tookMs = await until(made, () => seenBy(made, next).term === 2, 15_000);
    expect(tookMs).toBeLessThan(NEW_LEADER_MS_MAX);
  },
);

test('with one coordinator left nobody is elected by silence alone, and the lease decides', async () => {
  const { last, leader, made, next } = await cluster();
  made.region(leader).killProcess('coordinator');
  made.region(next).killProcess('coordinator');
  const tookMs = await until(made, () => seenBy(made, last).term === 2, 60_000);
  expect(tookMs).toBeGreaterThan(5_000);
  expect(seenBy(made, last).leader).toBe(last);
});
