import { expect, test } from '@jest/globals';
import { exportLines, type ExportFormat } from './export.js';
import { correctRun, judgeable, ORDER, X, Y } from './judge.fixture.js';
import { readRun } from './operations.js';

function exported(format: ExportFormat): readonly string[] {
  const { lines, ...run } = judgeable(correctRun());
  return [...exportLines({ ...run, history: readRun(lines) }, format)];
}

test('Elle reads writes as appends to the lists of their rows, and every region as a whole at the end', () => {
  const lines = exported('elle');
  const values = lines.map((line) =>
    /^\{:index \d+, :type :\w+, :process \d+, :f :txn, :value \[.*\]\}$/.test(line),
  );
  expect(values).not.toContain(false);
  expect(lines.map((line) => Number(/:index (\d+)/.exec(line)![1]))).toEqual(lines.map((_, index) => index));
  const moves = `[[:append "accounts ${X}" 200] [:append "accounts ${Y}" 201]]`;
  expect(lines.filter((line) => line.includes(moves)).map((line) => /:type :(\w+)/.exec(line)![1])).toEqual([
    'invoke',
    'info',
  ]);
  const order = lines.filter((line) => line.includes(`:append "orders ${ORDER}"`));
  expect(order.map((line) => / :type :(\w+).* (\d+)\]\]\}$/.exec(line)!.slice(1))).toEqual([
    ['invoke', '400'],
    ['ok', '400'],
    ['invoke', '500'],
    ['fail', '500'],
    ['invoke', '600'],
    ['ok', '600'],
  ]);
  const whole = lines.filter((line) => line.includes(`[:r "orders ${ORDER}" [400 600]]`));
  // One read of the history, and the last one of each region.
  expect(whole).toHaveLength(4);
  for (const line of whole.slice(1)) expect(line).toContain(`[:r "accounts ${X}" [0 100 200]]`);
});

test('Elle is given one invocation and one end for each process at a time', () => {
  const busy = new Set<string>();
  for (const line of exported('elle')) {
    const [, type, process] = /:type :(\w+), :process (\d+)/.exec(line)!;
    expect(busy.has(process!)).toBe(type !== 'invoke');
    if (type === 'invoke') busy.add(process!);
    else busy.delete(process!);
  }
  expect(busy.size).toBe(0);
});

test('Porcupine reads calls and returns of registers, with the end open where nobody knows it', () => {
  const pairs = exported('porcupine').map((line) => JSON.parse(line) as { readonly [name: string]: unknown });
  const order = pairs.filter(({ key }) => key === `orders ${ORDER}`);
  expect(order).toMatchObject([
    { client: 4, op: 'write', expected: 0, version: 2 },
    { client: 5, op: 'conflict', expected: 9, version: null },
    { client: 6, op: 'write', expected: 2, version: 4 },
    { client: 20, op: 'read', expected: null, version: 4 },
  ]);
  for (const { call, return: returned } of order) expect(returned).toBeGreaterThan(call as number);
  expect(pairs.find(({ client }) => client === 2)).toMatchObject({ return: null, version: 4 });
});
