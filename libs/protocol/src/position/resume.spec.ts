/** May a region go on from its cursor? Every way a log can have changed under it, by name; nothing is skipped (I4). */
import { describe, expect, test } from '@jest/globals';
import { EMPTY_STATE, LogBuilder, opened } from '../fold/fold.fixture.js';
import type { Cursor } from '../fold/state.js';
import { NO_OFFSET, offset } from '../identity/identity.js';
import { decideResume, type LogObservation } from './resume.js';

const { records } = new LogBuilder()
  .genesis()
  .data([opened()])
  .data([opened('eu:bob')]);
const cursorAt = (at: bigint): Cursor => ({
  ...EMPTY_STATE.cursor,
  offset: offset(at),
  recordDigest: records[Number(at)]?.digest ?? EMPTY_STATE.cursor.recordDigest,
});
const seen = (start: bigint, end: bigint, record: number | null): LogObservation => ({
  startOffset: offset(start),
  endOffset: offset(end),
  record: record === null ? null : records[record]!,
});
const FRESH: Cursor = { ...EMPTY_STATE.cursor, offset: NO_OFFSET };

describe('a region goes on', () => {
  test.each<[string, Cursor, LogObservation, bigint]>([
    ['at the first record of an empty log', FRESH, seen(0n, 0n, null), 0n],
    ['at the first record of a log that holds some', FRESH, seen(0n, 3n, 0), 0n],
    ['after the record that it folded last', cursorAt(1n), seen(0n, 3n, 1), 2n],
    ['at the end of the log', cursorAt(2n), seen(0n, 3n, 2), 3n],
    ['where the log begins with the record that it folded last', cursorAt(1n), seen(1n, 3n, 1), 2n],
    ['where retention took exactly what it has folded', cursorAt(1n), seen(2n, 3n, 2), 2n],
    ['where retention took everything, all of it folded', cursorAt(2n), seen(3n, 3n, null), 3n],
  ])('%s', (_, cursor, log, from) => {
    expect(decideResume(cursor, log)).toEqual({ kind: 'resume', from });
  });
});

describe('a region halts, and says what an operator does next', () => {
  test.each<[string, Cursor, LogObservation, string, RegExp]>([
    [
      'retention took a record that it needs',
      cursorAt(0n),
      seen(2n, 3n, 2),
      'retention-overrun',
      /begins at offset 2, this region needs 1.*rebuild/,
    ],
    [
      'a region without a cursor meets a log whose beginning is gone',
      FRESH,
      seen(1n, 3n, 1),
      'retention-overrun',
      /begins at offset 1, this region needs 0/,
    ],
    [
      'the log ends before its cursor',
      cursorAt(2n),
      seen(0n, 2n, null),
      'log-truncated',
      /ends at offset 2, this region has folded 2/,
    ],
    ['the log is empty', cursorAt(0n), seen(0n, 0n, null), 'log-truncated', /ends at offset 0/],
    [
      'another record stands at its cursor',
      { ...cursorAt(1n), recordDigest: records[2]!.digest },
      seen(0n, 3n, 1),
      'log-replaced',
      /record at offset 1 is not the one/,
    ],
    [
      'no record stands at its cursor, a later one does',
      cursorAt(1n),
      seen(0n, 3n, 2),
      'log-replaced',
      /record at offset 1/,
    ],
    [
      'no record stands at its cursor or later',
      cursorAt(1n),
      seen(0n, 3n, null),
      'log-replaced',
      /record at offset 1/,
    ],
  ])('%s', (_, cursor, log, code, detail) => {
    expect(decideResume(cursor, log)).toEqual({
      kind: 'halt',
      halt: { code, detail: expect.stringMatching(detail) },
    });
  });

  test('a record with the same digest at another offset is not the same record', () => {
    const moved = { ...records[1]!, offset: offset(2n) };
    expect(decideResume(cursorAt(1n), { ...seen(0n, 4n, null), record: moved })).toMatchObject({
      halt: { code: 'log-replaced' },
    });
  });
});
