/** The clients of a load against gateways that answer, refuse, break off and are gone: what the history says of each. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { encodeToken, sequence, shardName, type DatasetName, type LogIncarnation } from '@lockstep/protocol';
import { readHistoryLine, readRun, type CompletionLine, type HistoryLine } from '@lockstep/testing/history';
import { Chance, Reads, Workload } from '@lockstep/testing/workload';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GatewayCalls } from './gateway-calls.js';
import { HistoryFile } from './history-file.js';
import { LoadClients } from './load-clients.js';
import { LoadStatistics } from './load-statistics.js';

let folder: string;
const servers: Server[] = [];
const gateways: GatewayCalls[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-load-'));
});
afterEach(async () => {
  for (const gateway of gateways.splice(0)) gateway.close();
  for (const server of servers.splice(0)) await close(server);
  rmSync(folder, { recursive: true, force: true });
});

type Behaviour = (request: IncomingMessage, response: ServerResponse) => void;

async function listen(behaviour: Behaviour): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => behaviour(request, response));
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

/** An address that nobody listens on any more. */
async function gone(): Promise<string> {
  const address = await listen(() => undefined);
  await close(servers.pop()!);
  return address;
}

const receipt = {
  id: 'k',
  dataset: 'orders',
  shard: 'orders/0',
  stage: 'accepted',
  stages: {},
  traceId: '0',
};
const accepts: Behaviour = (_request, response) =>
  response.writeHead(200).end(JSON.stringify({ ...receipt, outcome: 'accepted', versions: {} }));
const breaksOff: Behaviour = (request) => request.socket.destroy();
const isFull: Behaviour = (_request, response) =>
  response.writeHead(429, { 'retry-after': '0' }).end(JSON.stringify({ code: 'too-many-requests' }));

async function load(addresses: readonly string[], orderEvents: number, clients = 3, readsPercent = 0) {
  gateways.push(...addresses.map((address, index) => new GatewayCalls(`r${index}`, address, clients)));
  const path = join(folder, 'out/history.jsonl');
  const run = { run: 'test', seed: 1, startedAt: '', options: {} };
  const history = await HistoryFile.create(path, run);
  const workload = new Workload({
    seed: 1,
    run: 'test',
    groups: ['eu'],
    amount: { kind: 'counted', accountEntries: 0, orderEvents, readingEvents: 0 },
    repeatedPercent: 0,
    wrongVersionsPercent: 0,
    shortDeadlinesPercent: 0,
  });
  const statistics = new LoadStatistics();
  const regions = gateways.map(({ region }) => region);
  const reads = new Reads(new Chance(1), readsPercent, regions);
  const options = { gateways, workload, reads, history, statistics, clients, entriesPerSecond: 0 };
  const running = new LoadClients(options);
  const lines = async (): Promise<readonly HistoryLine[]> => {
    await history.close();
    return readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((text) => readHistoryLine(text)!);
  };
  return { running, lines, statistics };
}

const completions = (lines: readonly HistoryLine[]) =>
  lines.filter((line): line is CompletionLine => ['ok', 'fail', 'info'].includes(line.type));
const invocations = (lines: readonly HistoryLine[]) => lines.filter((line) => line.type === 'invoke');

/** What the checkers rely on: lines in order, one operation at a time for each client, nobody heard of after `info`. */
function expectUsable(lines: readonly HistoryLine[]): void {
  const [run, ...others] = lines;
  expect(run).toMatchObject({ type: 'run', version: 1, run: 'test' });
  expect(others.map((line) => (line as { i: number }).i)).toEqual(others.map((_, index) => index));
  const { malformations, operations, reads } = readRun(lines);
  const open = [...operations.values(), ...reads].filter(({ end }) => end === null);
  expect([malformations, open]).toEqual([[], []]);
}

test('every gateway is used, and every question has its answer', async () => {
  const { lines, running, statistics } = await load([await listen(accepts), await listen(accepts)], 40, 4);
  await running.run();
  const written = await lines();
  expectUsable(written);
  expect(completions(written).map(({ type }) => type)).toEqual(Array.from({ length: 40 }, () => 'ok'));
  expect(new Set(invocations(written).map(({ region }) => region))).toEqual(new Set(['r0', 'r1']));
  expect(statistics).toMatchObject({ operations: 40, answered: 40, fates: { accepted: 40 } });
});

