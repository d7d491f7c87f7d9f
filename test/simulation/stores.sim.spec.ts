/**
 * What becomes of a region's store and of its replicators, in a simulated world: a store that was put back is found out
 * and votes again only when it has proved itself (I12), a standby goes on (I20), an idle log is kept alive.
 */
import { expect, test } from '@jest/globals';
import type { Fact } from '@lockstep/engine';
import {
  generationOf,
  recordedWatermarkText,
  sequence,
  utf8,
  WATERMARK_TOPIC,
  type RegionName,
  type ShardName,
  type StoreIncarnation,
} from '@lockstep/protocol';
import type { SimulatedCluster, SimulatedRegion } from '@lockstep/testing';
import { cluster, quiet, REGIONS, stores, work } from './harassed-cluster.js';

type Vote = Extract<Fact, { kind: 'vote' }>;
const votes = ({ facts }: SimulatedRegion): readonly Vote[] => facts.filter((fact) => fact.kind === 'vote');
/** Each dataset's lane finds it out for itself, and all of them begin one new life. */
const lives = ({ facts }: SimulatedRegion): readonly string[] => [
  ...new Set(facts.flatMap((fact) => (fact.kind === 'store-went-back' ? [fact.to] : []))),
];

async function expectEqual(made: SimulatedCluster): Promise<void> {
  const [eu, us, ap] = await stores(made);
  expect(us).toEqual(eu);
  expect(ap).toEqual(eu);
}

const ORDERS = 'orders/0' as ShardName;
const knownAs = (made: SimulatedCluster, { region }: SimulatedRegion, life: string): boolean =>
  REGIONS.every((other) => made.region(other).feed.watermark(ORDERS, region)?.storeIncarnation === life);

/** Every shard on which the vote was withheld gives it again, and all regions know the store by its new life. */
function expectProved(made: SimulatedCluster, region: SimulatedRegion): void {
  const told = votes(region);
  const withheld = new Set(told.flatMap(({ shard, withheld: why }) => (why === null ? [] : [shard])));
  expect(withheld.size).toBeGreaterThan(0);
  for (const shard of withheld) {
    expect(told.filter((vote) => vote.shard === shard).at(-1)!.withheld).toBeNull();
    for (const other of REGIONS) {
      const known = made.region(other).feed.watermark(shard, region.region)!;
      expect(known).toMatchObject({ withheld: null, storeIncarnation: lives(region).at(-1) });
    }
  }
}

test.each(['while its replicator runs', 'while its replicator is down'])(
  'a store that is put back %s takes a new incarnation, and votes again when it has folded to where it was (I12)',
  async (when) => {
    const made = await cluster(31);
    const ap = made.region('ap');
    await work(made, 20);
    const copy = ap.database.snapshot();
    await work(made, 40);
    await quiet(made);
    // The slow copy goes out once a second.
    await made.options.world.elapse(2_000);
    if (when.endsWith('down')) ap.killReplicator();
    ap.database.restore(copy);
    if (when.endsWith('down')) ap.startReplicator();
    await made.options.world.runUntil(() => lives(ap).length > 0, 20_000);
    await work(made, 10);
    await quiet(made);
    await expectEqual(made);
    expect(lives(ap)).toHaveLength(1);
    expectProved(made, ap);
  },
);

test('a store that is put back to before its last new beginning begins anew once more (I12)', async () => {
  const made = await cluster(32);
  const ap = made.region('ap');
  await work(made, 20);
  const copy = ap.database.snapshot();
  for (let life = 1; life <= 2; life += 1) {
    await work(made, 20);
    await quiet(made);
    await made.options.world.elapse(2_000);
    ap.database.restore(copy);
    await made.options.world.runUntil(() => lives(ap).length === life, 20_000);
    // Its other datasets find it out as well.
    await made.options.world.elapse(2_000);
  }
  await quiet(made);
  await expectEqual(made);
  expect(lives(ap)).toHaveLength(2);
  expectProved(made, ap);
});

