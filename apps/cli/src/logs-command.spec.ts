/** Logs of all processes are read as one: merged by time, chosen by what a line names, whatever wrote it. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runLine } from './coordinator.fixture.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
let data: string;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'lockstep-cli-'));
  mkdirSync(join(data, 'logs'));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

const logs = (line: string) => runLine(['logs', ...line.split(' '), '--data', data], null);
const put = (file: string, ...lines: readonly string[]) =>
  writeFileSync(join(data, 'logs', file), lines.map((line) => `${line}\n`).join(''));
const at = (second: number): string => new Date(Date.UTC(2026, 10, 22, 13, 0, second)).toISOString();
const told = (second: number, msg: string, fields: object = {}): string =>
  JSON.stringify({ level: 'warn', time: at(second), service: 'lockstep', instance: 'i', ...fields, msg });

describe('what cannot be meant exits 2 and says why', () => {
  test.each([
    ['--json', '--trace ID, --shard DATASET/N or --since DURATION'],
    ['--trace abc', 'Expected 32 hex digits'],
    ['--shard accounts', 'Expected a shard such as accounts/0'],
    ['--since yesterday', 'Expected a duration such as 30m'],
    ['--since 5m --role broker', 'Allowed choices are gateway'],
    ['--since 5m --region mars', 'no logs of a region mars here, only of eu'],
  ])('lockstep logs %s', async (line, sentence) => {
    put('eu-gateway.log', told(1, 'one'));
    const { code, err } = await logs(line);
    expect(code).toBe(2);
    expect(err).toContain(sentence);
  });
});

test('where nothing was ever written exits 1 with the next step', async () => {
  const { code, err } = await logs('--since 5m');
  expect(code).toBe(1);
  expect(err).toContain('--data, or npm start');
});

test('processes are merged by time, rotated files first, whoever wrote them', async () => {
  put('us-replicator.log.2', told(1, 'rotated twice accounts/0'));
  put('us-replicator.log.1', told(3, 'rotated once accounts/0'));
  put('us-replicator.log', told(7, 'present', { shard: 'accounts/0', epoch: 2 }));
  put('eu-gateway.log', told(2, 'accounts/0 halted'), told(6, 'goes on', { shards: ['accounts/0'] }));
  put('kafka-1.log', '2026-11-22 14:00:04.000+01:00 [main] WARN kafka.log - lockstep.accounts-0 was cut');
  put(
    'eu-postgres.log',
    '2026-11-22 13:00:05.250 UTC [7] ERROR:  lease of accounts/0',
    '\tof nobody',
    'HINT: none',
  );
  put('notes.txt', told(0, 'accounts/0 in no log'));
  const { code, out } = await logs('--shard accounts/0');
  expect(code).toBe(0);
  expect(out.split('\n')).toEqual([
    '2026-11-22T13:00:01.000Z us-replicator   warn  rotated twice accounts/0',
    '2026-11-22T13:00:02.000Z eu-gateway      warn  accounts/0 halted',
    '2026-11-22T13:00:03.000Z us-replicator   warn  rotated once accounts/0',
    '2026-11-22T13:00:04.000Z kafka-1         warn  [main] WARN kafka.log - lockstep.accounts-0 was cut',
    '2026-11-22T13:00:05.250Z eu-postgres     error [7] ERROR:  lease of accounts/0',
    '\tof nobody',
    'HINT: none',
    '2026-11-22T13:00:06.000Z eu-gateway      warn  goes on shards=["accounts/0"]',
    '2026-11-22T13:00:07.000Z us-replicator   warn  present shard=accounts/0 epoch=2',
  ]);
});

test('one process keeps the order that it wrote in, although its clock went back', async () => {
  put('eu-gateway.log', told(5, 'first accounts/0'), told(1, 'second accounts/0'));
  put('us-gateway.log', told(3, 'elsewhere accounts/0'));
  const { out } = await logs('--shard accounts/0');
  expect(out.match(/first|second|elsewhere/g)).toEqual(['elsewhere', 'first', 'second']);
});

test('a shard is not every shard whose name it begins, nor a part of another name', async () => {
  const names = ['accounts/01', 'accounts/10', 'my_accounts/1', 'lockstep.accounts-12', 'accounts/1.'];
  put('eu-gateway.log', ...names.map((name, second) => told(second, name)));
  const { out } = await logs('--shard accounts/1');
  expect(out.split('\n').map((line) => line.split(' ').at(-1))).toEqual(['accounts/1.']);
});

test('a trace is found wherever it stands, together with the stack below', async () => {
  put(
    'eu-gateway.log',
    told(1, 'a failure', { traceId: TRACE, err: { message: 'broken', stack: 'Error: broken\n  at here' } }),
    told(2, 'another'),
    `${at(3)} ended by`,
    '    at elsewhere',
    `    in ${TRACE}`,
  );
  const { out } = await logs(`--trace ${TRACE}`);
  expect(out.split('\n')).toEqual([
    `2026-11-22T13:00:01.000Z eu-gateway      warn  a failure traceId=${TRACE}`,
    '    Error: broken',
    '      at here',
    '2026-11-22T13:00:03.000Z eu-gateway      -     ended by',
    '    at elsewhere',
    `    in ${TRACE}`,
  ]);
});

test('what is asked for is asked for together', async () => {
  for (const file of ['eu-gateway.log', 'eu-replicator.log', 'us-gateway.log', 'kafka-1.log'])
    put(file, told(1, `${file} accounts/0`, { traceId: TRACE }), told(2, `${file} accounts/0`));
  const { out } = await logs(`--trace ${TRACE} --shard accounts/0 --region eu --role gateway --json`);
  expect(out.split('\n').map((line) => JSON.parse(line) as object)).toEqual([
    {
      at: at(1),
      process: 'eu-gateway',
      region: 'eu',
      role: 'gateway',
      level: 'warn',
      message: 'eu-gateway.log accounts/0',
      fields: { service: 'lockstep', instance: 'i', traceId: TRACE },
    },
  ]);
});

test('since leaves out what is older, and what nobody wrote a time to', async () => {
  const now = (agoMs: number): string => new Date(Date.now() - agoMs).toISOString();
  put('supervisor.log.1', `${now(0)} in a file of long ago`);
  utimesSync(join(data, 'logs/supervisor.log.1'), 1_000, 1_000);
  put(
    'supervisor.log',
    '  at the rest of a stack',
    `${now(3_600_000)} an hour ago`,
    `${now(1_000)} just now`,
  );
  const recent = await logs('--since 10m');
  expect(recent.out.split('\n').map((line) => line.slice(-8))).toEqual(['just now']);
  const all = await logs('--since 2h');
  expect(all.out.split('\n').map((line) => line.slice(-8))).toEqual(['hour ago', 'just now']);
});

test('nothing found is said, and no failure', async () => {
  put('eu-gateway.log', told(1, 'one'));
  const { code, err, out } = await logs('--shard accounts/0');
  expect([code, out]).toEqual([0, '']);
  expect(err).toContain('Nothing of that stands in the 1 logs');
});

test('a line of a client’s making does not steer the terminal', async () => {
  put('eu-gateway.log', told(1, 'accounts/0 \u001b[2J\u009b gone'));
  const { out } = await logs('--shard accounts/0');
  expect(out).toContain('accounts/0 \\u001b[2J\\u009b gone');
});

test('an endless entry is cut where it would grow without bound', async () => {
  const line = 'x'.repeat(1023);
  put('eu-gateway.log', `${at(1)} accounts/0 begins`, ...Array.from({ length: 3_000 }, () => line));
  const { out } = await logs('--shard accounts/0');
  expect(out.length).toBeLessThan(1_100_000);
  expect(out.endsWith('(cut here)')).toBe(true);
});
