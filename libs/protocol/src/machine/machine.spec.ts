/** The tables that the code runs on have no hole, no trap and no stranger, and their files are current. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ELECTION_EVENTS, ELECTION_MACHINE } from '../election/election-machine.js';
import {
  MOVE_EVENTS,
  OPEN_STAGES,
  OUTCOMES,
  PROMOTION_MACHINE,
  type MoveStage,
} from '../promotion/promotion-machine.js';
import { SHARD_EVENTS, SHARD_MACHINE, shardPhase } from '../promotion/shard-machine.js';
import { machinePages } from './machine-pages.js';
import { after, type Machine } from './machine.js';

type AnyMachine = Machine<string, string, string>;
interface Arrow {
  readonly from: string;
  readonly event: string;
  readonly to: string;
}

const machines: readonly (readonly [string, AnyMachine, readonly string[], readonly string[]])[] = [
  ['election', ELECTION_MACHINE, ELECTION_EVENTS, []],
  ['promotion', PROMOTION_MACHINE, MOVE_EVENTS, OUTCOMES],
  ['shard', SHARD_MACHINE, SHARD_EVENTS, []],
];

/** Read from what is written, not from the code that follows it. */
const arrowsOf = (machine: AnyMachine): readonly Arrow[] =>
  Object.entries(machine.states).flatMap(([from, state]) =>
    'type' in state
      ? []
      : Object.entries(state.on).flatMap(([event, reaction]) =>
          [reaction]
            .flat()
            .flatMap(({ target }) => (target === undefined ? [] : [{ from, event, to: target }])),
        ),
  );

function reachedFrom(arrows: readonly Arrow[], start: string): ReadonlySet<string> {
  const reached = new Set([start]);
  for (const state of reached) for (const { from, to } of arrows) if (from === state) reached.add(to);
  return reached;
}

describe.each(machines)('the machine %s', (_name, machine, events, finals) => {
  const arrows = arrowsOf(machine);
  const states = Object.keys(machine.states);

  test('has no state that cannot be reached', () => {
    expect([...reachedFrom(arrows, machine.initial)].sort()).toEqual([...states].sort());
  });

  test('ends only where it is named an end', () => {
    const ends = states.filter((state) => arrows.every(({ from }) => from !== state));
    expect(ends.sort()).toEqual([...finals].sort());
    const written = states.filter((state) => 'type' in machine.states[state]!);
    expect(written.sort()).toEqual([...finals].sort());
  });

  test('can come to an end, or back to its beginning, from every state', () => {
    const goals = finals.length === 0 ? [machine.initial] : finals;
    const trapped = states.filter((state) => !goals.some((goal) => reachedFrom(arrows, state).has(goal)));
    expect(trapped).toEqual([]);
  });

  test('says for every event in every state what follows, or that it is ignored', () => {
    for (const [name, state] of Object.entries(machine.states)) {
      if ('type' in state) continue;
      expect([name, Object.keys(state.on).sort()]).toEqual([name, [...events].sort()]);
    }
  });

  test('is followed as it is written', () => {
    for (const state of states) {
      for (const event of events) {
        const written = arrows.filter((arrow) => arrow.from === state && arrow.event === event);
        const taken = after(machine, state, event, () => true);
        expect([state, event, taken]).toEqual([state, event, written[0]?.to ?? null]);
        const described = machine.states[state]!;
        const isGuarded =
          'on' in described && [described.on[event]!].flat().some(({ guard }) => guard !== undefined);
        if (isGuarded) expect(after(machine, state, event, () => false)).toBeNull();
      }
    }
  });
});

test('a shard moves between its phases exactly as its moves go through their stages', () => {
  const phases = arrowsOf(SHARD_MACHINE as AnyMachine).map(({ from, to }) => `${from} -> ${to}`);
  const moves = arrowsOf(PROMOTION_MACHINE as AnyMachine).map(({ from, to }) => [from, to] as const);
  const steps = moves
    .map(([from, to]) => [shardPhase(from as MoveStage), shardPhase(to as MoveStage)] as const)
    .filter(([from, to]) => from !== to)
    .map(([from, to]) => `${from} -> ${to}`);
  expect([...new Set(['owned -> moving', ...steps])].sort()).toEqual([...new Set(phases)].sort());
  expect(shardPhase(null)).toBe('owned');
  expect(new Set(OPEN_STAGES.map(shardPhase)).has('owned')).toBe(false);
});

test('the files in machines/ are those of the code', () => {
  const folder = join(import.meta.dirname, '../../machines');
  const written = readdirSync(folder).filter((name) => name !== 'write.mjs');
  expect(written.sort()).toEqual([...machinePages().keys()].sort());
  for (const [name, content] of machinePages())
    expect(readFileSync(join(folder, name), 'utf8')).toBe(content);
});
