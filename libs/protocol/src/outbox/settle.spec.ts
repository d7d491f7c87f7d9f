import { describe, expect, test } from '@jest/globals';
import type { KeyHash, RegionName } from '../identity/identity.js';
import type { FoldedEntry } from '../fold/fold.js';
import { VERDICTS, type Verdict } from '../fold/verdict.js';
import { outboxFacts, outboxFate, settleOutbox, undoesAny, type PendingEntry } from './settle.js';

const EU = 'eu' as RegionName;
const US = 'us' as RegionName;

const pending = (id: number, ...rows: readonly string[]): PendingEntry => ({
  id: BigInt(id),
  key: `key ${id}` as KeyHash,
  rows,
});

const rejected = (id: number, verdict: Verdict = 'schema') =>
  ({ key: `key ${id}` as KeyHash, fate: 'undone', verdict }) as const;
const accepted = (id: number) =>
  ({ key: `key ${id}` as KeyHash, fate: 'confirmed', verdict: 'accepted' }) as const;

describe('the fate of an entry of the outbox', () => {
  test('every verdict that binds or refuses it ends it, and one that judges the attempt leaves it pending', () => {
    const fates = Object.fromEntries(VERDICTS.map((verdict) => [verdict, outboxFate(verdict, null)]));
    expect(fates).toEqual({
      malformed: 'undone',
      forged: 'pending',
      superseded: 'pending',
      duplicate: 'pending',
      hole: 'pending',
      repeated: 'undone',
      'key-reused': 'undone',
      fenced: 'pending',
      'not-owner': 'pending',
      expired: 'undone',
      schema: 'undone',
      policy: 'undone',
      'version-conflict': 'undone',
      guard: 'undone',
      accepted: 'confirmed',
    });
  });

  test('a repeated one has the fate of the first', () => {
    expect(outboxFate('repeated', { verdict: 'accepted' })).toBe('confirmed');
    expect(outboxFate('repeated', { verdict: 'expired' })).toBe('undone');
  });
});

describe('settling', () => {
  test('an accepted entry is confirmed and leaves the others alone', () => {
    const settled = settleOutbox([pending(1, 'a'), pending(2, 'a')], {
      judged: [accepted(1)],
      leaves: false,
    });
    expect(settled).toEqual({ confirmed: [1n], undone: [] });
  });

  test('a rejected entry takes later ones of its rows along, over rows that they share, the latest first', () => {
    const entries = [
      pending(1, 'b'),
      pending(2, 'a'),
      pending(3, 'a', 'b'),
      pending(4, 'c'),
      pending(5, 'b', 'd'),
      pending(6, 'd'),
    ];
    expect(settleOutbox(entries, { judged: [rejected(2)], leaves: false })).toEqual({
      confirmed: [],
      undone: [
        { id: 6n, reason: 'undone-before' },
        { id: 5n, reason: 'undone-before' },
        { id: 3n, reason: 'undone-before' },
        { id: 2n, reason: 'schema' },
      ],
    });
  });

  test('what was undone stays undone though the log accepts it later, in this batch or in the next', () => {
    const entries = [pending(1, 'a'), pending(2, 'a')];
    const together = settleOutbox(entries, { judged: [rejected(1), accepted(2)], leaves: false });
    const alone = settleOutbox(entries, { judged: [rejected(1)], leaves: false });
    expect(together).toEqual(alone);
    expect(together.undone.map(({ id }) => id)).toEqual([2n, 1n]);
  });

  test('an entry that was accepted before keeps its effect when the next one is rejected', () => {
    const entries = [pending(1, 'a'), pending(2, 'a'), pending(3, 'a')];
    expect(settleOutbox(entries, { judged: [accepted(1), rejected(2)], leaves: false })).toEqual({
      confirmed: [1n],
      undone: [
        { id: 3n, reason: 'undone-before' },
        { id: 2n, reason: 'schema' },
      ],
    });
  });

  test('when the shard leaves, everything that was not decided before is undone', () => {
    const entries = [pending(1, 'a'), pending(2, 'b'), pending(3, 'a')];
    expect(settleOutbox(entries, { judged: [accepted(1)], leaves: true })).toEqual({
      confirmed: [1n],
      undone: [
        { id: 3n, reason: 'fenced' },
        { id: 2n, reason: 'fenced' },
      ],
    });
  });

  test('keys that are not in the outbox mean nothing to it', () => {
    expect(settleOutbox([pending(1, 'a')], { judged: [rejected(9), accepted(8)], leaves: false })).toEqual({
      confirmed: [],
      undone: [],
    });
  });
});

describe('what a batch means to the outbox', () => {
  const at = (home: RegionName, hasOutbox = true) => ({ home, hasOutbox });
  const data = (key: string | null, verdict: Verdict): FoldedEntry =>
    ({
      verdict,
      first: null,
      entry: { kind: 'data', header: { kind: 'data', idempotency: key === null ? null : { key } } },
    }) as unknown as FoldedEntry;
  const fence = (home: RegionName, verdict: Verdict): FoldedEntry =>
    ({
      verdict,
      first: null,
      entry: { kind: 'control', header: { kind: 'fence' }, body: { kind: 'fence', home } },
    }) as unknown as FoldedEntry;

  test('nothing where the region neither was nor becomes the home', () => {
    expect(outboxFacts([data('k', 'accepted')], at(US), at(US), EU)).toBeNull();
  });

  test('keys that were decided, in the order of the log', () => {
    const folded = [data('a', 'accepted'), data('b', 'hole'), data(null, 'accepted'), data('c', 'expired')];
    expect(outboxFacts(folded, at(EU), at(EU), EU)).toEqual({
      owned: true,
      leaves: false,
      judged: [
        { key: 'a', fate: 'confirmed', verdict: 'accepted' },
        { key: 'c', fate: 'undone', verdict: 'expired' },
      ],
    });
  });

  test('a fence to another region leaves, also when the shard comes back in the same batch', () => {
    const there = outboxFacts([fence(US, 'accepted')], at(EU), at(US), EU)!;
    const andBack = outboxFacts([fence(US, 'accepted'), fence(EU, 'accepted')], at(EU), at(EU), EU)!;
    expect([there.leaves, there.owned]).toEqual([true, false]);
    expect([andBack.leaves, andBack.owned]).toEqual([true, true]);
    expect(undoesAny(andBack)).toBe(true);
  });

  test('where the configuration takes the outbox away, what is pending is undone and nothing more is let in', () => {
    const facts = outboxFacts([data('a', 'accepted')], at(EU), at(EU, false), EU)!;
    expect(facts).toMatchObject({ owned: false, leaves: true });
    expect(outboxFacts([], at(EU, false), at(EU, false), EU)).toBeNull();
    expect(outboxFacts([], at(EU, false), at(EU), EU)).toEqual({ owned: true, leaves: false, judged: [] });
  });

  test('a fence that lost changes nothing', () => {
    const facts = outboxFacts([fence(US, 'superseded')], at(EU), at(EU), EU)!;
    expect(facts).toEqual({ owned: true, leaves: false, judged: [] });
    expect(undoesAny(facts)).toBe(false);
  });
});
