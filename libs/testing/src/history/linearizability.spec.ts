import { describe, expect, test } from '@jest/globals';
import { Chance } from '../world/chance.js';
import type { TimedOperation } from './linearizability.js';
import { linearizableRegister, registerStep, type RegisterOperation } from './registers.js';

type Timed = TimedOperation<RegisterOperation>;
const STEPS_MAX = 100_000;

const at = (call: number, end: number, operation: RegisterOperation): Timed => ({
  call,
  return: end,
  operation,
});
const write = (version: number, expected: number | null = null): RegisterOperation => ({
  kind: 'write',
  version,
  expected,
});
const read = (version: number): RegisterOperation => ({ kind: 'read', version });
const conflict = (expected: number): RegisterOperation => ({ kind: 'conflict', expected });

const judged = (operations: readonly Timed[], stepsMax = STEPS_MAX): string =>
  linearizableRegister(operations, stepsMax);

describe('histories that fit into an order', () => {
  test.each<readonly [string, readonly Timed[]]>([
    ['nothing', []],
    [
      'one after the other',
      [at(0, 1, write(1, 0)), at(2, 3, read(1)), at(4, 5, write(5, 1)), at(6, 7, read(5))],
    ],
    ['a read that overlaps a write and sees it', [at(0, 9, write(1)), at(1, 2, read(1)), at(3, 4, read(1))]],
    ['a read that overlaps a write and does not see it', [at(0, 9, write(1)), at(1, 2, read(0))]],
    [
      'overlapping writes that took effect against the order of their beginnings',
      [at(0, 9, write(2)), at(1, 8, write(1)), at(10, 11, read(2))],
    ],
    [
      'a write without an end that took effect long after',
      [at(0, Infinity, write(7)), at(1, 2, read(0)), at(3, 4, read(7))],
    ],
    ['a write without an end that never happened', [at(0, Infinity, write(7, 3)), at(1, 2, read(0))]],
    ['a conflict with a version that was there at no time', [at(0, 1, write(1)), at(2, 3, conflict(9))]],
    ['a conflict before the version was written', [at(0, 5, write(1)), at(1, 4, conflict(1))]],
    ['ends and beginnings at one moment', [at(0, 1, write(1)), at(1, 2, read(0))]],
  ])('%s', (_title, operations) => {
    expect(judged(operations)).toBe('linearizable');
  });
});

describe('histories that fit into none', () => {
  test.each<readonly [string, readonly Timed[]]>([
    ['a read that misses a write which had ended', [at(0, 1, write(1)), at(2, 3, read(0))]],
    ['a read of what nobody wrote', [at(0, 1, write(1)), at(2, 3, read(2))]],
    ['reads that go back', [at(0, 9, write(1)), at(1, 2, read(1)), at(3, 4, read(0))]],
    ['two writes on one expected version', [at(0, 9, write(1, 0)), at(0, 9, write(2, 0))]],
    ['a conflict on the version that was there all the time', [at(0, 1, write(1)), at(2, 3, conflict(1))]],
    [
      'a write without an end that is seen and then unseen',
      [at(0, Infinity, write(7)), at(1, 2, read(7)), at(3, 4, read(0))],
    ],
  ])('%s', (_title, operations) => {
    expect(judged(operations)).toBe('not-linearizable');
  });

  test('beyond its bound it says that it does not know', () => {
    const operations = Array.from({ length: 50 }, (_, n) => at(n, n + 1, write(n + 1)));
    expect(judged(operations, 10)).toBe('undecided');
  });
});

/** A register that is worked at one moment inside of each operation, by so many clients; some ends are never told. */
function runOf(chance: Chance, operations: number, clients: number): readonly Timed[] {
  const free = Array.from({ length: clients }, () => 0);
  const begun = Array.from({ length: operations }, (_, index) => {
    const client = index % clients;
    const call = free[client]! + 1 + chance.below(3);
    const effect = call + 1 + chance.below(8);
    const end = effect + 1 + chance.below(8);
    free[client] = end;
    return {
      call,
      effect: effect + index / 1e6,
      end: chance.next() < 0.1 ? Infinity : end,
      kind: chance.below(3),
    };
  });
  let version = 0;
  return begun
    .toSorted((x, y) => x.effect - y.effect)
    .flatMap(({ call, end, kind }, index) => {
      if (kind === 0) return end === Infinity ? [] : [at(call, end, read(version))];
      if (kind === 1 && chance.next() < 0.5 && end !== Infinity)
        return [at(call, end, conflict(version + 1))];
      const expected = kind === 1 ? version : null;
      version = index + 1;
      return [at(call, end, write(version, expected))];
    });
}

/** Every order is tried, without any memory. */
function bruteForce(operations: readonly Timed[], version = 0): boolean {
  const open = operations.filter((one) => one.return !== Infinity);
  if (open.length === 0) return true;
  const first = Math.min(...open.map((one) => one.return));
  return operations.some((one) => {
    if (one.call > first) return false;
    const after = registerStep(version, one.operation);
    return (
      after !== undefined &&
      bruteForce(
        operations.filter((other) => other !== one),
        after,
      )
    );
  });
}

describe('seeded runs of a register', () => {
  test('fit into an order, however many overlap', () => {
    for (let seed = 0; seed < 50; seed += 1) {
      expect(judged(runOf(new Chance(seed), 400, 1 + (seed % 12)))).toBe('linearizable');
    }
  });

  test('and those with one answer changed are judged as by trying every order', () => {
    const answers = { linearizable: 0, 'not-linearizable': 0 };
    for (let seed = 0; seed < 400; seed += 1) {
      const chance = new Chance(seed).branch('changed');
      const operations = [...runOf(chance, 7, 3)];
      const changed = chance.below(operations.length);
      const { operation } = operations[changed]!;
      if (operation.kind !== 'conflict') {
        const version = Math.max(1, operation.version + chance.pick([-2, -1, 1, 2]));
        operations[changed] = { ...operations[changed]!, operation: { ...operation, version } };
      }
      const expected = bruteForce(operations) ? 'linearizable' : 'not-linearizable';
      answers[expected] += 1;
      expect({ seed, answer: judged(operations) }).toEqual({ seed, answer: expected });
    }
    expect(answers.linearizable).toBeGreaterThan(50);
    expect(answers['not-linearizable']).toBeGreaterThan(50);
  });
});
