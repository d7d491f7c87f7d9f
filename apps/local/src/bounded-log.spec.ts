import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readLogFrom, rotateBeyond } from './bounded-log.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-log-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a log beyond its bound is kept aside, two old ones at most', async () => {
  const log = join(folder, 'x.log');
  for (const text of ['first', 'second', 'third', 'fourth']) {
    writeFileSync(log, text);
    await rotateBeyond(log, 4);
  }
  expect(readFileSync(log, 'utf8')).toBe('');
  expect(readFileSync(`${log}.1`, 'utf8')).toBe('fourth');
  expect(readFileSync(`${log}.2`, 'utf8')).toBe('third');
  expect(existsSync(`${log}.3`)).toBe(false);
});

test('a log at its bound is left alone', async () => {
  const log = join(folder, 'x.log');
  writeFileSync(log, 'four');
  await rotateBeyond(log, 4);
  expect(readFileSync(log, 'utf8')).toBe('four');
});

test('reading from an offset shows one life of a process, and all of a log that was cut since', () => {
  const log = join(folder, 'x.log');
  writeFileSync(log, 'old started\n');
  appendFileSync(log, 'new\n');
  expect(readLogFrom(log, 12)).toBe('new\n');
  writeFileSync(log, 'cut\n');
  expect(readLogFrom(log, 12)).toBe('cut\n');
});
