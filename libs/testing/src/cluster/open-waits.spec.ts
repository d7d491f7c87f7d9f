import { expect, test } from '@jest/globals';
import { Network } from '../world/network.js';
import { Process } from '../world/process.js';
import { World } from '../world/world.js';
import { OpenWaits } from './open-waits.js';

test('a call is overdue while a process that is there has not answered it in its time', async () => {
  const process = new Process('eu/gateway', new World(1), new Network());
  const waits = new OpenWaits();
  const answer = Promise.withResolvers<number>();
  const refused = Promise.withResolvers<number>();
  const kept = waits.keep({ process, what: 'a call', dueMs: 1_000 }, answer.promise);
  waits.keep({ process, what: 'another', dueMs: 1_000 }, refused.promise).catch(() => undefined);
  void waits.keep({ process, what: 'a third', dueMs: 1_000 }, new Promise(() => undefined));
  expect(waits.overdue(1_000)).toEqual([]);
  expect(waits.overdue(1_001)).toHaveLength(3);
  answer.resolve(7);
  refused.reject(new Error('no'));
  expect(await kept).toBe(7);
  expect(waits.overdue(1_001)).toEqual(['a third, due at 1000 ms']);
  expect(waits.count).toBe(3);
  // Whoever was killed owes no answer.
  process.end();
  expect(waits.overdue(1_001)).toEqual([]);
});
