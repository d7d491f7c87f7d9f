import { describe, expect, test } from '@jest/globals';
import { problem, type Receipt } from '@lockstep/protocol';
import { decideNext, SILENCE_PAUSE_MS, type WriteProgress } from './decide-next.js';
import type { Heard } from './hear-answer.js';

const receipt = (outcome: Receipt['outcome']): Heard => ({
  kind: 'receipt',
  receipt: { id: 'k', dataset: 'd', shard: 'd/0', outcome, stage: null, stages: {}, traceId: 't' },
  replayed: false,
});
const busy: Heard = { kind: 'busy', problem: problem('too-many-requests', ''), retryAfterMs: 1_000 };
const refused: Heard = { kind: 'refused', problem: problem('malformed', '') };
const rejection: Heard = { kind: 'rejected', problem: problem('guard', ''), receipt: null };
const silence = (mayStand: boolean): Heard => ({ kind: 'silence', detail: '', mayStand });

const next = (heard: Heard, changes: Partial<WriteProgress> = {}): string =>
  decideNext({ heard, isKeyed: true, leftMs: 5_000, mayStand: false, ...changes }).kind;

describe('after what was heard of a write', () => {
  test.each([
    ['a verdict is told', receipt('accepted'), {}, 'tell'],
    ['a rejection is told, whatever stood before', rejection, { mayStand: true }, 'tell'],
    ['a refusal is told', refused, {}, 'tell'],
    ['a refusal is no answer for an attempt that may stand', refused, { mayStand: true }, 'ask'],
    ['unknown is asked for', receipt('unknown'), {}, 'ask'],
    ['unknown without a key stays so', receipt('unknown'), { isKeyed: false }, 'tell-unknown'],
    ['busy is waited for', busy, {}, 'again'],
    ['busy is told when the wait would outlast the time', busy, { leftMs: 1_000 }, 'tell'],
    ['busy is told without a key', busy, { isKeyed: false }, 'tell'],
    [
      'busy at the end is no answer for an attempt that may stand',
      busy,
      { leftMs: 0, mayStand: true },
      'ask',
    ],
    ['silence is broken by saying it again', silence(true), {}, 'again'],
    ['silence at the end is asked about', silence(true), { leftMs: 0 }, 'ask'],
    ['a call that never left is told so', silence(false), { leftMs: 0 }, 'tell'],
    [
      'a call that never left says nothing of one before',
      silence(false),
      { leftMs: 0, mayStand: true },
      'ask',
    ],
    ['silence without a key is unknown', silence(true), { isKeyed: false }, 'tell-unknown'],
  ] as const)('%s', (_title, heard, changes, expected) => {
    expect(next(heard, changes)).toBe(expected);
  });

  test('it waits as long as it was told to', () => {
    expect(decideNext({ heard: busy, isKeyed: true, leftMs: 1_001, mayStand: false })).toEqual({
      kind: 'again',
      afterMs: 1_000,
    });
    expect(decideNext({ heard: silence(false), isKeyed: true, leftMs: 5_000, mayStand: false })).toEqual({
      kind: 'again',
      afterMs: SILENCE_PAUSE_MS,
    });
  });
});
