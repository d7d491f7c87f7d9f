import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './program.js';

let folder: string;
/** What the program says, and what the parser of the command line writes itself. */
let said: string[];
let written: string[];
const servers: Server[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-cli-'));
  said = [];
  written = [];
  jest.spyOn(console, 'log').mockImplementation((text: unknown) => void said.push(String(text)));
  jest.spyOn(console, 'error').mockImplementation((text: unknown) => void said.push(String(text)));
  jest
    .spyOn(process.stdout, 'write')
    .mockImplementation((text: unknown) => (written.push(String(text)), true));
  jest
    .spyOn(process.stderr, 'write')
    .mockImplementation((text: unknown) => (written.push(String(text)), true));
});
afterEach(async () => {
  jest.restoreAllMocks();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
  rmSync(folder, { recursive: true, force: true });
});

const run = (line: string) => runProgram(line.split(' ').filter((word) => word !== ''));

/** A stand-in for a supervisor: remembers what it was asked, answers what it is told to. */
async function supervisor(status: number, answer: object) {
  const asked: { call: string; token: string | undefined; body: unknown }[] = [];
  const name = `lockstep-cli-test-${process.pid}-${folder.slice(-6)}`;
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => (text += String(chunk)));
    request.on('end', () => {
      asked.push({
        call: `${request.method} ${request.url}`,
        token: request.headers.authorization,
        body: text === '' ? null : JSON.parse(text),
      });
      response.writeHead(status).end(JSON.stringify(answer));
    });
  });
  servers.push(server);
  server.listen(`\0${name}`);
  await once(server, 'listening');
  writeFileSync(join(folder, 'control.json'), JSON.stringify({ socket: `@${name}`, token: 'secret' }));
  return asked;
}

