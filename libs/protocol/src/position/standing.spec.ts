/** A store that went back is found out by what its region told before, and votes again when it has proved itself (I12). */
import { describe, expect, test } from '@jest/globals';
import { hashFromHex } from '../entry/digest.js';
import { EMPTY_STATE } from '../fold/fold.fixture.js';
import type { Cursor } from '../fold/state.js';
import {
  sequence,
  type LogIncarnation,
  type RegionName,
  type Sequence,
  type ShardName,
  type StoreIncarnation,
} from '../identity/identity.js';
import type { RecordedWatermark } from './recorded-watermark.js';
import {
  COUNTS,
  judgeStore,
  recordsUntilProof,
  standingAfter,
  withheldBy,
  type Standing,
} from './standing.js';

const id = (digit: string): string => digit.repeat(32);
const OWN = id('1') as StoreIncarnation;
const OTHER = id('2') as StoreIncarnation;
/** A life before, and one of the same generation. */
const FORMER = id('0') as StoreIncarnation;
const TWIN = `${OWN.slice(0, 8)}${'9'.repeat(24)}` as StoreIncarnation;
const LOG = id('a') as LogIncarnation;
const place = (at: number): Sequence => sequence(BigInt(at));
const hash = (history: string, at: number): string => `${history}${at}`.padEnd(32, '0');

const cursorAt = (at: number, history = 'a'): Cursor => ({
  ...EMPTY_STATE.cursor,
  sequence: place(at),
  logIncarnation: at === 0 ? null : LOG,
  inputHash: hashFromHex(hash(history, at)),
  effectsHash: hashFromHex(hash(history, at)),
});
const told = (
  by: StoreIncarnation,
  at: number,
  history = 'a',
  log = LOG,
  withheld: RecordedWatermark['withheld'] = null,
): RecordedWatermark => ({
  region: 'eu' as RegionName,
  shard: 'accounts/0' as ShardName,
  storeIncarnation: by,
  logIncarnation: log,
  sequence: place(at),
  inputHash: hash(history, at),
  effectsHash: hash(history, at),
  withheld,
});
const toldUnverified = (by: StoreIncarnation, at: number, history = 'a'): RecordedWatermark =>
  told(by, at, history, LOG, 'unverified');
const toldDiverged = (by: StoreIncarnation, at: number, history = 'b'): RecordedWatermark =>
  told(by, at, history, LOG, 'diverged');
const unverified = (until: number, next = until): Standing => ({
  kind: 'unverified',
  until: place(until),
  next: place(next),
});
const ANOTHER_LOG = id('b') as LogIncarnation;

describe('a store', () => {
  test.each<[string, Cursor, readonly RecordedWatermark[], Standing, boolean]>([
    ['counts when nothing was told before', cursorAt(5), [], COUNTS, false],
    ['counts where it stands as told', cursorAt(5), [told(OWN, 5)], COUNTS, false],
    ['counts ahead of what was copied', cursorAt(9), [told(OWN, 5)], COUNTS, false],
    ['went back when it lacks what it told', cursorAt(5), [told(OWN, 9)], unverified(9), true],
    [
      'went back when another life has spoken since, wherever it stands',
      cursorAt(9),
      [told(OWN, 5), told(OTHER, 7)],
      COUNTS,
      true,
    ],
    [
      'that took the place of a lost one begins a new life, and must fold as far as that one was',
      cursorAt(1),
      [told(TWIN, 7)],
      unverified(7),
      true,
    ],
    [
      'in its new life must fold as far as the lives before',
      cursorAt(1),
      [told(FORMER, 7)],
      unverified(7),
      false,
    ],
    [
      'is measured by the highest place, whoever told it',
      cursorAt(5),
      [told(OTHER, 20), told(OWN, 9)],
      unverified(20, 9),
      true,
    ],
    [
      'diverged when it has other hashes at the same place',
      cursorAt(5, 'b'),
      [told(OWN, 5)],
      { kind: 'diverged', at: place(5) },
      false,
    ],
    [
      'proves nothing by what it told itself while its vote was withheld',
      cursorAt(7, 'b'),
      [told(FORMER, 7), toldUnverified(OWN, 7, 'b')],
      { kind: 'diverged', at: place(7) },
      false,
    ],
    [
      'that has diverged stays so when it is taken up again, however far it has folded',
      cursorAt(11, 'b'),
      [told(FORMER, 7), toldDiverged(OWN, 9)],
      { kind: 'diverged', at: place(9) },
      false,
    ],
    [
      'that is a copy of one that had diverged is found by what that one told',
      cursorAt(9, 'b'),
      [told(FORMER, 7), toldDiverged(FORMER, 9)],
      { kind: 'diverged', at: place(9) },
      false,
    ],
    [
      'in place of one that had diverged counts when it has what was told before that one, and not what that one told',
      cursorAt(9),
      [told(FORMER, 7), toldDiverged(FORMER, 9)],
      COUNTS,
      false,
    ],
    [
      'is compared at every place on its way',
      cursorAt(5),
      [toldDiverged(FORMER, 9), told(FORMER, 7)],
      unverified(9, 7),
      false,
    ],
    ['owes nothing to another life of the log', cursorAt(5), [told(OWN, 9, 'a', ANOTHER_LOG)], COUNTS, false],
    ['that is empty is judged when its log has a name', cursorAt(0), [told(FORMER, 9)], COUNTS, false],
  ])('%s', (_, cursor, before, standing, wentBack) => {
    expect(judgeStore(cursor, OWN, before)).toEqual({ standing, wentBack });
  });
});

describe('after folding on', () => {
  const before = [told(OTHER, 7)];

  test.each<[string, Standing, Cursor, Cursor, Standing]>([
    ['short of the place the vote stays withheld', unverified(7), cursorAt(3), cursorAt(6), unverified(7)],
    ['at the place with the same hashes the vote counts', unverified(7), cursorAt(3), cursorAt(7), COUNTS],
    [
      'at the place with other hashes it has diverged',
      unverified(7),
      cursorAt(3),
      cursorAt(7, 'b'),
      { kind: 'diverged', at: place(7) },
    ],
    [
      'who has diverged stays so',
      { kind: 'diverged', at: place(7) },
      cursorAt(7, 'b'),
      cursorAt(8, 'b'),
      { kind: 'diverged', at: place(7) },
    ],
    ['an empty store learns at genesis how far it must go', COUNTS, cursorAt(0), cursorAt(1), unverified(7)],
    ['who counts goes on counting', COUNTS, cursorAt(8), cursorAt(9), COUNTS],
  ])('%s', (_, standing, from, to, expected) => {
    expect(standingAfter(standing, from, to, OWN, before)).toEqual(expected);
  });

  test('a batch ends where the hashes are compared', () => {
    expect(recordsUntilProof(unverified(7), cursorAt(3))).toBe(4);
    expect(recordsUntilProof(unverified(7, 5), cursorAt(3))).toBe(2);
    expect(recordsUntilProof(COUNTS, cursorAt(3))).toBeNull();
  });

  test('why a vote is withheld is named, with what ends it', () => {
    expect(withheldBy(COUNTS)).toBeNull();
    expect(withheldBy(unverified(7))).toMatchObject({
      code: 'unverified',
      detail: expect.stringContaining('sequence 7'),
    });
    expect(withheldBy({ kind: 'diverged', at: place(7) })).toMatchObject({ code: 'diverged' });
  });
});
