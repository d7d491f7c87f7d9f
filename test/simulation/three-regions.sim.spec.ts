/**
 * The real engine of three regions in one process, every completion picked by a seed: equal seeds give equal traces, a
 * crash before or after a commit changes no verdict, and regions end equal (I3, I4, I8, I11).
 */
import { expect, test } from '@jest/globals';
import { cluster, expectUnharmed, harass, quiet, stores, work } from './harassed-cluster.js';

test('equal seeds give equal traces, other seeds other ones', async () => {
  const run = async (seed: number): Promise<readonly string[]> => {
    const made = await cluster(seed);
    await work(made, 40);
    return made.options.world.trace;
  };
  const first = await run(11);
  expect(first.length).toBeGreaterThan(1_000);
  expect(await run(11)).toEqual(first);
  expect(await run(12)).not.toEqual(first);
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'seed %i: replicators that die around their commits leave every write answered once and all regions equal',
  async (seed) => {
    const { made, answers } = await harass(seed);
    await expectUnharmed(made, answers);
  },
);

test('a replicator that is killed before or after each of its commits folds the same log to the same state', async () => {
  const made = await cluster(21);
  const { world } = made.options;
  const region = made.region('ap');
  const chance = world.branch('crashes');
  let answered = 0;
  const commits = (): number => region.facts.filter((fact) => fact.kind === 'batch-committed').length;
  for (let round = 0; round < 8; round += 1) {
    const known = commits();
    const event = { key: `eu:crash-${round}`, type: 'paid', data: {} };
    void made.write('eu', 'orders', { events: [event], ack: 'accepted' }).then(() => (answered += 1));
    if (chance.next() < 0.5) await world.runUntil(() => commits() > known, 20_000);
    region.killReplicator();
    region.startReplicator();
    await world.runUntil(() => answered > round, 20_000);
  }
  await quiet(made);
  const [eu, us, ap] = await stores(made);
  expect(us).toEqual(eu);
  expect(ap).toEqual(eu);
  expect(region.database.rows('orders')!.size).toBe(8);
});
