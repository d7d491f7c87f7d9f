/** What happened: the time line leaves gaps where nothing is known, and decisions tell who decided and from what. */
import { describe, expect, test } from '@jest/globals';
import type { Governed } from '../facts.js';
import { decisionItems } from './decision-items.js';
import { at, canaries, decision } from './facts.fixture.js';
import { mergedCanaries, sinceOf } from './merged-canaries.js';
import { timeLine, WINDOW_MS } from './time-line.js';
import { agoWords, clockWords, durationWords } from './words.js';

const NOW_MS = Date.parse(at(60));
const EVERYTHING = { by: 'all', sinceMs: null } as const;
const held: Governed = {
  decision: 95,
  act: 'held',
  region: 'eu',
  at: at(30),
  votes: [{ observer: 'us', kinds: ['canary'], evidence: '3 canaries failed', at: at(29) }],
  checks: [{ code: 'paused', passed: false, detail: 'all is paused' }],
  shards: [],
};

describe('the time line', () => {
  test('has a line for each other region, and a gap where no canary was sent', () => {
    const told = canaries('eu', { eu: [], us: [10, null, 12], ap: [20, null, 22] });
    const line = timeLine({ canaries: told, decisions: null, history: null, ruleChanges: null }, NOW_MS);
    expect(line.regions).toEqual(['us', 'ap']);
    const [seconds, us, ap, share] = line.data;
    expect(seconds).toHaveLength(3);
    expect([us, ap, share]).toEqual([
      [10, null, 12],
      [20, null, 22],
      [0, null, 0],
    ]);
  });

  test('tells the share of all canaries that had no good answer', () => {
    const told = canaries('eu', { us: [10], ap: [20] });
    const regions = told.regions.map((one, index) => ({
      ...one,
      slices: one.slices.map((slice) =>
        index === 0 ? { ...slice, answered: 1, failed: 2, refused: 1 } : slice,
      ),
    }));
    const facts = { canaries: { ...told, regions }, decisions: null, history: null, ruleChanges: null };
    expect(timeLine(facts, NOW_MS).data[3]).toEqual([37.5]);
  });

  test('is empty where nothing is known, and shows no more than its window', () => {
    const nothing = { canaries: null, decisions: null, history: null, ruleChanges: null };
    expect(timeLine(nothing, NOW_MS)).toMatchObject({ regions: [], data: [[], []], events: [] });
    const old = {
      ...nothing,
      canaries: canaries('eu', { us: [10] }),
      decisions: { decisions: [decision()], governed: [] },
    };
    expect(timeLine(old, NOW_MS + WINDOW_MS + 60_000)).toMatchObject({ data: [[], [], []], events: [] });
  });

  test('carries elections, decisions, what the automation looked at, ends and rule changes, newest first', () => {
    const { events } = timeLine(
      {
        canaries: null,
        decisions: {
          decisions: [
            decision(),
            decision({
              decision: 96,
              outcome: null,
              stages: [{ stage: 'decided', sequence: 96, at: at(40) }],
            }),
          ],
          governed: [held],
        },
        history: { terms: [{ term: 2, leader: 'us', at: at(5), because: 'silent' }] },
        ruleChanges: { changes: [{ at: at(20), shard: 'accounts/0', rule: 'all', before: 'majority' }] },
      },
      NOW_MS,
    );
    expect(events.map(({ kind }) => kind)).toEqual([
      'decision',
      'automation',
      'rule change',
      'end of a move',
      'decision',
      'election',
    ]);
    expect(events[3]!.text).toBe('accounts/0: done, no writes for 75 ms');
  });
});

test('the time line in words never tells an old latency as a present one', () => {
  const summaryOf = (told: ReturnType<typeof canaries> | null): string =>
    timeLine({ canaries: told, decisions: null, history: null, ruleChanges: null }, NOW_MS).summary;
  expect(summaryOf(canaries('eu', { us: [10, null, null, null], ap: [20, 20, 20, 21] }))).toBe(
    'Latency as last measured: us no answer that is recent, ap 21 ms. Highest share without a good answer: 0 %.',
  );
  expect(summaryOf(null)).toContain('unknown');
});

describe('canaries that were told in parts', () => {
  test('are one row of slices, and what grew replaces what was told before', () => {
    const before = canaries('eu', { us: [10, 11] });
    const grown = { ...before.regions[0]!.slices[1]!, answered: 9 };
    const next = { ...before, regions: [{ region: 'us', slices: [grown, { ...grown, at: at(60) }] }] };
    expect(mergedCanaries(before, next).regions[0]!.slices.map(({ answered }) => answered)).toEqual([
      4, 9, 9,
    ]);
    expect(mergedCanaries(null, next)).toEqual(next);
  });

  test('are asked for with an overlap, and forgotten beyond the window', () => {
    const before = canaries('eu', { us: [10] });
    expect(sinceOf(null)).toBeNull();
    expect(sinceOf(before)).toBe(at(50));
    const later = { ...before, at: at(60 + WINDOW_MS / 1_000), regions: [{ region: 'us', slices: [] }] };
    expect(mergedCanaries(before, later).regions[0]!.slices).toEqual([]);
  });
});

describe('decisions', () => {
  const told = {
    decisions: [decision(), decision({ decision: 94, actor: 'governor', outcome: null, stage: 'fenced' })],
    governed: [held],
  };

  test('are newest first, and tell who decided', () => {
    expect(decisionItems(told, EVERYTHING).map(({ by, number, tone }) => [number, by, tone])).toEqual([
      [95, 'automation', 'unknown'],
      [94, 'automation', 'warning'],
      [93, 'person', 'well'],
    ]);
  });

  test('of the automation in the last minute can be asked for', () => {
    const since = { by: 'automation', sinceMs: NOW_MS - 40_000 } as const;
    expect(decisionItems(told, since).map(({ number }) => number)).toEqual([95]);
  });

  test('tell what held the automation back, and every input', () => {
    const [first] = decisionItems(told, EVERYTHING);
    expect(first?.why).toBe('Held back by paused (all is paused)');
    expect(first?.inputs).toEqual([
      ['Vote of us', 'canary: 3 canaries failed'],
      ['Check paused', 'NOT met: all is paused'],
    ]);
  });

  test('tell prediction and result, and never a loss that is unknown as none', () => {
    const predicted = {
      entriesLost: null,
      atRisk: { logged: null, accepted: 3, quorum: 0 },
      recordsToFold: 0,
      expectedMs: 60,
      worstMs: 90,
      measuredMoves: 2,
    };
    const [item] = decisionItems(
      { decisions: [decision({ predicted, real: { gapMs: null, entriesLost: 2 } })], governed: [] },
      EVERYTHING,
    );
    const inputs = new Map(item!.inputs);
    expect(inputs.get('Said before')).toContain(
      'what is lost is unknown; no writes for 60 ms, 90 ms at worst',
    );
    expect(inputs.get('Came')).toBe('2 entries LOST; no writes for unknown');
    expect(inputs.get('Stages')).toBe('decided, done +1 s');
  });
});

test.each([
  [null, 'unknown'],
  [0.44, '0.4 ms'],
  [62.4, '62 ms'],
  [4_400, '4 s'],
  [600_000, '10 min'],
  [36_000_000, '10 h'],
])('a duration of %s is %s', (ms, words) => {
  expect(durationWords(ms)).toBe(words);
});

test('times are told in UTC, and never as in the future', () => {
  expect(clockWords(at(5))).toBe('12:00:05');
  expect(agoWords(at(50), NOW_MS)).toBe('10 s ago');
  expect(agoWords(at(70), NOW_MS)).toBe('0 ms ago');
});
