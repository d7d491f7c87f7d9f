import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decideSaga, type StepState } from './decide-saga.js';

describe('a saga', () => {
  test.each<readonly [readonly StepState[], ReturnType<typeof decideSaga>]>([
    [['open', 'open'], { kind: 'take', step: 0 }],
    [['accepted', 'open'], { kind: 'take', step: 1 }],
    [['accepted', 'accepted'], { kind: 'completed' }],
    [['rejected', 'open'], { kind: 'compensated', step: 0 }],
    [['accepted', 'accepted', 'rejected'], { kind: 'undo', step: 1 }],
    [['accepted', 'undone', 'rejected'], { kind: 'undo', step: 0 }],
    [['undone', 'undone', 'rejected'], { kind: 'compensated', step: 2 }],
  ])('whose steps are %j does %j', (states, move) => {
    expect(decideSaga(states)).toEqual(move);
  });

  test('ends with all or with none, takes in order and undoes in reverse, wherever a step is rejected', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }), (answers) => {
        const states: StepState[] = answers.map(() => 'open');
        const done: string[] = [];
        for (let move = decideSaga(states); ; move = decideSaga(states)) {
          expect(done.length).toBeLessThanOrEqual(2 * answers.length);
          if (move.kind === 'completed' || move.kind === 'compensated') break;
          done.push(`${move.kind} ${move.step}`);
          if (move.kind === 'undo') states[move.step] = 'undone';
          else states[move.step] = answers[move.step] ? 'accepted' : 'rejected';
        }
        const rejected = answers.indexOf(false);
        const taken = rejected < 0 ? answers.length : rejected + 1;
        const takes = Array.from({ length: taken }, (_, step) => `take ${step}`);
        const undos = Array.from({ length: Math.max(0, rejected) }, (_, at) => `undo ${rejected - 1 - at}`);
        expect(done).toEqual([...takes, ...undos]);
      }),
    );
  });
});
