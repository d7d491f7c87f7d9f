import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { InvokeLine, RunLine } from '@lockstep/testing/history';
import { disturbancesDuring } from './check/disturbances.js';
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
  [
    'a format that nobody reads',
    ['--export', 'x', '--format', 'knossos'],
    /--format knossos: expected elle or porc/,
  ],
  ['a format without a file', ['--format', 'elle'], /Name its file with --export/],
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

test('the faults of a run are those that chaos wrote down while it went on', async () => {
  const startedAt = '2026-11-21T08:00:10.000Z';
  const line = (seconds: number, f: string, value: string): string =>
    JSON.stringify({ type: 'fault', i: 0, t: seconds * 1e9, f, value });
  const chaos = JSON.stringify({
    type: 'run',
    version: 1,
    run: 'chaos-7',
    startedAt: '2026-11-21T08:00:00.000Z',
  });
  const faults = [
    line(9, 'kill', 'eu gateway'),
    line(11, 'kill', 'us replicator'),
    line(12, 'pause', 'kafka 1'),
    line(21, 'kill', 'ap postgres'),
  ];
  history('chaos-7.jsonl', [chaos, ...faults].join('\n'), 1);
  const run = { ...(JSON.parse(RUN_LINE) as RunLine), startedAt };
  const last = { type: 'invoke', op: 0, t: 10e9 } as InvokeLine;
  const found = await disturbancesDuring(data, run, [run, last]);
  expect(found.map(({ f, value }) => `${f} ${value}`)).toEqual(['kill us replicator', 'pause kafka 1']);
});
