import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { isReached, lastRuns, pagesOf, RUNS_FILE } from './results-page.js';

const run = (name: string, commit: string, figures: readonly object[]): string =>
  JSON.stringify({
    date: '2026-11-22T10:00:00Z',
    commit,
    machine: 'a machine',
    name,
    profile: 'so',
    figures,
  });

const figure = (name: string, median: number, goal: object): object => ({
  ...{ name, unit: 'ratio', median, min: median / 2, max: median * 2 },
  ...goal,
});

test('the page and its chart are what the recorded runs say', () => {
  const pages = pagesOf(lastRuns(readFileSync(RUNS_FILE, 'utf8')));
  for (const [name, text] of pages) expect(readFileSync(join(import.meta.dirname, name), 'utf8')).toBe(text);
});

test('the last run of a benchmark counts', () => {
  const runs = lastRuns([run('b', 'first', []), run('a', 'first', []), run('b', 'second', [])].join('\n'));
  expect(runs.map(({ name, commit }) => `${name} ${commit}`)).toEqual(['a first', 'b second']);
});

test('a missed goal is said by name, whichever side of it is the good one', () => {
  const figures = [
    figure('quick', 0.8, { goal: 0.85 }),
    figure('small', 1.2, { goalMost: 1.05 }),
    figure('fine', 1, { goal: 0.85 }),
    figure('slim', 1, { goalMost: 1.05 }),
  ];
  const runs = lastRuns(run('a', 'one', figures));
  const page = pagesOf(runs).get('RESULTS.md')!;
  expect(runs[0]!.figures.map(isReached)).toEqual([false, false, true, true]);
  expect(page).toContain('2 of 4 goals are reached');
  expect(page).toContain('- `a`: quick is 0.8, at least 0.85 wanted');
  expect(page).toContain('- `a`: small is 1.2, at most 1.05 wanted');
  expect(page).toContain('| fine | 1 | 0.5 - 2 | ratio | at least 0.85: reached |');
});

test('the chart has a bar for every goal, and names in it cannot break it', () => {
  const runs = lastRuns(run('a', 'one', [figure('x < y & z', 1, { goal: 2 }), figure('none', 1, {})]));
  const chart = pagesOf(runs).get('results.svg')!;
  expect(chart.match(/<rect /g)).toHaveLength(2);
  expect(chart).toContain('a: x &lt; y &amp; z');
});
