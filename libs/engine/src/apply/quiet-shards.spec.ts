/** Who is told again in a round. */
import { expect, test } from '@jest/globals';
import type { Clock } from '../ports/world.js';
import { QuietShards, type QuietShard } from './quiet-shards.js';

const NOW_MS = 10_000;

/** Of shards that are read to their end a while before every round; as many rounds as are asked for. */
async function toldIn(
  rounds: number,
  names: readonly string[],
  readMsAgo: (round: number) => number = () => 200,
): Promise<readonly string[][]> {
  const told: string[][] = [];
  const toldAtMs = new Map<string, number>();
  const quiet = (): readonly QuietShard[] =>
    names.map((name) => ({
      toldAtMs: toldAtMs.get(name) ?? 0,
      caughtUpAtMs: NOW_MS - readMsAgo(told.length),
      tell: () => {
        toldAtMs.set(name, told.length);
        told.at(-1)!.push(name);
      },
    }));
  const clock = {
    nowMs: () => NOW_MS,
    sleep: () => {
      if (told.length === rounds) shards.stop();
      else told.push([]);
      return { done: Promise.resolve(), wake: () => undefined };
    },
  } as unknown as Clock;
  const shards = new QuietShards(quiet, clock);
  await shards.run();
  return told;
}

test('each shard is told once in four rounds, and some are in each', async () => {
  const told = await toldIn(4, ['a0', 'a1', 'a2', 'a3', 'b0', 'b1', 'b2']);
  expect(told.map((names) => names.length)).toEqual([2, 2, 2, 2]);
  expect(new Set(told.flat()).size).toBe(7);
});

test('one shard is told in every round: a region is heard as often, however few shards it has', async () => {
  expect(await toldIn(3, ['a0'])).toEqual([['a0'], ['a0'], ['a0']]);
});

test('what was read before the log went is not told behind that: the region falls silent at once', async () => {
  const names = ['a0', 'a1', 'a2', 'a3', 'b0'];
  const told = await toldIn(4, names, (round) => 200 + (round - 1) * 500);
  expect(told.map((some) => some.length)).toEqual([2, 0, 0, 0]);
});

test('where nothing was learned nothing is told: a region that does not read its log falls silent', async () => {
  expect(await toldIn(2, [])).toEqual([[], []]);
});
