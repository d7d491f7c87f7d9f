/** An undone entry goes out again only while the log certainly remembers its key, and is settled by what was told. */
import { describe, expect, test } from '@jest/globals';
import { DEFAULT_LIMITS, DEFAULT_RETENTION } from '../configuration/content.js';
import { sequence, type KeyHash, type ShardName } from '../identity/identity.js';
import { decideDiscard, decideReapply, settlementOf, type UndoneEntry } from './undone.js';

const MEMORY = { limits: DEFAULT_LIMITS, retention: DEFAULT_RETENTION };
const REMEMBERED_MS = DEFAULT_RETENTION.outcomesMs - DEFAULT_LIMITS.notAfterAheadMsMax;
const STORED_MS = 1_000_000;
const ASKED = { atMs: 2_000_000, by: 'anna' };
const SETTLED = { as: 'discarded', why: 'saved anew', sequence: null, atMs: 3_000_000, by: 'anna' } as const;
const LONG_AFTER_MS = STORED_MS + 10 * DEFAULT_RETENTION.outcomesMs;

const undone = (more: Partial<UndoneEntry> = {}): UndoneEntry => ({
  number: 1n,
  shard: 'orders/0' as ShardName,
  key: 'k' as KeyHash,
  idempotencyKey: 'k-1',
  firstKey: 'eu:ann',
  reason: 'fenced',
  storedAtMs: STORED_MS,
  sequence: sequence(8n),
  asked: null,
  settled: null,
  outcome: null,
  ...more,
});
const bound = (verdict: 'accepted' | 'schema') => ({ verdict, sequence: sequence(12n) });

describe('to apply it again', () => {
  test('what a fence undid and nobody asked for goes out, however late', () => {
    expect(decideReapply(undone(), LONG_AFTER_MS, MEMORY)).toEqual({ kind: 'send' });
  });

  test('what was asked for goes out again while its key is remembered, and never after', () => {
    const entry = undone({ asked: ASKED });
    expect(decideReapply(entry, ASKED.atMs + REMEMBERED_MS - 1, MEMORY)).toEqual({ kind: 'send' });
    expect(decideReapply(entry, ASKED.atMs + REMEMBERED_MS, MEMORY)).toEqual({ kind: 'too-late' });
  });

  test.each(['schema', 'undone-before'] as const)(
    'what was undone at home (%s) may stand since it was stored',
    (reason) => {
      const entry = undone({ reason });
      expect(decideReapply(entry, STORED_MS + REMEMBERED_MS - 1, MEMORY)).toEqual({ kind: 'send' });
      expect(decideReapply(entry, STORED_MS + REMEMBERED_MS, MEMORY)).toEqual({ kind: 'too-late' });
    },
  );

  test.each([
    ['accepted', 'accepted'],
    ['schema', 'rejected'],
  ] as const)('a key that is bound to %s settles it as %s, without another try', (verdict, as) => {
    const entry = undone({ asked: ASKED, outcome: bound(verdict) });
    const settlement = { as, why: verdict, sequence: 12n };
    expect(decideReapply(entry, LONG_AFTER_MS, MEMORY)).toEqual({ kind: 'settle', settlement });
  });

  test('what is settled stays so', () => {
    const entry = undone({ settled: SETTLED, outcome: bound('accepted') });
    expect(decideReapply(entry, 0, MEMORY)).toEqual({ kind: 'settled', settled: SETTLED });
  });
});

describe('to discard it', () => {
  test('nobody asked for it: discarded', () => {
    expect(decideDiscard(undone(), 0, MEMORY)).toEqual({ kind: 'discard' });
  });

  test('one that has its effect is not discarded; one that the log rejected is', () => {
    expect(decideDiscard(undone({ outcome: bound('accepted') }), 0, MEMORY)).toEqual({
      kind: 'stands',
      sequence: 12n,
    });
    expect(decideDiscard(undone({ asked: ASKED, outcome: bound('schema') }), 0, MEMORY)).toEqual({
      kind: 'discard',
    });
  });

  test('one that may have its effect waits until asking tells, or cannot tell any more', () => {
    const entry = undone({ asked: ASKED });
    expect(decideDiscard(entry, ASKED.atMs + REMEMBERED_MS - 1, MEMORY)).toEqual({ kind: 'may-stand' });
    expect(decideDiscard(entry, ASKED.atMs + REMEMBERED_MS, MEMORY)).toEqual({ kind: 'discard' });
  });

  test('what is settled stays so', () => {
    const settled = { ...SETTLED, ...settlementOf('accepted', sequence(12n)) };
    expect(decideDiscard(undone({ settled }), 0, MEMORY)).toEqual({ kind: 'settled', settled });
  });
});
