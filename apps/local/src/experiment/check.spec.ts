import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { newestHistory, readHistory } from './check/history-reader.js';
import { runCheck } from './check.js';

let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'lockstep-check-'));
  mkdirSync(join(data, 'history'));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

const RUN_LINE = JSON.stringify({ type: 'run', version: 1, run: 'r1' });

function history(name: string, text: string, changedSeconds: number): string {
  const path = join(data, 'history', name);
  writeFileSync(path, text);
  utimesSync(path, changedSeconds, changedSeconds);
  return path;
}

test.each([
  ['an option that does not exist', ['--histroy', 'x'], /Unknown option '--histroy'.*--history FILE/s],
  ['a wait that is none', ['--wait', 'long'], /--wait long: expected seconds from 1 to 3600/],
  ['a file that is not there', ['--history', 'nowhere.jsonl'], /There is no file .*nowhere\.jsonl/],
  ['a folder without a history', [], /holds no history.*npx lockstep local load/],
])('%s cannot be meant so', async (_title, args, message) => {
  await expect(runCheck(['--data', data, ...args])).rejects.toMatchObject({
    name: 'LocalError',
    exitCode: 2,
    message: expect.stringMatching(message),
  });
});

test('without a cluster the next step is named', async () => {
  history('r1.jsonl', RUN_LINE, 1);
  await expect(runCheck(['--data', data])).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringContaining('Start it with npm start'),
  });
});

test('the newest history is the one of writes that was written last', () => {
  history('z.jsonl', RUN_LINE, 1_000);
  const newest = history('a.jsonl', RUN_LINE, 2_000);
  history('b.txt', RUN_LINE, 3_000);
  history('chaos-7.jsonl', RUN_LINE, 4_000);
  expect(newestHistory(data)).toBe(newest);
});

test('a last line that was cut off is left out, one in the middle is damage', async () => {
  const fault = JSON.stringify({ type: 'fault', i: 1, t: 1, f: 'kill', value: 'eu' });
  expect(await readHistory(history('cut.jsonl', `${RUN_LINE}\n${fault.slice(0, 9)}`, 1))).toHaveLength(1);
  const damaged = history('damaged.jsonl', `${RUN_LINE}\n${fault.slice(0, 9)}\n${fault}\n`, 1);
  await expect(readHistory(damaged)).rejects.toMatchObject({ code: 'nothing-to-check' });
});
