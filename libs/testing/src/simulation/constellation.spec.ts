import { describe, expect, test } from '@jest/globals';
import { Chance } from '../world/chance.js';
import { drawConstellation } from './constellation.js';
import { faultKinds } from './fault.js';

const SCENE = { regions: ['eu', 'us', 'ap'], replicators: 2, chaosMs: 6_000 };
const drawn = Array.from({ length: 200 }, (_, seed) =>
  drawConstellation(faultKinds(), new Chance(seed), SCENE),
);

describe('faults that harm only together', () => {
  test('are at least two, and begin within the chaos', () => {
    for (const faults of drawn) {
      expect(faults.length).toBeGreaterThan(1);
      for (const { atMs } of faults) expect(atMs).toBeGreaterThanOrEqual(0);
      for (const { atMs } of faults) expect(atMs).toBeLessThan(SCENE.chaosMs);
    }
  });

  test('put no store back by less than its region has surely written down', () => {
    const restored = drawn.flat().filter(({ kind }) => kind === 'store-restored');
    expect(restored.length).toBeGreaterThan(10);
    for (const { forMs } of restored) expect(forMs).toBeGreaterThanOrEqual(3_000);
  });

  test('are not drawn where one of their kinds is not', () => {
    expect(drawConstellation(['store-restored', 'fetch-slow'], new Chance(1), SCENE)).toEqual([]);
  });
});
