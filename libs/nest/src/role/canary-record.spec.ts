/** What is kept of canaries is bounded, and a time of which nothing is known is absent, never zero. */
import { expect, test } from '@jest/globals';
import type { CanaryAnswer } from '@lockstep/engine';
import type { DatasetName, RegionName } from '@lockstep/protocol';
import { CanaryRecord, SLICE_MS, SLICES_MAX } from './canary-record.js';

const us = 'us' as RegionName;
const READ = { dataset: 'accounts' as DatasetName, key: 'us:canary', timeoutMs: 600 };
const START_MS = Date.parse('2026-11-22T12:00:00.000Z');

function recorded() {
  let nowMs = START_MS;
  let answer: CanaryAnswer = { kind: 'answered' };
  let tookMs = 0;
  const record = new CanaryRecord(
    {
      ask: async () => {
        nowMs += tookMs;
        return answer;
      },
    },
    [us],
    { nowMs: () => nowMs, monotonicMs: () => nowMs },
  );
  return {
    record,
    moveTo: (ms: number) => void (nowMs = ms),
    ask: (next: CanaryAnswer, ms = 0) => {
      answer = next;
      tookMs = ms;
      return record.ask(us, READ);
    },
    told: (sinceMs = 0) =>
      (record.describe(sinceMs) as { regions: [{ slices: { at: string; meanMs: number | null }[] }] })
        .regions[0].slices,
  };
}

test('answers are handed on and counted in their slice', async () => {
  const { ask, told } = recorded();
  const refused = { kind: 'refused', detail: 'it answered 503' } as const;
  await ask({ kind: 'answered' }, 10);
  await ask({ kind: 'answered' }, 30);
  expect(await ask(refused)).toBe(refused);
  await ask({ kind: 'failed', detail: 'ECONNREFUSED' });
  expect(told()).toEqual([
    { at: '2026-11-22T12:00:00.000Z', answered: 2, refused: 1, failed: 1, meanMs: 20, maxMs: 30 },
  ]);
});

test('a slice in which nothing was answered has no latency, and one without canaries is absent', async () => {
  const { ask, moveTo, told } = recorded();
  await ask({ kind: 'failed', detail: 'timeout' });
  moveTo(START_MS + 5 * SLICE_MS);
  await ask({ kind: 'answered' }, 0);
  expect(told()).toMatchObject([
    { meanMs: null, maxMs: null },
    { at: '2026-11-22T12:00:10.000Z', meanMs: 0 },
  ]);
});

test('slices are told from a time on, and the oldest is given up at the bound', async () => {
  const { ask, moveTo, told } = recorded();
  for (let slice = 0; slice <= SLICES_MAX; slice += 1) {
    moveTo(START_MS + slice * SLICE_MS);
    await ask({ kind: 'answered' });
  }
  expect(told()).toHaveLength(SLICES_MAX);
  expect(told()[0]?.at).toBe(new Date(START_MS + SLICE_MS).toISOString());
  expect(told(START_MS + SLICES_MAX * SLICE_MS)).toHaveLength(1);
});

test('a clock that was set back goes on in the slice that there is', async () => {
  const { ask, moveTo, told } = recorded();
  await ask({ kind: 'answered' });
  moveTo(START_MS - 60_000);
  await ask({ kind: 'answered' });
  expect(told()).toMatchObject([{ answered: 2 }]);
});
