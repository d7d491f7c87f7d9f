import { describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { defaultDataFolder } from '../data-folder.js';
import { parseLoadOptions } from './load-options.js';

const parse = (line: string) =>
  parseLoadOptions(
    line.split(' ').filter((word) => word !== ''),
    '/tmp/here',
  );

test('without options a load takes 20 s at 200 entries per second', () => {
  expect(parse('')).toEqual({
    data: defaultDataFolder,
    seed: null,
    entriesPerSecond: 200,
    amount: { kind: 'endless' },
    secondsMax: 20,
    readsPercent: 5,
    repeatedPercent: 5,
    wrongVersionsPercent: 10,
    shortDeadlinesPercent: 2,
    clients: 48,
    history: null,
    json: false,
  });
});

test('counts replace the time, and what is not counted is not written', () => {
  expect(parse('--orders 40 --rate 0 --seed 7 --json')).toMatchObject({
    amount: { kind: 'counted', accountEntries: 0, orderEvents: 40, readingEvents: 0 },
    secondsMax: null,
    entriesPerSecond: 0,
    seed: 7,
    json: true,
  });
});

test('folders are those of the caller', () => {
  expect(parse('--data data --history out/h.jsonl')).toMatchObject({
    data: join('/tmp/here', 'data'),
    history: join('/tmp/here', 'out/h.jsonl'),
  });
});

describe('what cannot be meant is refused with exit code 2', () => {
  test.each([
    ['--bogus', 'Unknown option'],
    ['more', 'more'],
    ['--seconds 5 --orders 3', 'one of them'],
    ['--seconds 0', '--seconds 0: expected a whole number from 1'],
    ['--rate fast', '--rate fast'],
    ['--repeated 51', '--repeated 51'],
    ['--wrong-versions 101', '--wrong-versions 101'],
    ['--clients 0', '--clients 0'],
    ['--seed 1.5', '--seed 1.5'],
  ])('%s', (line, sentence) => {
    expect(() => parse(line)).toThrow(
      expect.objectContaining({ exitCode: 2, message: expect.stringContaining(sentence) }),
    );
  });
});
