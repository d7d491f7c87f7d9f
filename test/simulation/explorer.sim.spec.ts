/**
 * Every schedule of a small world over the production core: none breaks an invariant, and every planted defect is found
 * by a shortest schedule. The numbers of states are exact: a step that is added or lost shows here.
 */
import { describe, expect, test } from '@jest/globals';
import {
  CARELESS_PUBLISHER,
  explore,
  modelOf,
  PLANTED_DEFECTS,
  SMALL_SCOPES,
} from '@lockstep/testing/explorer';

const STATES_MAX = 200_000;

const COUNTS: Readonly<Record<string, { readonly states: number; readonly transitions: number }>> = {
  'four writes': { states: 23_656, transitions: 101_619 },
  'the log begins': { states: 1_765, transitions: 3_975 },
  'two epochs': { states: 10_649, transitions: 38_321 },
  'a fence is settled': { states: 1_552, transitions: 5_134 },
  'a gateway crashes': { states: 10_550, transitions: 37_663 },
  'unknown becomes definite': { states: 1_401, transitions: 3_981 },
  'commits without an answer': { states: 5_128, transitions: 16_554 },
  'a store goes back': { states: 11_117, transitions: 28_902 },
};

test.each(SMALL_SCOPES.map((scope) => [scope.name, scope] as const))(
  'every schedule of "%s" keeps I2 to I12 and I20',
  (name, scope) => {
    const expected = { ...COUNTS[name], found: null, isComplete: true };
    expect(explore(modelOf(scope), STATES_MAX)).toMatchObject(expected);
  },
);

describe('a planted defect', () => {
  test.each(PLANTED_DEFECTS.map((defect) => [defect.name, defect] as const))(
    'is found: %s',
    (_name, defect) => {
      const { found } = explore(modelOf(defect.scope, defect.core), STATES_MAX);
      expect(found?.violations.map(({ invariant }) => invariant)).toContain(defect.breaks);
      expect(found?.schedule).toHaveLength(defect.stepsMin);
    },
  );

  test.each(PLANTED_DEFECTS.map((defect) => [defect.name, defect] as const))(
    'is what breaks the invariant, and not its scope: %s',
    (_name, { scope }) => {
      expect(explore(modelOf(scope), STATES_MAX)).toMatchObject({ found: null, isComplete: true });
    },
  );
});

test('the fold stands a publisher that goes on in a session after a gap (I8)', () => {
  const scope = PLANTED_DEFECTS.find(({ core }) => core.sessionAfterGivingUp === 'same')!.scope;
  expect(explore(modelOf(scope, CARELESS_PUBLISHER), STATES_MAX)).toMatchObject({
    found: null,
    isComplete: true,
  });
});

test('a schedule is told as lines that can be read', () => {
  const defect = PLANTED_DEFECTS.find(({ name }) => name === 'a copy of an entry is folded again')!;
  expect(explore(modelOf(defect.scope, defect.core), STATES_MAX).found).toEqual({
    violations: [{ invariant: 'I8', detail: 'eu: w3 took effect 2 times' }],
    schedule: [
      "w3 is asked for at eu: eu's publisher takes w3 in epoch 1",
      'the log takes w3 (eu session 1 number 1, epoch 1), the answer is lost',
      'the log takes w3 (eu session 1 number 1, epoch 1) and answers',
      'eu folds offsets 1 to 2: eu commits through offset 2 and tells',
    ],
  });
});
