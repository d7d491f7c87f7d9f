/** Which writes a new home holds back, and until when. */
import { describe, expect, test } from '@jest/globals';
import { EU, SHARD, US } from '../control/control.fixture.js';
import { epoch } from '../identity/identity.js';
import { isTakenFirst, openingBy, type OpeningShard } from './opening.js';
import { OPEN_STAGES } from './promotion-machine.js';
import type { OpenMove } from '../control/state.js';

const KEYS = Array.from({ length: 2_000 }, (_, index) => `eu:order-${index}`);
const moveAt = (stage: OpenMove['stage'], change: Partial<OpenMove> = {}): OpenMove =>
  ({ shard: SHARD, from: EU, to: US, expectedEpoch: epoch(1n), stage, ...change }) as OpenMove;
const AS_NEW_HOME: OpeningShard = { shard: SHARD, home: US, epoch: epoch(2n), openFirst: 10 };

const isHeld = (move: OpenMove, change: Partial<OpeningShard> = {}): boolean =>
  openingBy({ open: [move] }, { ...AS_NEW_HOME, ...change }) !== null;

describe('a new home holds writes back', () => {
  test('from when it owns its epoch until the move is open', () => {
    const holding = OPEN_STAGES.filter((stage) => isHeld(moveAt(stage)));
    expect(holding).toEqual(['fencing', 'withdrawing', 'fenced', 'folded', 'canary', 'share']);
  });

  test.each<[string, OpenMove, Partial<OpeningShard>]>([
    ['the dataset opens a new home at once', moveAt('share'), { openFirst: null }],
    ['it has not folded its fence', moveAt('fencing'), { epoch: epoch(1n), home: EU }],
    ['the move is of another epoch', moveAt('share'), { epoch: epoch(3n) }],
    ['the move is to another region', moveAt('share', { to: EU }), {}],
    ['the move is of another shard', moveAt('share', { shard: 'orders/9' as never }), {}],
  ])('and none where %s', (_why, move, change) => {
    expect(isHeld(move, change)).toBe(false);
  });

  test('and none where the control log is not read', () => {
    expect(openingBy(null, AS_NEW_HOME)).toBeNull();
  });
});

describe('of what it holds back it takes', () => {
  const taken = (perCent: number): readonly string[] =>
    KEYS.filter((key) => isTakenFirst(moveAt('share'), [key], perCent));

  test.each([1, 10, 50, 99])('about %d %% of the keys at that stage', (perCent) => {
    const share = taken(perCent).length / KEYS.length;
    expect(Math.abs(share - perCent / 100)).toBeLessThan(0.04);
  });

  test('with a larger share all keys of a smaller one', () => {
    const more = new Set(taken(50));
    expect(taken(10).every((key) => more.has(key))).toBe(true);
  });

  test('nothing before its probe is at quorum', () => {
    expect(KEYS.some((key) => isTakenFirst(moveAt('canary'), [key], 99))).toBe(false);
  });

  test('a write of several keys when all are of the share', () => {
    const [first] = taken(10);
    const other = KEYS.find((key) => !isTakenFirst(moveAt('share'), [key], 10))!;
    expect(isTakenFirst(moveAt('share'), [first!, first!], 10)).toBe(true);
    expect(isTakenFirst(moveAt('share'), [first!, other], 10)).toBe(false);
  });
});
