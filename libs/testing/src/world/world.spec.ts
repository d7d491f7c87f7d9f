import { expect, test } from '@jest/globals';
import { World } from './world.js';

test('a wait that ends by its time loses nothing of what comes behind it', async () => {
  const world = new World(1);
  let isThere = false;
  world.after(100, 'late', () => (isThere = true));
  await expect(world.runUntil(() => isThere, 50)).rejects.toThrow('not reached within 50 ms');
  expect(world.elapsedMs()).toBeLessThanOrEqual(50);
  await world.runUntil(() => isThere, 100);
  expect(world.elapsedMs()).toBe(100);
});
