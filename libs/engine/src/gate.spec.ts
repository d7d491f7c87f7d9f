/** Waiting for an answer with a bound: whoever stops waiting hears nothing of it any more. */
import { expect, test } from '@jest/globals';
import { answerWithin } from './gate.js';
import type { Sleep } from './ports/world.js';

/** Time that is over when it is said to be. */
function clockOf(): { readonly clock: { sleep: (ms: number) => Sleep }; readonly pass: () => void } {
  const sleep = Promise.withResolvers<void>();
  return { clock: { sleep: () => ({ done: sleep.promise, wake: sleep.resolve }) }, pass: sleep.resolve };
}

test('an answer in time is answered, and so is a failure', async () => {
  const { clock } = clockOf();
  await expect(answerWithin(Promise.resolve(7), clock, 100)).resolves.toBe(7);
  await expect(answerWithin(Promise.reject(new Error('no')), clock, 100)).rejects.toThrow('no');
});

test('an answer that comes later is none, and its failure disturbs nobody', async () => {
  const { clock, pass } = clockOf();
  const answer = Promise.withResolvers<number>();
  const waiting = answerWithin(answer.promise, clock, 100);
  pass();
  await expect(waiting).resolves.toBeNull();
  answer.reject(new Error('too late'));
  await new Promise(setImmediate);
});
