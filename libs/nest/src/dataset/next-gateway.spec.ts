import { describe, expect, test } from '@jest/globals';
import {
  ANSWERING,
  isMisplaced,
  nextGateway,
  presentGateway,
  shareMs,
  standingAfter,
  standingWhileAsked,
  type Attempt,
  type Choice,
  type Standing,
} from './next-gateway.js';

const NOW_MS = 50_000;
const failed = (changes: Partial<Standing & { kind: 'failed' }> = {}): Standing => ({
  kind: 'failed',
  forMs: 1_000,
  untilMs: NOW_MS + 1,
  isTried: false,
  ...changes,
});
const due = failed({ untilMs: NOW_MS });
const up = ANSWERING;
const met = (gateway: number, how: Attempt['met']): Attempt => ({ gateway, met: how });

const next = (standings: readonly Standing[], attempts: readonly Attempt[] = []): Choice | null =>
  nextGateway({ standings, attempts, nowMs: NOW_MS });

describe('the gateway that is asked next', () => {
  test.each([
    ['the nearest that answers', [up, up, up], [], 0],
    ['not one that failed just now', [failed(), up, up], [], 1],
    ['one whose time is over', [due, up], [], 0],
    ['not one that another call tries already', [failed({ untilMs: 0, isTried: true }), up], [], 1],
    ['each once', [up, up, up], [met(0, 'failed')], 1],
    ['another where the region is behind', [up, up, up], [met(0, 'behind'), met(1, 'behind')], 2],
    ['one that failed rather than nobody', [failed(), failed({ isTried: true })], [], 0],
    ['one that failed rather than nobody, of those not asked', [failed(), up], [met(1, 'failed')], 0],
    ['nobody when all failed', [failed(), failed()], [met(0, 'failed'), met(1, 'failed')], null],
    [
      'the one that was behind, when the others failed since',
      [up, failed()],
      [met(0, 'behind'), met(1, 'failed')],
      0,
    ],
    [
      'nobody when the last was behind: it had all of the time',
      [failed(), up],
      [met(0, 'failed'), met(1, 'behind')],
      null,
    ],
    ['nobody a third time', [up, failed()], [met(0, 'behind'), met(1, 'failed'), met(0, 'failed')], null],
  ] as const)('is %s', (_title, standings, attempts, expected) => {
    expect(next(standings, attempts)?.gateway ?? null).toBe(expected);
  });

  test('is tried by one call', () => {
    const choice = next([due, up])!;
    expect(choice.isTrial).toBe(true);
    const tried = standingWhileAsked(due, choice);
    expect(next([tried, up])).toMatchObject({ gateway: 1, isTrial: false });
  });

  test('is the last when nobody is left after it', () => {
    expect(next([up, up])?.isLast).toBe(false);
    expect(next([up, up], [met(0, 'failed')])?.isLast).toBe(true);
    expect(next([failed(), up])?.isLast).toBe(true);
    expect(next([up, due])?.isLast).toBe(false);
    expect(next([failed(), failed()])?.isLast).toBe(false);
    expect(next([up, failed()], [met(0, 'behind'), met(1, 'failed')])?.isLast).toBe(true);
  });
});

describe('of the time that is left', () => {
  test.each([
    ['a write gets all', 'write', false, 10_000],
    ['a receipt is waited for as long as asked', 'receipt', false, 10_000],
    ['a read leaves half to the others', 'read', false, 5_000],
    ['the last read gets all', 'read', true, 10_000],
    ['a region that is behind is waited for shortly', 'read-behind-token', false, 500],
    ['the last one that may be behind gets all', 'read-behind-token', true, 10_000],
  ] as const)('%s', (_title, kind, isLast, expected) => {
    expect(shareMs({ kind, isLast, leftMs: 10_000 })).toBe(expected);
  });

  test('even a short wait leaves half', () => {
    expect(shareMs({ kind: 'read-behind-token', isLast: false, leftMs: 300 })).toBe(150);
  });
});

describe('after a call', () => {
  const plain: Choice = { gateway: 0, isLast: false, isTrial: false };
  const trial: Choice = { ...plain, isTrial: true };
  const after = (
    asked: Standing,
    present: Standing,
    how: 'answered' | 'failed' | 'behind',
    choice = plain,
  ): Standing => standingAfter({ asked, choice, met: how, nowMs: NOW_MS, present });

  test('that failed, the gateway is passed over for a second', () => {
    expect(after(up, up, 'failed')).toEqual(failed({ untilMs: NOW_MS + 1_000 }));
  });

  test('that tried it and failed, for twice as long, to a bound', () => {
    const tried = failed({ isTried: true, forMs: 4_000 });
    expect(after(due, tried, 'failed', trial)).toEqual(failed({ forMs: 8_000, untilMs: NOW_MS + 8_000 }));
    const long = failed({ isTried: true, forMs: 20_000 });
    expect(after(due, long, 'failed', trial)).toMatchObject({ forMs: 30_000 });
  });

  test('that was under way when it failed, for no longer than that', () => {
    const present = failed({ isTried: true });
    expect(after(up, present, 'failed')).toBe(present);
    expect(after(up, present, 'answered')).toBe(present);
  });

  test.each(['answered', 'behind'] as const)('that was sent after it failed and %s, it is back', (how) => {
    expect(after(due, failed({ isTried: true }), how, trial)).toBe(ANSWERING);
    expect(after(failed(), failed(), how)).toBe(ANSWERING);
  });
});

describe('calls and feeds', () => {
  test.each([
    ['go to the nearest', [up, up], 0],
    ['go to the next while it failed, also when its time is over', [due, up], 1],
    ['go nowhere known when all failed', [failed(), due], null],
  ] as const)('%s', (_title, standings, expected) => {
    expect(presentGateway(standings)).toBe(expected);
  });

  test('a feed is misplaced at a gateway that failed, and at one that is farther than another that answers', () => {
    expect(isMisplaced(0, [up, up])).toBe(false);
    expect(isMisplaced(1, [failed(), up])).toBe(false);
    expect(isMisplaced(1, [up, up])).toBe(true);
    expect(isMisplaced(0, [failed(), up])).toBe(true);
    expect(isMisplaced(0, [failed(), failed()])).toBe(true);
  });
});