async function gateway(
  answers: Readonly<Record<string, { readonly status: number; readonly body: object }>>,
): Promise<string> {
  const server = createServer((request, response) => {
    const answer = answers[request.url ?? ''] ?? { status: 404, body: { code: 'not-found' } };
    response.writeHead(answer.status).end(JSON.stringify(answer.body));
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('what cannot be meant exits 2 and says why', () => {
  test.each([
    ['bogus', "unknown command 'bogus'"],
    ['local bogus', "unknown command 'bogus'"],
    ['local status --bogus', "unknown option '--bogus'"],
    ['local kill', "missing required argument 'region'"],
    [
      'local kill eu bogus',
      'Allowed choices are gateway, replicator, coordinator, standby, ledger, postgres',
    ],
    ['local pause eu --stay-down', "unknown option '--stay-down'"],
    ['local swallow eu --responses some', 'Expected a whole number'],
    ['local kafka kill zero', 'A broker is named by its number'],
    ['shards --url nowhere', 'expected an address'],
  ])('lockstep %s', async (line, sentence) => {
    expect(await run(line)).toBe(2);
    expect([...said, ...written].join('\n')).toContain(sentence);
  });

  test('help is no error', async () => {
    expect(await run('--help')).toBe(0);
  });
});

describe('lockstep local', () => {
  test('without a cluster exits 1 and says how to start one', async () => {
    expect(await run(`local status --data ${folder}`)).toBe(1);
    expect(said.join('\n')).toContain('npm start');
  });

  test.each([
    [
      'kill eu',
      {
        kind: 'process',
        order: 'kill',
        target: { kind: 'region', region: 'eu', process: null },
        stayDown: false,
      },
    ],
    [
      'kill eu gateway --stay-down',
      {
        kind: 'process',
        order: 'kill',
        target: { kind: 'region', region: 'eu', process: 'gateway' },
        stayDown: true,
      },
    ],
    [
      'stop us postgres',
      {
        kind: 'process',
        order: 'stop',
        target: { kind: 'region', region: 'us', process: 'postgres' },
        stayDown: false,
      },
    ],
    ['cut ap', { kind: 'cut', region: 'ap', lost: 'both' }],
    ['cut ap --one-way', { kind: 'cut', region: 'ap', lost: 'sent' }],
    ['cut ap --deaf', { kind: 'cut', region: 'ap', lost: 'received' }],
    ['heal ap', { kind: 'heal', region: 'ap' }],
    ['swallow eu', { kind: 'swallow', region: 'eu', responses: 1 }],
    ['swallow eu --responses 0', { kind: 'swallow', region: 'eu', responses: 0 }],
    [
      'kafka pause 2',
      { kind: 'process', order: 'pause', target: { kind: 'kafka', node: 2 }, stayDown: false },
    ],
  ])('%s gives the supervisor its order', async (line, order) => {
    const asked = await supervisor(200, { done: ['it is done'] });
    expect(await run(`local ${line} --data ${folder}`)).toBe(0);
    expect(asked).toEqual([{ call: 'POST /orders', token: 'Bearer secret', body: order }]);
    expect(said).toEqual(['it is done']);
  });

  test('a request that cannot be meant exits 2 with the supervisor’s sentence', async () => {
    await supervisor(422, { code: 'no-wide-area', message: 'no links here' });
    expect(await run(`local cut eu --data ${folder}`)).toBe(2);
    expect(said).toEqual(['no links here']);
  });

  test('an order that failed exits 1 with the supervisor’s sentence', async () => {
    await supervisor(409, { code: 'not-possible-now', message: 'it is down' });
    expect(await run(`local pause eu --data ${folder}`)).toBe(1);
    expect(said).toEqual(['it is down']);
  });
});

describe('what gateways answer', () => {
  const shards = [
    {
      shard: 'accounts/0',
      home: 'eu',
      epoch: 1,
      state: 'open',
      reason: null,
      regions: { eu: { sequence: 7, lagRecords: 0 }, us: { sequence: 5, lagRecords: 2 }, ap: null },
    },
  ];

  test('shards are a table for people, with a sign for what is unknown', async () => {
    const url = await gateway({ '/v1/shards': { status: 200, body: { shards } } });
    expect(await run(`shards --url ${url}`)).toBe(0);
    const row = said
      .join('\n')
      .split('\n')
      .find((line) => line.includes('accounts/0'));
    expect(row?.split('│').map((cell) => cell.trim())).toEqual([
      '',
      'accounts/0',
      'eu',
      '1',
      'open',
      '7',
      '5',
      '?',
      '',
      '',
    ]);
  });

  test('lag is JSON for programs, null where nobody knows', async () => {
    const url = await gateway({ '/v1/shards': { status: 200, body: { shards } } });
    expect(await run(`lag --json --url ${url}`)).toBe(0);
    expect(JSON.parse(said.join('\n'))).toEqual({
      lag: [{ shard: 'accounts/0', lagRecords: { eu: 0, us: 2, ap: null } }],
    });
  });

  test('a refusal is shown with its code', async () => {
    const url = await gateway({
      '/v1/datasets/accounts/receipts/k': { status: 404, body: { code: 'not-seen', detail: 'No such key.' } },
    });
    expect(await run(`receipt accounts k --url ${url}`)).toBe(1);
    expect(said.join('\n')).toContain('404: not-seen: No such key.');
  });
});

describe('experiments run as programs of the local cluster', () => {
  const bin = join(import.meta.dirname, '../bin/lockstep.mjs');

  /** The committed command itself, with what it prints. */
  function start(line: string) {
    const child = spawn(process.execPath, [bin, ...line.split(' ')], { stdio: ['ignore', 'pipe', 'pipe'] });
    const printed = { out: '', err: '' };
    child.stdout.on('data', (chunk) => (printed.out += String(chunk)));
    child.stderr.on('data', (chunk) => (printed.err += String(chunk)));
    const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...printed }));
    return { child, ended };
  }

  test('whose own options --help shows', async () => {
    expect(await start('local load --help').ended).toMatchObject({
      code: 0,
      out: expect.stringContaining('--wrong-versions PERCENT'),
    });
  });

  test.each([
    ['local load --bogus', 2, '--bogus'],
    ['local load --seconds 5 --orders 3', 2, 'one of them'],
    ['local load --data /nowhere', 1, 'npm start'],
  ])('lockstep %s ends as the program does: %d', async (line, code, sentence) => {
    expect(await start(line).ended).toMatchObject({ code, err: expect.stringContaining(sentence) });
  });

  test('a signal ends a load in its own order: what was heard stands in the history', async () => {
    const regions = { eu: { gateway: await gateway({}) } };
    writeFileSync(join(folder, 'cluster.json'), JSON.stringify({ regions }));
    const history = join(folder, 'history.jsonl');
    const { child, ended } = start(`local load --data ${folder} --history ${history} --seconds 60 --json`);
    let running = '';
    while (!running.includes('history')) running += String(await once(child.stderr, 'data'));
    child.kill('SIGTERM');
    const { code, out } = await ended;
    const summary = JSON.parse(out) as { operations: number; interrupted: boolean };
    expect([code, summary.interrupted]).toEqual([0, true]);
    const types = readFileSync(history, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { type: string }).type);
    expect(types.filter((type) => type === 'invoke')).toHaveLength(summary.operations);
    expect(types.filter((type) => type === 'fail')).toHaveLength(summary.operations);
    expect(await start(`local load --data ${folder} --history ${history}`).ended).toMatchObject({
      code: 2,
      err: expect.stringContaining('exists already'),
    });
  });
});
