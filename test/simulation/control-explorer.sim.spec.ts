/**
 * Every schedule of two coordinators, a control log and one shard over the production fold and decisions: none breaks an
 * invariant, and each planted defect is found. The numbers of states are exact: a step that is added or lost shows here.
 */
import { describe, expect, test } from '@jest/globals';
import {
  CONTROL_PRODUCTION,
  CONTROL_SCOPES,
  controlModelOf,
  explore,
  foldShardEntry,
  type ControlCore,
} from '@lockstep/testing/explorer';

const STATES_MAX = 200_000;

const COUNTS: Readonly<Record<string, { readonly states: number; readonly transitions: number }>> = {
  'another term takes over': { states: 34_097, transitions: 91_148 },
  'two decisions': { states: 9_354, transitions: 23_123 },
  'a pause': { states: 71_529, transitions: 195_422 },
  'a cancel': { states: 65_733, transitions: 182_663 },
  'a crash': { states: 10_990, transitions: 27_178 },
};

test.each(CONTROL_SCOPES.map((scope) => [scope.name, scope] as const))(
  'every schedule of "%s" keeps I5, I6, I9 and I14',
  (name, scope) => {
    const expected = { ...COUNTS[name], found: null, isComplete: true };
    const { depth, ends, found, isComplete, states, transitions } = explore(
      controlModelOf(scope),
      STATES_MAX,
    );
    console.log(`${name}: ${states} states, ${transitions} transitions, depth ${depth}, ${ends} ends`);
    expect({ states, transitions, found, isComplete }).toEqual(expected);
  },
);

/** Each takes away one thing that protects. */
const DEFECTS: readonly (readonly [string, string, string, Partial<ControlCore>])[] = [
  [
    'the shard does not compare the pair of a fence',
    'a cancel',
    'I5',
    {
      foldShard: (owner, entry) =>
        entry.kind === 'fence' && entry.expectedEpoch === owner.epoch
          ? { epoch: entry.epoch, home: entry.home, term: entry.term, decision: entry.decision }
          : foldShardEntry(owner, entry),
    },
  ],
  [
    'the leader does not await the term entry before it gives a fence up',
    'a cancel',
    'I9',
    {
      decideMove: (state, move, view) => {
        const step = CONTROL_PRODUCTION.decideMove(state, move, view);
        if (move.stage !== 'withdrawing' || step.kind !== 'append-entry') return step;
        const { decision, stage: from, term } = move;
        const command = { kind: 'stage', term, decision, from, event: 'withdrawn', evidence: '' } as const;
        return { kind: 'append', command };
      },
    },
  ],
  [
    'the leader fences before it has read that it may',
    'a pause',
    'I9',
    {
      decideMove: (state, move, view) =>
        CONTROL_PRODUCTION.decideMove(
          state,
          move.stage === 'caught-up' ? { ...move, stage: 'fencing' } : move,
          view,
        ),
    },
  ],
  [
    'a pause is confirmed though a fence is on its way',
    'a pause',
    'I14',
    {
      duePauses: ({ election, pauses }) =>
        pauses
          .filter(({ confirmedAt }) => confirmedAt === null)
          .map(({ pause }) => ({ kind: 'paused', term: election.term, pause })),
      foldControl: (before, record) => {
        const step = CONTROL_PRODUCTION.foldControl(before, record);
        if (step.kind !== 'folded' || step.verdict !== 'refused' || step.entry?.command.kind !== 'paused')
          return step;
        const pauses = step.state.pauses.map((pause) => ({ ...pause, confirmedAt: step.at }));
        return { ...step, verdict: 'accepted', reason: null, state: { ...step.state, pauses } };
      },
    },
  ],
];

describe('a planted defect', () => {
  test.each(DEFECTS)('is found: %s', (_name, scopeName, invariant, change) => {
    const scope = CONTROL_SCOPES.find(({ name }) => name === scopeName)!;
    const { found } = explore(controlModelOf(scope, { ...CONTROL_PRODUCTION, ...change }), STATES_MAX);
    expect(found?.violations.map((violation) => violation.invariant)).toContain(invariant);
  });
});