test('a connection that breaks leaves its operation open, and its client is not heard of again', async () => {
  const { lines, running } = await load([await listen(breaksOff)], 6);
  await running.run();
  const written = await lines();
  expectUsable(written);
  expect(completions(written)).toEqual(
    Array.from({ length: 6 }, () =>
      expect.objectContaining({ type: 'info', status: null, code: 'ECONNRESET' }),
    ),
  );
  expect(new Set(invocations(written).map(({ p }) => p)).size).toBe(6);
});

test('a refused connection is a certain failure, and after three the next gateway is asked', async () => {
  const { lines, running } = await load([await gone(), await listen(accepts)], 12, 1);
  await running.run();
  const written = await lines();
  expectUsable(written);
  expect(completions(written).map(({ code, type }) => `${type} ${code}`)).toEqual([
    ...Array.from({ length: 3 }, () => 'fail ECONNREFUSED'),
    ...Array.from({ length: 9 }, () => 'ok null'),
  ]);
  expect(invocations(written).map(({ region }) => region)).toEqual([
    ...Array.from({ length: 3 }, () => 'r0'),
    ...Array.from({ length: 9 }, () => 'r1'),
  ]);
});

test('a full queue is a certain failure, and its client goes on', async () => {
  const { lines, running, statistics } = await load([await listen(isFull)], 5, 1);
  await running.run();
  const written = await lines();
  expectUsable(written);
  expect(completions(written).map(({ status, type }) => `${type} ${status}`)).toEqual(
    Array.from({ length: 5 }, () => 'fail 429'),
  );
  expect(statistics.fates).toEqual({ accepted: 0, rejected: 0, refused: 5, unknown: 0 });
});

test('a load that is stopped leaves what was not answered open, and asks nothing more', async () => {
  let asked = (): void => undefined;
  const first = new Promise<void>((settle) => (asked = settle));
  const { lines, running } = await load([await listen(() => asked())], 1_000, 2);
  const ended = running.run();
  await first;
  running.stop(10);
  await ended;
  const written = await lines();
  expectUsable(written);
  expect(completions(written)).toEqual(
    Array.from({ length: 2 }, () =>
      expect.objectContaining({ type: 'info', status: null, code: 'ABORT_ERR' }),
    ),
  );
});

const TOKEN = encodeToken(
  new Map([
    [
      shardName('orders' as DatasetName, 0),
      { logIncarnation: 'a'.repeat(32) as LogIncarnation, sequence: sequence(3n) },
    ],
  ]),
);

test('a client that was told accepted reads what it wrote, with the token it was given', async () => {
  const asked: (readonly [path: string | undefined, token: unknown])[] = [];
  const answers: Behaviour = (request, response) => {
    if (request.method === 'POST') {
      const accepted = { ...receipt, outcome: 'accepted', sequence: 3, token: TOKEN, versions: {} };
      response.writeHead(200).end(JSON.stringify(accepted));
      return;
    }
    asked.push([request.url, request.headers['lockstep-token']]);
    const position = { 'lockstep-position': `orders/0@${'a'.repeat(32)}.4` };
    response.writeHead(200, position).end(JSON.stringify({ version: 3, row: { total: 5 } }));
  };
  const { lines, running } = await load([await listen(answers)], 20, 2, 100);
  await running.run();
  const written = await lines();
  expectUsable(written);
  const { reads } = readRun(written);
  expect(reads).toHaveLength(20);
  const seen = { shard: 'orders/0', sequence: 4, version: 3, columns: { total: 5 }, token: null };
  for (const { end, invoke } of reads) {
    expect(end).toMatchObject({ type: 'ok', p: invoke.p, seen });
    expect(asked).toContainEqual([
      expect.stringContaining(`consistency=${invoke.consistency}`),
      invoke.consistency === 'session' ? TOKEN : undefined,
    ]);
  }
});
