/** A simulated cluster of three regions under load and faults, for specs that judge what comes out of it. */
import { expect } from '@jest/globals';
import { shardsOf } from '@lockstep/engine';
import { parseShardName, topicOf, type Answer, type RegionName, type ShardName } from '@lockstep/protocol';
import { SimulatedCluster, World, type Chance, type SimulatedClusterOptions } from '@lockstep/testing';
import { sampleDatasets } from './sample-datasets.js';

export const REGIONS = ['eu', 'us', 'ap'] as RegionName[];
const datasets = await sampleDatasets();

type Faults = Pick<
  SimulatedClusterOptions,
  'applyEventsMax' | 'logFaults' | 'storeFault' | 'replicators' | 'logRetentionMs'
>;

export async function cluster(
  seed: number,
  faults: (chance: Chance) => Faults = () => ({}),
): Promise<SimulatedCluster> {
  const world = new World(seed);
  const made = new SimulatedCluster({ world, regions: REGIONS, datasets, ...faults(world.branch('faults')) });
  await made.start();
  return made;
}

/** Who leads, as the region's coordinator has read. */
export const leaderSeenBy = (made: SimulatedCluster, region: string): string | null =>
  (made.region(region).coordinator.describe() as { leader: string | null }).leader;

/** Lets so much of virtual time pass. */
export const elapse = (made: SimulatedCluster, ms: number): Promise<void> => made.options.world.elapse(ms);

/** Accounts, orders and readings through random gateways; the answers in the order of the requests. */
export async function work(made: SimulatedCluster, entries: number): Promise<readonly Answer[]> {
  const { world } = made.options;
  const chance = world.branch('workload');
  const answers: (Answer | null)[] = [];
  for (let i = 0; i < entries; i += 1) {
    answers.push(null);
    const group = chance.pick(REGIONS);
    const key = `${group}:${chance.below(4)}`;
    const [dataset, events] = chance.pick([
      ['accounts', [{ key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } }]],
      ['accounts', [{ key, type: 'credited', data: { amount: 1 + chance.below(9) } }]],
      ['accounts', [{ key, type: 'debited', data: { amount: 1 + chance.below(9) } }]],
      ['orders', [{ key, type: 'placed', data: { customer: 'c', total: 5 } }]],
      ['orders', [{ key, type: 'shipped', data: { carrier: 'd' } }]],
      [
        'readings',
        [{ key, type: 'recorded', data: { sensor: 's', value: 1.5, at: '2026-11-21T08:00:00Z' } }],
      ],
    ] as const);
    const idempotencyKey = chance.next() < 0.5 ? `key-${chance.below(entries)}` : null;
    void made
      .write(chance.pick(REGIONS), dataset, { events, ack: 'everywhere', timeoutMs: 60_000 }, idempotencyKey)
      .then((answer) => {
        answers[i] = answer;
        world.note(`answer ${i} ${answer.status}`);
      });
    const fromMs = world.nowMs();
    const pauseMs = chance.below(30);
    void world.clock().sleep(pauseMs);
    await world.runUntil(() => world.nowMs() >= fromMs + pauseMs, 60_000);
  }
  await world.runUntil(() => answers.every((answer) => answer !== null), 240_000);
  return answers as readonly Answer[];
}

/** Cursors and rows of every region; equal when the regions are. */
export async function stores(made: SimulatedCluster): Promise<readonly string[]> {
  const states: string[] = [];
  const shards = [...datasets].flatMap(([name, { partitions }]) => shardsOf(name, partitions));
  for (const region of made.regions.values()) {
    let cursors: unknown = null;
    void region.query.cursors(shards).then((found) => {
      cursors = found.map(({ inputHash, effectsHash, sequence, shard }) => ({
        shard,
        sequence,
        inputHash,
        effectsHash,
      }));
    });
    await made.options.world.runUntil(() => cursors !== null, 10_000);
    const rows = [...datasets.values()].map(({ table }) => [...region.database.rows(table.table)!].sort());
    states.push(
      JSON.stringify([cursors, rows], (_, value: unknown) =>
        typeof value === 'bigint' ? `${value}n` : value,
      ),
    );
  }
  return states;
}

/** Until every region has told that it has folded everything that stands in the logs. */
export async function quiet(made: SimulatedCluster): Promise<void> {
  const shards = [...datasets].flatMap(([name, { partitions }]) => shardsOf(name, partitions));
  const isFolded = (shard: ShardName): boolean => {
    const { dataset, partition } = parseShardName(shard)!;
    const records = BigInt(made.log.records(topicOf(dataset), partition).length);
    return REGIONS.every((region) => made.region(region).feed.own(shard)?.sequence === records);
  };
  await made.options.world.runUntil(() => shards.every(isFolded), 120_000);
}

const verdictOf = (answer: Answer): unknown => {
  const body = JSON.parse(answer.body) as { outcome?: string; receipt?: { outcome: string }; code?: string };
  return body.code ?? body.outcome;
};

/** Commits and appends that fail in every way they may, and replicators that are killed at any time; then quiet. */
export async function harass(
  seed: number,
): Promise<{ readonly made: SimulatedCluster; readonly answers: readonly Answer[] }> {
  const replicators = seed % 2 === 0 ? 2 : 1;
  const made = await cluster(seed, (chance) => ({
    replicators,
    storeFault: (_, call) => {
      if (call.method !== 'commit' || chance.next() > 0.1) return null;
      return chance.pick(['lost-before', 'lost-after', 'lost-late', 'refused'] as const);
    },
    logFaults: {
      append: () =>
        chance.next() > 0.1
          ? 'appended'
          : chance.pick(['refused', 'appended-unanswered', 'late-unanswered', 'lost-unanswered'] as const),
      fetch: () => (chance.next() > 0.02 ? 'answered' : 'failed'),
    },
  }));
  const { world } = made.options;
  const chance = world.branch('kills');
  let over = false;
  const killing = (async (): Promise<void> => {
    for (let round = 0; round < 4; round += 1) {
      await world.clock().sleep(50 + chance.below(200)).done;
      const region = made.region(chance.pick(REGIONS));
      const instance = chance.below(replicators);
      region.killReplicator(instance);
      await world.clock().sleep(chance.below(400)).done;
      region.startReplicator(instance);
    }
    over = true;
  })();
  const answers = await work(made, 60);
  await world.runUntil(() => over, 60_000);
  await killing;
  await quiet(made);
  return { made, answers };
}

/** What must hold after any harassment (I3, I4, I8, I9, I11). */
export async function expectUnharmed(made: SimulatedCluster, answers: readonly Answer[]): Promise<void> {
  const [eu, us, ap] = await stores(made);
  expect(us).toEqual(eu);
  expect(ap).toEqual(eu);
  for (const answer of answers) expect([200, 202, 409, 422]).toContain(answer.status);
  expect(answers.filter((answer) => answer.status === 200).length).toBeGreaterThan(10);
  // Only a write without a key, which has no Location, may stay unknown.
  const unknown = answers.filter((answer) => verdictOf(answer) === 'unknown');
  expect(unknown.filter((answer) => 'Location' in answer.headers)).toEqual([]);
  expect(unknown.length).toBeLessThan(5);
}
