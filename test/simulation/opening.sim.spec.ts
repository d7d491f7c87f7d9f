/**
 * A new home that takes writes of a share of the keys first, in a simulated world: the others wait or come back, and go on when the
 * share has been sustained; a home that does not sustain it is left; and without any coordinator all are taken in the end
 * (I5, I13, I20).
 */
import { expect, test } from '@jest/globals';
import {
  isTakenFirst,
  OPENING_MS_MAX,
  type Answer,
  type DatasetName,
  type OpenMove,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import { SimulatedCluster, World, type SimulatedClusterOptions } from '@lockstep/testing';
import { leaderSeenBy, REGIONS } from './harassed-cluster.js';
import { sampleDatasets } from './sample-datasets.js';

const SHARD = 'orders/0' as ShardName;
const ORDERS = 'orders' as DatasetName;
const OPEN_FIRST = 10;
const EVERY_MS = 20;
const KEYS = Array.from({ length: 100 }, (_, index) => `eu:a/${index}`);

interface Asked {
  readonly key: string;
  readonly answer: Answer;
  readonly code: string;
  readonly epoch: number;
  readonly answeredAtMs: number;
}

async function cluster(options: Partial<SimulatedClusterOptions> = {}): Promise<SimulatedCluster> {
  const datasets = await sampleDatasets();
  const orders = { ...datasets.get(ORDERS)!, openFirst: OPEN_FIRST };
  const made = new SimulatedCluster({
    world: new World(11),
    regions: REGIONS,
    datasets: new Map([...datasets, [ORDERS, orders]]),
    roles: 'apart',
    ...options,
  });
  await made.start();
  const { world } = made.options;
  await world.runUntil(() => REGIONS.every((region) => leaderSeenBy(made, region) !== null), 10_000);
  return made;
}

/** One write after the other through one region, of each key in turn, until it is ended. */
function writing(made: SimulatedCluster, via: RegionName): { readonly asked: Asked[]; end: () => void } {
  const { world } = made.options;
  const asked: Asked[] = [];
  let isOver = false;
  const next = (number: number): void => {
    if (isOver) return;
    const key = KEYS[number % KEYS.length]!;
    const body = { events: [{ key, type: 'placed', data: { customer: 'c', total: 1 } }], timeoutMs: 10_000 };
    void made.write(via, ORDERS, body, `write-${number}`).then((answer) => {
      const { code = '', epoch = 0 } = JSON.parse(answer.body) as { code?: string; epoch?: number };
      asked.push({ key, answer, code, epoch, answeredAtMs: world.elapsedMs() });
    });
    world.after(EVERY_MS, null, () => next(number + 1));
  };
  next(0);
  return { asked, end: () => (isOver = true) };
}

const isFirst = (key: string): boolean => isTakenFirst({ stage: 'share' } as OpenMove, [key], OPEN_FIRST);

function switchOver(made: SimulatedCluster, to: RegionName): void {
  const { operator } = made.region(leaderSeenBy(made, 'us')!).coordinator;
  const wish = {
    to,
    reason: 'maintenance',
    dryRun: false,
    acceptLoss: false,
    timeoutMs: 20_000,
    actor: null,
  };
  void operator.move('switchover', SHARD, wish, 'alice');
}

/** Stages that us has read of the newest move of the shard, with the world's time. */
const stagesOf = (made: SimulatedCluster): readonly string[] => {
  const { body } = made
    .region('us')
    .coordinator.operator.decisions({ shard: SHARD, decision: null, limit: 1 });
  const [move] = (JSON.parse(body) as { decisions: readonly { stages: readonly { stage: string }[] }[] })
    .decisions;
  return move?.stages.map(({ stage }) => stage) ?? [];
};

const reached = (made: SimulatedCluster, stage: string): Promise<void> =>
  made.options.world.runUntil(() => stagesOf(made).includes(stage), 20_000);

test('a share of the keys is written first, the others when it has come to quorum; each is answered', async () => {
  const made = await cluster();
  const { world } = made.options;
  const { asked, end } = writing(made, 'eu' as RegionName);
  await world.runUntil(() => asked.length > 50, 10_000);
  switchOver(made, 'us' as RegionName);
  await reached(made, 'share');
  const sharedAtMs = world.elapsedMs();
  await reached(made, 'open');
  const openedAtMs = world.elapsedMs();
  await world.runUntil(() => asked.length > 300, 20_000);
  end();

  const atNewHome = asked.filter(({ epoch }) => epoch === 2);
  const early = atNewHome.filter(({ answeredAtMs }) => answeredAtMs < openedAtMs);
  expect(openedAtMs - sharedAtMs).toBeGreaterThan(900);
  expect(early.length).toBeGreaterThan(3);
  expect(early.filter(({ key }) => !isFirst(key))).toEqual([]);
  expect(atNewHome.filter(({ key }) => !isFirst(key)).length).toBeGreaterThan(50);
  for (const { answer, code } of asked) {
    if (answer.status === 200) continue;
    expect({ status: answer.status, code }).toEqual({ status: 503, code: 'home-opening' });
    expect(answer.headers?.['Retry-After']).toMatch(/^[1-9]$/);
  }
});

test('a new home that does not sustain its share is left for another region, without a person', async () => {
  const made = await cluster({ failover: 'automatic' });
  const { world } = made.options;
  const { asked, end } = writing(made, 'ap' as RegionName);
  await world.runUntil(() => asked.length > 50, 10_000);
  switchOver(made, 'us' as RegionName);
  await reached(made, 'share');
  made.region('us').process('replicator-0')!.pause();
  await world.runUntil(() => asked.some(({ epoch, key }) => epoch === 3 && !isFirst(key)), 30_000);
  end();
  made.region('us').process('replicator-0')!.goOn();
  const homeOf = (region: string): string | null => made.region(region).database.cursor(SHARD)!.home;
  await world.runUntil(() => REGIONS.every((region) => homeOf(region) === homeOf('ap')), 10_000);
  expect(homeOf('ap')).not.toBe('us');
});

test('without coordinators all writes are taken after a while', async () => {
  const made = await cluster();
  const { world } = made.options;
  const { asked, end } = writing(made, 'us' as RegionName);
  await world.runUntil(() => asked.length > 50, 10_000);
  switchOver(made, 'us' as RegionName);
  await reached(made, 'share');
  for (const region of REGIONS) made.region(region).killProcess('coordinator');
  const lostAtMs = world.elapsedMs();
  await world.runUntil(() => asked.some(({ epoch, key }) => epoch === 2 && !isFirst(key)), 30_000);
  end();
  const tookMs = world.elapsedMs() - lostAtMs;
  expect(tookMs).toBeGreaterThan(2_000);
  expect(tookMs).toBeLessThan(OPENING_MS_MAX + 1_000);
});
