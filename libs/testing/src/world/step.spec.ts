import { expect, test } from '@jest/globals';
import { stepOf } from './step.js';

test.each([
  ['store commit accounts/0 accounts/1', 'commit'],
  ['store open', 'recovery'],
  ['append lockstep.accounts/0', 'append'],
  ['append lockstep.watermarks/0', 'slow-copy'],
  ['fetch lockstep.watermarks', 'slow-copy'],
  ['ask eu', 'ask'],
])('"%s" is the step %s', (label, step) => {
  expect(stepOf(label)).toBe(step);
});

test('a call that no step knows is refused, so that none is left out of the coverage', () => {
  expect(() => stepOf('store vacuum')).toThrow('no step of the protocol');
});
