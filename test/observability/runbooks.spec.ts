/** The pages that alerts lead to: what they tell a person to type is understood, and what they name exists. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { runProgram } from '@lockstep/cli';
import { METRICS, metricsMissingIn } from './metric-names.js';

const folder = join(import.meta.dirname, '../../infra/runbooks');
const pages = readdirSync(folder).map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));

/** Nobody listens there. */
const NOWHERE = 'http://127.0.0.1:9';
const CANNOT_BE_MEANT = 2;
const PLACEHOLDERS = { DECISION: '12', FAILOVER: '12', KEY: 'k', REGION: 'us', SHARD: 'accounts/0' };

beforeEach(() => {
  for (const stream of [process.stdout, process.stderr])
    jest.spyOn(stream, 'write').mockImplementation(() => true);
  for (const level of ['log', 'error'] as const)
    jest.spyOn(console, level).mockImplementation(() => undefined);
});
afterEach(() => {
  jest.restoreAllMocks();
});

const commands = pages.flatMap(({ name, text }) =>
  [...text.matchAll(/`npx lockstep ([^`]+)`/g)]
    .map(([, line]) => line!)
    // These read or write files; `apps/cli` tests them.
    .filter((line) => !/^decisions (replay|export)/.test(line))
    .map((line) => [name, line] as const),
);

/** Words as a shell would part them. */
const wordsOf = (line: string): readonly string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(
    ([, quoted, word]) => quoted ?? PLACEHOLDERS[word as keyof typeof PLACEHOLDERS] ?? word!,
  );

test('some pages tell commands', () => {
  expect(commands.length).toBeGreaterThan(20);
});

test.each(commands)('%s: npx lockstep %s can be meant so', async (_, line) => {
  const words = wordsOf(line);
  if (words[0] === 'local') {
    const [order] = words.slice(1);
    expect(await runProgram([...words.slice(0, order === 'kafka' ? 3 : 2), '--help'])).toBe(0);
    return;
  }
  const asked = words.filter((word, index) => word !== '--region' && words[index - 1] !== '--region');
  // A rule is changed without asking: the coordinator checks it as a whole.
  const isAct = words.includes('--reason') && words[0] !== 'rule';
  const code = await runProgram([...asked, '--url', NOWHERE, ...(isAct ? ['--yes'] : [])]);
  // It could not be asked of anybody here; but it was understood.
  expect(code).toBe(1);
  expect(await runProgram([...asked, '--no-such-option'])).toBe(CANNOT_BE_MEANT);
});

test('every metric and every page that a page names exists', () => {
  expect(
    metricsMissingIn(
      pages.map(({ text }) => text),
      METRICS,
    ),
  ).toEqual([]);
  for (const { text } of pages)
    for (const [, linked] of text.matchAll(/\]\(([\w-]+\.md)\)/g))
      expect(existsSync(join(folder, linked!))).toBe(true);
});