test('a store that goes back only by what was never told goes on as it is', async () => {
  const made = await cluster(33);
  const ap = made.region('ap');
  await work(made, 20);
  await quiet(made);
  const copy = ap.database.snapshot();
  await made.options.world.elapse(2_000);
  ap.database.restore(copy);
  await work(made, 20);
  await quiet(made);
  await expectEqual(made);
  expect(lives(ap)).toEqual([]);
  expect(votes(ap)).toEqual([]);
});

test('when a replicator dies its standby goes on within 1.5 s, and gateways hear of it (I20)', async () => {
  const made = await cluster(34, () => ({ replicators: 2 }));
  const { world } = made.options;
  await work(made, 10);
  const eu = made.region('eu');
  const shard = 'orders/0' as ShardName;
  let instance = [0, 1].find((one) => eu.replicator(one)!.hub.newest(shard) !== null)!;
  for (let round = 0; round < 6; round += 1) {
    eu.killReplicator(instance);
    const killedAtMs = world.nowMs();
    const commits = (): number => eu.facts.filter((fact) => fact.kind === 'batch-committed').length;
    const before = commits();
    let answered = false;
    const event = { key: `eu:standby-${round}`, type: 'paid', data: {} };
    void made.write('eu', 'orders', { events: [event], ack: 'everywhere' }).then((answer) => {
      answered = answer.status === 200;
    });
    await world.runUntil(() => commits() > before, 10_000);
    expect(world.nowMs() - killedAtMs).toBeLessThanOrEqual(1_500);
    await world.runUntil(() => answered, 10_000);
    eu.startReplicator(instance);
    instance = 1 - instance;
  }
  await quiet(made);
  await expectEqual(made);
});

test('the home probes an idle shard before a quarter of the retention has passed twice, so that its log never ends', async () => {
  const logRetentionMs = 40_000;
  const made = await cluster(35, () => ({ logRetentionMs }));
  const shard = 'accounts/0' as ShardName;
  const at = (region: RegionName): bigint => made.region(region).feed.own(shard)!.sequence;
  const before = at('eu' as RegionName);
  await made.options.world.elapse(logRetentionMs);
  await quiet(made);
  const probes = at('eu' as RegionName) - before;
  expect(probes).toBeGreaterThanOrEqual(2n);
  expect(probes).toBeLessThanOrEqual(5n);
});

test.each([41, 42, 43, 44])(
  'seed %i: an instance that comes back after another one began the store’s new life takes no vote from the datasets (I12, I20)',
  async (seed) => {
    const made = await cluster(seed, () => ({ replicators: 2 }));
    const { world } = made.options;
    const ap = made.region('ap');
    const write = async (dataset: string, event: object): Promise<number> => {
      let status = 0;
      const body = { events: [event], ack: 'everywhere', timeoutMs: 20_000 };
      void made.write('eu', dataset, body).then((answer) => ({ status } = answer));
      await world.runUntil(() => status !== 0, 30_000);
      return status;
    };
    const placed = { type: 'placed', data: { customer: 'c', total: 1 } };
    expect(await write('orders', { key: 'eu:before', ...placed })).toBe(200);
    await made.options.world.elapse(2_000);
    const copy = ap.database.snapshot();
    // Only accounts move, so that only their lane finds out that the store went back.
    const opened = { type: 'opened', data: { owner: 'Ada', currency: 'EUR' } };
    expect(await write('accounts', { key: 'eu:ada', ...opened })).toBe(200);
    await made.options.world.elapse(2_000);
    const holder = [0, 1].find((one) => ap.replicator(one)!.hub.newest('orders/0' as ShardName) !== null)!;
    const paused = ap.process(`replicator-${holder}`)!;
    paused.pause();
    ap.database.restore(copy);
    await world.runUntil(() => lives(ap).length > 0, 20_000);
    paused.goOn();
    await made.options.world.elapse(2_000);
    expect(await write('orders', { key: 'eu:after', ...placed })).toBe(200);
    await quiet(made);
    await expectEqual(made);
  },
);

