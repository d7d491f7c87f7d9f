import { describe, expect, test } from '@jest/globals';
import { planChaos, targetText, type ChaosPlanOptions, type ChaosStep } from './chaos-plan.js';

const MINUTE_MS = 60_000;
const options: ChaosPlanOptions = {
  seed: 1,
  lengthMs: 5 * MINUTE_MS,
  regions: ['eu', 'us', 'ap'],
  brokers: 3,
  standbys: true,
  links: true,
  kills: null,
};
const seeds = Array.from({ length: 200 }, (_, seed) => seed);

const wordOf = ({ order }: ChaosStep): string => (order.kind === 'process' ? order.order : order.kind);
/** What a step disturbs. */
const thingOf = ({ order }: ChaosStep): string =>
  order.kind === 'process' ? targetText(order.target) : order.region;
const counted = (words: readonly string[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(words, (word) => word)].map(([word, { length }]) => [word, length]));

describe('a plan of random disturbances', () => {
  test('is the same for the same seed, and another for another', () => {
    expect(planChaos(options)).toEqual(planChaos({ ...options }));
    expect(new Set(seeds.map((seed) => JSON.stringify(planChaos({ ...options, seed })))).size).toBe(200);
  });

  test('continues every pause and heals every cut before its end, and does nothing after it', () => {
    for (const seed of seeds) {
      for (const lengthMs of [5_000, MINUTE_MS]) {
        const plan = planChaos({ ...options, seed, lengthMs })!;
        const open = new Set<string>();
        for (const step of plan) {
          const [word, thing] = [wordOf(step), thingOf(step)];
          // Nothing is paused or cut again before it was let go.
          if (word === 'pause' || word === 'cut') expect(open.size).toBeLessThan(open.add(thing).size);
          if (word === 'continue' || word === 'heal') expect(open.delete(thing)).toBe(true);
          // A paused process is not killed: it would come back running.
          if (word === 'kill') expect(open.has(thing)).toBe(false);
        }
        expect(open).toEqual(new Set());
        expect(plan.every(({ atMs }) => atMs >= 0 && atMs < lengthMs)).toBe(true);
        expect(plan.map(({ atMs }) => atMs)).toEqual(plan.map(({ atMs }) => atMs).toSorted((x, y) => x - y));
      }
    }
  });

  test('disturbs everything there is in every way', () => {
    const plans = seeds.flatMap((seed) => planChaos({ ...options, seed })!);
    expect(Object.keys(counted(plans.map(wordOf))).toSorted()).toEqual(
      ['continue', 'cut', 'heal', 'kill', 'pause', 'swallow'].toSorted(),
    );
    const killed = new Set(plans.filter((step) => wordOf(step) === 'kill').map(thingOf));
    expect(killed.size).toBe(3 * 5 + 3);
  });

  test('holds neither cuts nor swallowed responses without links, and nothing that is not there', () => {
    const plans = seeds.flatMap((seed) =>
      planChaos({ ...options, seed, links: false, standbys: false, brokers: 1 })!,
    );
    expect(Object.keys(counted(plans.map(wordOf))).toSorted()).toEqual(['continue', 'kill', 'pause']);
    expect(plans.map(thingOf)).not.toContain('kafka 2');
    expect(plans.map(thingOf)).not.toContain('eu standby');
  });
});

describe('a plan of kills', () => {
  const kills = { replicator: 3, gateway: 1, postgres: 1, broker: 1 };

  test('kills each role as often as it says, and one random database and broker', () => {
    for (const seed of seeds) {
      const plan = planChaos({ ...options, seed, lengthMs: MINUTE_MS, kills })!;
      expect(new Set(plan.map(wordOf))).toEqual(new Set(['kill']));
      const things = counted(plan.map(thingOf));
      for (const region of options.regions) {
        expect(things[`${region} replicator`]).toBe(3);
        expect(things[`${region} gateway`]).toBe(1);
        expect(things[`${region} coordinator`]).toBeUndefined();
      }
      expect(plan.map(thingOf).filter((thing) => thing.endsWith('postgres'))).toHaveLength(1);
      expect(plan.map(thingOf).filter((thing) => thing.startsWith('kafka'))).toHaveLength(1);
      expect(plan).toHaveLength(3 * 3 + 3 + 2);
    }
  });

  test('leaves a process time to come back before it is killed again', () => {
    for (const seed of seeds) {
      const plan = planChaos({ ...options, seed, lengthMs: 20_000, kills: { replicator: 5 } })!;
      for (const same of Map.groupBy(plan, thingOf).values()) {
        const gaps = same.slice(1).map(({ atMs }, index) => atMs - same[index]!.atMs);
        expect(Math.min(...gaps)).toBeGreaterThanOrEqual(3_999);
      }
      expect(plan.every(({ atMs }) => atMs < 20_000)).toBe(true);
    }
  });

  test('there is none when the time is too short', () => {
    expect(planChaos({ ...options, lengthMs: 5_000, kills: { replicator: 3 } })).toBeNull();
  });
});