/** By its places alone nobody can tell that the store went back: of the life between the two copies only listeners know. */
test.each([51, 52])(
  'seed %i: a store that is put back to before a life that was heard begins a later one, also when whoever began that life is gone (I12, I20)',
  async (seed) => {
    const made = await cluster(seed, () => ({ replicators: 2 }));
    const { world } = made.options;
    const ap = made.region('ap');
    await work(made, 10);
    const early = ap.database.snapshot();
    await work(made, 20);
    await quiet(made);
    await made.options.world.elapse(2_000);
    const late = ap.database.snapshot();
    ap.database.restore(early);
    await world.runUntil(() => lives(ap).length > 0 && knownAs(made, ap, lives(ap)[0]!), 20_000);
    const teller = [0, 1].find(
      (one) => ap.replicator(one)!.hub.newest(ORDERS)?.storeIncarnation === lives(ap)[0],
    )!;
    ap.killReplicator(teller);
    ap.database.restore(late);
    await world.runUntil(() => lives(ap).length > 1, 20_000);
    ap.startReplicator(teller);
    await work(made, 10);
    await quiet(made);
    await expectEqual(made);
    expect(knownAs(made, ap, ap.database.incarnation())).toBe(true);
  },
);

test('a lane at work that learns from the copy of a later life begins one that is later still (I12, I20)', async () => {
  const made = await cluster(55);
  const { log, options } = made;
  const ap = made.region('ap');
  await work(made, 10);
  await quiet(made);
  // As of an instance that lost its lease, and of which an append arrives late.
  const told = ap.feed.watermark(ORDERS, ap.region)!;
  const storeIncarnation = `00000003${told.storeIncarnation.slice(8)}` as StoreIncarnation;
  log.appendForeign(WATERMARK_TOPIC, 0, {
    key: utf8(`ap/${ORDERS}/${storeIncarnation}`),
    value: utf8(recordedWatermarkText({ ...told, storeIncarnation })),
    headers: [],
  });
  await options.world.runUntil(() => lives(ap).length > 0, 20_000);
  await work(made, 10);
  await quiet(made);
  await expectEqual(made);
  expect(generationOf(ap.database.incarnation())).toBe(4);
  expect(lives(ap)).toEqual([ap.database.incarnation()]);
  expect(knownAs(made, ap, ap.database.incarnation())).toBe(true);
});

test.each([
  ['as it stands where hashes differ', 0n],
  ['when it has folded on, sooner than the slow copy goes out', 1n],
])(
  'a store that has other hashes than were told stays without a vote when its replicator dies %s (I12)',
  async (_, further) => {
    const made = await cluster(56);
    const { log, options } = made;
    const ap = made.region('ap');
    await work(made, 10);
    await quiet(made);
    await made.options.world.elapse(2_000);
    // As of a store that was put back, and had folded something else before.
    const told = ap.feed.watermark(ORDERS, ap.region)!;
    const place = sequence(told.sequence + 2n);
    const [inputHash, effectsHash] = ['1'.repeat(32), '2'.repeat(32)];
    log.appendForeign(WATERMARK_TOPIC, 0, {
      key: utf8(`ap/${ORDERS}/${told.storeIncarnation}`),
      value: utf8(recordedWatermarkText({ ...told, sequence: place, inputHash, effectsHash })),
      headers: [],
    });
    ap.killReplicator();
    ap.startReplicator();
    await options.world.runUntil(() => lives(ap).length > 0, 20_000);
    const folded = (): bigint => ap.database.cursor(ORDERS)!.sequence;
    const working = work(made, 200);
    await options.world.runUntil(() => folded() >= place + further, 20_000);
    for (let death = 1; death <= 2; death += 1) {
      ap.killReplicator();
      ap.startReplicator();
      await working;
      await work(made, 5);
      await quiet(made);
      await made.options.world.elapse(2_000);
      expect(folded()).toBeGreaterThan(place + further);
      for (const region of REGIONS)
        expect(made.region(region).feed.watermark(ORDERS, ap.region)!.withheld?.code).toBe('diverged');
      const since = votes(ap).filter(({ shard }) => shard === ORDERS);
      expect(since.filter(({ withheld }) => withheld === null)).toEqual([]);
    }
  },
);
