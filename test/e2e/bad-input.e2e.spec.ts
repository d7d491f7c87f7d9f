/**
 * Bad input, against real processes: whatever a stranger sends over HTTP, or writes into a topic past the gateways, is
 * refused by a problem document with a code and a next step, or takes its sequence as rejected. Never a defect, never
 * a dead process, nothing of SQL or stack in an answer, and regions that end equal (I2, I3, I11, I17).
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  encodeHeader,
  encodeToken,
  entryNumber,
  epoch,
  NO_CONFIGURATION_PREFIX,
  NO_PUBLISHER,
  sequence,
  shardName,
  type DatasetName,
  type EntryHeader,
  type LogIncarnation,
  type PublisherId,
  type RegionName,
} from '@lockstep/protocol';
import fc from 'fast-check';
import { CompressionTypes, Kafka, logLevel, type Message, type Producer, type ProducerConfig } from 'kafkajs';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import {
  call,
  eventually,
  LocalCluster,
  REGIONS,
  write,
  type Answered,
  type Region,
} from './local-cluster.js';

let cluster: LocalCluster;
let pidsBefore: string;
/** Takes as long as a header may; asked for first, looked at last. */
let slowHeader: Promise<string>;

const pids = (): string =>
  JSON.stringify([cluster.file.kafka.pids, Object.values(cluster.file.regions).map((one) => one.pids)]);

beforeAll(async () => {
  // Records are counted here: no canary may come among them.
  cluster = await LocalCluster.startAttended();
  pidsBefore = pids();
  slowHeader = raw('ap', 'GET /v1/shards HTTP/1.1\r\nHost: x\r\nX-Slow: ');
  for (const region of REGIONS)
    expect(await write(cluster, region, 'accounts', opened(`${region}:good`))).toMatchObject({ status: 200 });
}, 180_000);

afterAll(() => cluster?.stop(), 60_000);

const event = (changes: object = {}): object => ({
  key: 'eu:bad',
  type: 'opened',
  data: { owner: 'A', currency: 'EUR' },
  ...changes,
});
const body = (changes: object = {}): string => JSON.stringify({ events: [event(changes)] });
const opened = (key: string): object => ({ events: [event({ key })], ack: 'everywhere' });
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
/** As JSON.stringify never writes it. */
const withData = (data: string): string => `{"events":[{"key":"eu:bad","type":"credited","data":${data}}]}`;
const uniqueKey = (): string => randomBytes(12).toString('hex');

/** Words that only the inside knows. */
const INSIDE =
  /\bat \S+ \(|\.[jt]s:\d|node_modules|\bselect\b.*\bfrom\b|insert into|postgres|ECONN|kafka|TypeError|SyntaxError/i;

function expectProblem(answer: Answered, status: number, code: string): void {
  expect(answer.body).toMatchObject({ status, code, type: `urn:lockstep:problem:${code}` });
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  for (const words of ['title', 'detail', 'next']) expect(answer.body[words]).toMatch(/\S/);
  expect(JSON.stringify(answer.body)).not.toMatch(INSIDE);
  expect(answer.body.detail.length).toBeLessThan(500);
}

function post(
  region: Region,
  path: string,
  content: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<Answered> {
  return call(`${cluster.gateway(region)}${path}`, {
    method: 'POST',
    body: content as NonNullable<RequestInit['body']>,
    headers,
  });
}

/** Bytes as they stand; answers what came back until the connection ended. */
function raw(
  region: Region,
  bytes: string | Uint8Array,
  then: 'keep' | 'end' | 'reset' = 'keep',
): Promise<string> {
  const { hostname, port } = new URL(cluster.gateway(region));
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    socket.on('end', () => socket.end());
    socket.on('close', () => resolve(answer));
    // A reset is an end as well; what came before it is the answer.
    socket.on('error', () => undefined);
    socket.on('connect', () => {
      socket.write(bytes, () => {
        if (then === 'end') socket.end();
        if (then === 'reset') socket.resetAndDestroy();
      });
    });
  });
}

const ENTRIES = '/v1/datasets/accounts/entries';

/** Refused for its form, whoever reads it: nothing is appended, and a key is not bound. */
const FORM: readonly (readonly [
  title: string,
  content: string | Uint8Array,
  status: number,
  code: string,
])[] = [
  ['nothing', '', 400, 'malformed'],
  ['half a body', body().slice(0, 40), 400, 'malformed'],
  ['two bodies', body() + body(), 400, 'malformed'],
  ['no JSON', 'events=1', 400, 'malformed'],
  ['NaN', withData('{"amount":NaN}'), 400, 'malformed'],
  ['null', 'null', 400, 'malformed'],
  ['a list', `[${body()}]`, 400, 'malformed'],
  ['a string', '"events"', 400, 'malformed'],
  ['bytes that are no UTF-8', Buffer.from('{"events":"\xff\xfe"}', 'latin1'), 400, 'malformed'],
  ['an overlong form of UTF-8', Buffer.from([0x22, 0xc0, 0x80, 0x22]), 400, 'malformed'],
  ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 400, 'malformed'],
  ['UTF-16', Buffer.from(body(), 'utf16le'), 400, 'malformed'],
  ['a byte order mark', `\ufeff${body()}`, 400, 'malformed'],
  ['a NUL byte', body().replace('bad', 'b\0d'), 400, 'malformed'],
  ['no events', '{}', 400, 'malformed'],
  ['events that are no list', '{"events":{"0":{}}}', 400, 'malformed'],
  ['an empty list', '{"events":[]}', 400, 'malformed'],
  ['null for an event', '{"events":[null]}', 400, 'malformed'],
  ['an unknown name', '{"events":[],"evnets":[]}', 400, 'malformed'],
  ['an unknown name in an event', body({ version: 1 }), 400, 'malformed'],
  [
    '`__proto__` in the body',
    `{"__proto__":{"ack":"logged"},"events":[${JSON.stringify(event())}]}`,
    400,
    'malformed',
  ],
  ['`__proto__` in an event', `{"events":[{"__proto__":${JSON.stringify(event())}}]}`, 400, 'malformed'],
  ['`constructor` in an event', body({ constructor: {} }), 400, 'malformed'],
  ['a name twice', `{"events":[],"events":[${JSON.stringify(event())}]}`, 400, 'malformed'],
  ['no key', body({ key: undefined }), 400, 'malformed'],
  ['a number for a key', body({ key: 7 }), 400, 'malformed'],
  ['a key without a group', body({ key: 'ada' }), 400, 'malformed'],
  ['a key without an id', body({ key: 'eu:' }), 400, 'malformed'],
  ['an empty group', body({ key: ':ada' }), 400, 'malformed'],
  ['a group in capitals', body({ key: 'EU:ada' }), 400, 'malformed'],
  ['a control character in a key', body({ key: 'eu:a\u0007' }), 400, 'malformed'],
  ['a line end in a key', body({ key: 'eu:a\n' }), 400, 'malformed'],
  ['NUL in a key', body({ key: 'eu:a\u0000' }), 400, 'malformed'],
  ['a lone surrogate in a key', body({ key: 'eu:\ud800' }), 400, 'malformed'],
  ['an id of 201 bytes', body({ key: `eu:${'a'.repeat(201)}` }), 400, 'malformed'],
  ['an id of 101 letters and 202 bytes', body({ key: `eu:${'é'.repeat(101)}` }), 400, 'malformed'],
  ['an endless key', body({ key: `eu:${'a'.repeat(300_000)}` }), 400, 'malformed'],
  ['a type in capitals', body({ type: 'Opened' }), 400, 'malformed'],
  ['no type', body({ type: undefined }), 400, 'malformed'],
  ['an object for a type', body({ type: { toString: 'opened' } }), 400, 'malformed'],
  ['no data', body({ data: undefined }), 400, 'malformed'],
  ['null for data', body({ data: null }), 400, 'malformed'],
  ['a list for data', body({ data: [] }), 400, 'malformed'],
  ['NUL in data', body({ data: { owner: 'a\u0000', currency: 'EUR' } }), 400, 'malformed'],
  ['a lone surrogate in data', body({ data: { owner: '\udfff', currency: 'EUR' } }), 400, 'malformed'],
  ['version 0 of a type', body({ v: 0 }), 400, 'malformed'],
  ['a fraction for a version', body({ v: 1.5 }), 400, 'malformed'],
  ['text for a version', body({ v: '1' }), 400, 'malformed'],
  ['a negative expected version', body({ expectedVersion: -1 }), 400, 'malformed'],
  ['half an expected version', body({ expectedVersion: 0.5 }), 400, 'malformed'],
  ['text for an expected version', body({ expectedVersion: '0' }), 400, 'malformed'],
  ['2^53', withData('{"amount":9007199254740992}'), 400, 'malformed'],
  ['2^53 + 1 behind a point', withData('{"amount":9007199254740993.0}'), 400, 'malformed'],
  ['a fraction that would vanish', withData('{"amount":1.00000000000000000001}'), 400, 'malformed'],
  ['a number that is not finite', withData('{"amount":1e400}'), 400, 'malformed'],
  [
    'an expected version of 2^64',
    '{"events":[{"key":"eu:a","type":"a","data":{},"expectedVersion":18446744073709551616}]}',
    400,
    'malformed',
  ],
  ['33 levels', withData(`{"a":${nested(30)}}`), 400, 'malformed'],
  ['10^5 levels', withData(`{"a":${nested(100_000)}}`), 400, 'malformed'],
  ['10^5 levels, never closed', '{"events":['.repeat(50_000), 400, 'malformed'],
  ['a stage that does not exist', '{"events":[],"ack":"soon"}', 400, 'malformed'],
  ['a stage that a gateway does not give', body().replace('{', '{"ack":"stored",'), 400, 'malformed'],
  ['no time', body().replace('{', '{"timeoutMs":0,'), 400, 'malformed'],
  ['too much time', body().replace('{', '{"timeoutMs":60001,'), 400, 'malformed'],
  ['half a millisecond', body().replace('{', '{"timeoutMs":0.5,'), 400, 'malformed'],
  ['text for a time', body().replace('{', '{"timeoutMs":"10",'), 400, 'malformed'],
  ['an unknown group', body({ key: 'mars:ada' }), 422, 'unknown-group'],
  ['a group that every object has', body({ key: 'constructor:ada' }), 422, 'unknown-group'],
  [
    'several shards',
    JSON.stringify({ events: [event(), event({ key: 'us:bad' }), event({ key: 'ap:bad' })] }),
    422,
    'several-shards',
  ],
  ['101 events', JSON.stringify({ events: Array(101).fill(event()) }), 413, 'too-large'],
  ['an entry above 512 KiB', body({ data: { owner: 'a'.repeat(512 * 1024) } }), 413, 'too-large'],
  ['half a million tiny values', withData(`{"a":[${'1,'.repeat(500_000)}1]}`), 413, 'too-large'],
  ['a body above 1 MiB', ' '.repeat(1024 * 1024) + body(), 413, 'too-large'],
];

describe.each(REGIONS)(
  'a write through %s that is refused for its form, with a key and without',
  (region) => {
    test.each(FORM)('%s', async (_title, content, status, code) => {
      expectProblem(await post(region, ENTRIES, content), status, code);
      const key = uniqueKey();
      expectProblem(await post(region, ENTRIES, content, { 'idempotency-key': key }), status, code);
      expect(await call(`${cluster.gateway(region)}/v1/datasets/accounts/receipts/${key}`)).toMatchObject({
        status: 404,
        body: { code: 'not-seen' },
      });
    });

    test.each([
      'nope',
      '__proto__',
      'constructor',
      'ACCOUNTS',
      'accounts%00',
      'accounts;drop',
      '%F0%9F%98%80',
      '..%2Faccounts',
    ])('the dataset %s does not exist', async (dataset) => {
      expectProblem(await post(region, `/v1/datasets/${dataset}/entries`, body()), 404, 'unknown-dataset');
      expectProblem(
        await post(region, `/v1/datasets/${dataset}/entries:batch`, '{}'),
        404,
        'unknown-dataset',
      );
      for (const what of ['rows', 'receipts']) {
        expectProblem(
          await call(`${cluster.gateway(region)}/v1/datasets/${dataset}/${what}/eu:a`),
          404,
          'unknown-dataset',
        );
      }
    });

    test.each([
      ['no key', { 'idempotency-key': '' }],
      ['a key of 129 characters', { 'idempotency-key': 'k'.repeat(129) }],
      ['a key that is not ASCII', { 'idempotency-key': 'caf\u00e9' }],
      ['a tab in a key', { 'idempotency-key': 'a\tb' }],
      ['another word than never', { 'lockstep-forward': 'always' }],
      ['a forged forward', { 'lockstep-forwarded': 'hops=1' }],
    ])('a header outside its grammar: %s', async (_title, headers) => {
      expectProblem(await post(region, ENTRIES, body(), headers), 400, 'malformed');
    });

    test('a compressed body', async () => {
      expectProblem(
        await post(region, ENTRIES, body(), { 'content-encoding': 'gzip' }),
        415,
        'unsupported-encoding',
      );
    });
  },
);

/** Fits no schema. The fold says so where the client gave a key, the gateway where it did not. */
const SCHEMA: readonly (readonly [title: string, dataset: string, what: object | string])[] = [
  ['an unknown event', 'accounts', { type: 'renamed', data: {} }],
  ['an event that every object has', 'accounts', { type: 'constructor', data: {} }],
  ['an unknown version', 'accounts', { type: 'opened', v: 2, data: { owner: 'A', currency: 'EUR' } }],
  ['the greatest version', 'accounts', { type: 'opened', v: Number.MAX_SAFE_INTEGER, data: {} }],
  ['a missing property', 'accounts', { type: 'opened', data: { owner: 'A' } }],
  ['an unknown property', 'accounts', { type: 'opened', data: { owner: 'A', currency: 'EUR', admin: true } }],
  [
    '`__proto__`',
    'accounts',
    '{"type":"opened","data":{"owner":"A","currency":"EUR","__proto__":{"admin":true}}}',
  ],
  [
    '`__proto__` for everything',
    'accounts',
    '{"type":"opened","data":{"__proto__":{"owner":"A","currency":"EUR"}}}',
  ],
  ['a number for a text', 'accounts', { type: 'opened', data: { owner: 7, currency: 'EUR' } }],
  ['an object for a text', 'accounts', { type: 'opened', data: { owner: { toString: 1 }, currency: 'EUR' } }],
  [
    'a text that is too long',
    'accounts',
    { type: 'opened', data: { owner: 'a'.repeat(201), currency: 'EUR' } },
  ],
  ['a fraction for an integer', 'accounts', { type: 'credited', data: { amount: 0.5 } }],
  ['an integer that only a double holds', 'accounts', { type: 'credited', data: { amount: 1e300 } }],
  ['text for an integer', 'accounts', { type: 'credited', data: { amount: '5' } }],
  ['true for an integer', 'accounts', { type: 'credited', data: { amount: true } }],
  ['less than the least', 'accounts', { type: 'credited', data: { amount: -0 } }],
  ['a total below zero', 'orders', { type: 'placed', data: { customer: 'A', total: -1 } }],
  [
    'text for a number',
    'readings',
    { type: 'recorded', data: { sensor: 's', value: 'NaN', at: '2026-11-21T08:56:38Z' } },
  ],
  [
    'null for a number',
    'readings',
    { type: 'recorded', data: { sensor: 's', value: null, at: '2026-11-21T08:56:38Z' } },
  ],
  [
    'a day that does not exist',
    'readings',
    { type: 'recorded', data: { sensor: 's', value: 1, at: '2026-02-30T00:00:00Z' } },
  ],
  [
    'a time that Postgres alone knows',
    'readings',
    { type: 'recorded', data: { sensor: 's', value: 1, at: 'infinity' } },
  ],
];

test.each(SCHEMA)('no schema fits: %s', async (title, dataset, what) => {
  const key = `eu:schema-${title.replaceAll(' ', '-')}`;
  const text = typeof what === 'string' ? what : JSON.stringify(what);
  const content = `{"ack":"accepted","events":[${text.replace('{', `{"key":${JSON.stringify(key)},`)}]}`;
  const path = `/v1/datasets/${dataset}/entries`;
  for (const region of REGIONS) expectProblem(await post(region, path, content), 422, 'schema');

  const idempotencyKey = uniqueKey();
  const headers = { 'idempotency-key': idempotencyKey };
  const [home, ...others] = REGIONS;
  const first = await post(home, path, content, headers);
  expectProblem(first, 422, 'schema');
  expect(first.body.receipt).toMatchObject({ id: idempotencyKey, outcome: 'rejected', code: 'schema' });
  expect(first.headers.get('idempotent-replayed')).toBeNull();
  for (const region of others) {
    const again = await post(region, path, content, headers);
    expectProblem(again, 422, 'schema');
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.body.receipt.sequence).toBe(first.body.receipt.sequence);
  }
  const { shard } = first.body.receipt as { shard: string };
  const receipt = await call(
    `${cluster.gateway('ap')}/v1/datasets/${dataset}/receipts/${idempotencyKey}?wait=accepted&shard=${encodeURIComponent(shard)}`,
  );
  expect(receipt).toMatchObject({ status: 200, body: { outcome: 'rejected', code: 'schema' } });
  // Bound is bound: a good entry under the same key is another entry.
  const good = { events: [{ key, type: 'cancelled', data: { reason: 'r' } }], ack: 'accepted' };
  expectProblem(await post('us', path, JSON.stringify(good), headers), 422, 'key-reused');
});

describe.each(REGIONS)('a batch through %s', (region) => {
  const BATCH = `${ENTRIES}:batch`;

  test('bad neighbours do not refuse good ones', async () => {
    const key = (n: number): string => `${REGIONS[n % 3]}:batch-${region}-${n}`;
    const good = (n: number): object => ({ events: [event({ key: key(n) })] });
    const bad: readonly (readonly [item: unknown, code: string])[] = [
      [null, 'malformed'],
      [[], 'malformed'],
      [{}, 'malformed'],
      [{ events: [event()], ack: 'logged' }, 'malformed'],
      [{ events: [event({ key: 'nowhere' })] }, 'malformed'],
      [{ events: [event({ key: 'mars:x' })] }, 'unknown-group'],
      [{ events: [event(), event({ key: 'ap:x' })] }, 'several-shards'],
      [{ events: Array(101).fill(event()) }, 'too-large'],
      [{ events: [event({ data: { owner: 'a'.repeat(600_000) } })] }, 'too-large'],
      [{ events: [event({ type: 'renamed' })] }, 'schema'],
      [{ events: [event({ type: 'renamed' })], idempotencyKey: uniqueKey() }, 'schema'],
      [{ events: [event({ key: 'us:none', type: 'credited', data: { amount: 1 } })] }, 'guard'],
      ...['', 'k'.repeat(129), 'caf\u00e9', ' blank', 'blank ', 7].map(
        (idempotencyKey) => [{ events: [event()], idempotencyKey }, 'malformed'] as const,
      ),
    ];
    const entries = [good(0), ...bad.flatMap(([item], n) => [item, good(n + 1)])];
    const answer = await post(region, BATCH, JSON.stringify({ entries }));
    expect(answer.status).toBe(207);
    const answers = answer.body.entries as Record<string, unknown>[];
    expect(answers.length).toBe(entries.length);
    for (const [n, one] of answers.entries()) {
      if (n % 2 === 0)
        expect(one).toMatchObject({ outcome: 'accepted', versions: { [key(n / 2)]: expect.any(Number) } });
      else
        expect(one).toMatchObject({
          code: bad[(n - 1) / 2]![1],
          status: expect.any(Number),
          next: expect.stringMatching(/\S/),
        });
    }
    expect(JSON.stringify(answers)).not.toMatch(INSIDE);
  });

  test.each<[string, string, number, string]>([
    ['no JSON', '[', 400, 'malformed'],
    ['no entries', '{}', 400, 'malformed'],
    ['an empty list', '{"entries":[]}', 400, 'malformed'],
    ['events instead of entries', body(), 400, 'malformed'],
    [
      'one number beyond 2^53',
      `{"entries":[${body()},${withData('{"amount":9007199254740993}')}]}`,
      400,
      'malformed',
    ],
    ['1,001 entries', `{"entries":[${Array(1_001).fill(body()).join(',')}]}`, 413, 'too-large'],
    ['two million empty objects', `{"entries":[${'{},'.repeat(2_000_000)}{}]}`, 413, 'too-large'],
    ['more than 8 MiB', ' '.repeat(8 * 1024 * 1024 + 1), 413, 'too-large'],
  ])('as a whole: %s', async (_title, content, status, code) => {
    expectProblem(await post(region, BATCH, content), status, code);
  });
});

const wrongToken = (lie: string, at = 1n): string =>
  encodeToken(
    new Map([
      [
        shardName('accounts' as DatasetName, 0),
        { logIncarnation: lie as LogIncarnation, sequence: sequence(at) },
      ],
    ]),
  );

test.each<{ path: string; status: number; code: string; token?: string }>([
  { path: 'rows/eu', status: 400, code: 'malformed' },
  { path: 'rows/eu:%00', status: 400, code: 'malformed' },
  { path: 'rows/eu:%07', status: 400, code: 'malformed' },
  { path: `rows/eu:${'a'.repeat(5_000)}`, status: 400, code: 'malformed' },
  { path: 'rows/%FF%FE', status: 400, code: 'malformed' },
  { path: 'rows/%E0%A4%A', status: 400, code: 'malformed' },
  { path: 'rows/mars:x', status: 422, code: 'unknown-group' },
  { path: "rows/eu:'%3B%20select%201--", status: 404, code: 'not-found' },
  { path: 'rows/eu:a/b', status: 404, code: 'not-found' },
  { path: 'rows/eu:good?consistency=eventual', status: 400, code: 'malformed' },
  { path: 'rows/eu:good?consistency=local&consistency=strong', status: 400, code: 'malformed' },
  { path: 'rows/eu:good?consitency=strong', status: 400, code: 'malformed' },
  { path: 'rows/eu:good?__proto__=1', status: 400, code: 'malformed' },
  { path: 'rows/eu:good?timeoutMs=0', status: 400, code: 'malformed' },
  { path: 'rows/eu:good?timeoutMs=1e3', status: 400, code: 'malformed' },
  { path: 'rows/eu:good?timeoutMs=99999999999999999999', status: 400, code: 'malformed' },
  { path: 'rows/eu:good?consistency=%FF', status: 400, code: 'malformed' },
  { path: 'rows/eu:good?consistency=session', status: 400, code: 'malformed' },
  { path: 'rows/eu:good?consistency=session', status: 400, code: 'bad-token', token: 'garbage' },
  { path: 'rows/eu:good?consistency=session', status: 400, code: 'bad-token', token: '1~~00000000' },
  {
    path: 'rows/eu:good?consistency=session',
    status: 400,
    code: 'bad-token',
    token: wrongToken('0'.repeat(32)).replace('@0', '@1'),
  },
  { path: 'receipts/caf%C3%A9', status: 400, code: 'malformed' },
  { path: `receipts/${'k'.repeat(129)}`, status: 400, code: 'malformed' },
  { path: 'receipts/%00', status: 400, code: 'malformed' },
  { path: 'receipts/k', status: 404, code: 'not-seen' },
  { path: 'receipts/k?wait=soon', status: 400, code: 'malformed' },
  { path: 'receipts/k?wiat=quorum', status: 400, code: 'malformed' },
  { path: 'receipts/k?wait=quorum&timeoutMs=-1', status: 400, code: 'malformed' },
  { path: 'receipts/k?shard=accounts', status: 400, code: 'malformed' },
  { path: 'receipts/k?shard=accounts%2F99', status: 400, code: 'malformed' },
  { path: 'receipts/k?shard=orders%2F0', status: 400, code: 'malformed' },
  { path: 'receipts/k?shard=accounts%2F0&deadline=soon', status: 400, code: 'malformed' },
  { path: 'receipts/k?shard=accounts%2F0&deadline=9007199254740993', status: 400, code: 'malformed' },
  { path: 'receipts/k?shard=accounts%2F0&deadline=1', status: 404, code: 'never-or-expired' },
  { path: 'receipts/', status: 404, code: 'not-found' },
  { path: 'nothing', status: 404, code: 'not-found' },
])('GET /v1/datasets/accounts/$path', async ({ path, status, code, token }) => {
  for (const region of REGIONS) {
    const headers: Record<string, string> = token === undefined ? {} : { 'lockstep-token': token };
    expectProblem(
      await call(`${cluster.gateway(region)}/v1/datasets/accounts/${path}`, { headers }),
      status,
      code,
    );
  }
});

test('a token of another log, or ahead of every log, is not reached in time', async () => {
  const { body: shard } = await call(`${cluster.gateway('us')}/v1/shards/accounts/0`);
  const here = shard.regions.us.logIncarnation as string;
  const key = `eu:${uniqueKey()}`;
  // Keys of both shards of the group: one of them is named by the token.
  for (const token of [wrongToken('ab'.repeat(16)), wrongToken(here, 10n ** 18n)]) {
    const codes = await Promise.all(
      Array.from({ length: 12 }, async (_, n) => {
        const read = await call(
          `${cluster.gateway('us')}/v1/datasets/accounts/rows/${key}${n}?consistency=session&timeoutMs=50`,
          { headers: { 'lockstep-token': token } },
        );
        expectProblem(read, read.status, read.body.code);
        return read.body.code as string;
      }),
    );
    expect(new Set(codes)).toEqual(new Set(['token-unreachable', 'not-found']));
  }
});

test.each([
  'nope/0',
  'accounts/6',
  'accounts/-1',
  'accounts/00',
  'accounts/1e0',
  'accounts/9007199254740993',
  '__proto__/0',
  'accounts/%00',
])('there is no shard %s', async (shard) =>
  expectProblem(await call(`${cluster.gateway('eu')}/v1/shards/${shard}`), 404, 'not-found'),
);

test.each<[string, string, number, string]>([
  ['PUT', ENTRIES, 405, 'method-not-allowed'],
  ['DELETE', `${ENTRIES}:batch`, 405, 'method-not-allowed'],
  ['PROPFIND', '/v1/shards', 405, 'method-not-allowed'],
  ['POST', '/v1/datasets/accounts/rows/eu:good', 405, 'method-not-allowed'],
  ['OPTIONS', '/metrics', 405, 'method-not-allowed'],
  ['POST', '/', 404, 'not-found'],
  ['GET', '/v1/datasets', 404, 'not-found'],
  ['GET', '/v1/cluster', 404, 'not-found'],
  ['GET', '/%2e%2e/%2e%2e/etc/passwd', 404, 'not-found'],
  ['GET', '/v1/%', 404, 'not-found'],
])('%s %s is no call of a gateway', async (method, path, status, code) => {
  for (const region of REGIONS)
    expectProblem(await call(`${cluster.gateway(region)}${path}`, { method }), status, code);
});

describe('bytes that are hardly HTTP', () => {
  const head = (lines: string, length = 0): string =>
    `POST ${ENTRIES} HTTP/1.1\r\nHost: x\r\n${lines}Content-Length: ${length}\r\n\r\n`;

  test.each<[string, string | Uint8Array, number, string]>([
    ['noise', randomBytes(512), 400, 'malformed'],
    ['TLS', Buffer.from('160301020001000000fc0303', 'hex'), 400, 'malformed'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'malformed'],
    ['HTTP/9.9', 'GET / HTTP/9.9\r\nHost: x\r\n\r\n', 400, 'malformed'],
    ['no Host', 'GET /v1/shards HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'malformed'],
    ['another expectation', head('Connection: close\r\nExpect: a-miracle\r\n'), 400, 'malformed'],
    ['a tunnel', 'CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n', 405, 'method-not-allowed'],
    [
      'another protocol',
      'GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\r\n',
      404,
      'not-found',
    ],
    ['two lengths', head('Content-Length: 3\r\n'), 400, 'malformed'],
    ['a length and chunks', head('Transfer-Encoding: chunked\r\n', 3), 400, 'malformed'],
    ['a negative length', head('', -1), 400, 'malformed'],
    [
      'a length beyond 2^64',
      `POST ${ENTRIES} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n`,
      400,
      'malformed',
    ],
    [
      'a broken chunk',
      `POST ${ENTRIES} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"eve\r\nzz\r\n`,
      400,
      'malformed',
    ],
    ['NUL in a header', head('Idempotency-Key: a\0b\r\n'), 400, 'malformed'],
    [
      'bytes in the path',
      Buffer.from('GET /v1/\xff HTTP/1.1\r\nHost: x\r\n\r\n', 'latin1'),
      400,
      'malformed',
    ],
    [
      'a key twice',
      head('Connection: close\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n'),
      400,
      'malformed',
    ],
    ['a huge header', head(`X: ${'x'.repeat(20_000)}\r\n`), 431, 'header-too-large'],
    ['a huge path', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431, 'header-too-large'],
    ['2,000 headers', head('a: b\r\n'.repeat(3_000)), 431, 'header-too-large'],
    ['a body that ends too early', head('', 1_000) + body(), 400, 'malformed'],
  ])('%s', async (_title, bytes, status, code) => {
    for (const region of REGIONS) {
      const answer = await raw(region, bytes, 'end');
      expect(answer).toContain(`HTTP/1.1 ${status} `);
      expect(answer.match(/HTTP\/1\.1 \d/g)?.length).toBe(1);
      expect(answer.toLowerCase()).toContain('content-type: application/problem+json');
      const told = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as Record<string, unknown>;
      expect(told).toMatchObject({ status, code, next: expect.stringMatching(/\S/) });
      expect(answer).not.toMatch(INSIDE);
    }
  });

  test('names that every object has may stand in a header', async () => {
    const content = JSON.stringify(opened('eu:headers'));
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '__proto__', 'constructor'];
    const answer = await raw(
      'us',
      head(
        `Connection: close\r\n${names.map((name) => `${name}: x\r\n`).join('')}`,
        Buffer.byteLength(content),
      ) + content,
    );
    expect(answer).toContain('HTTP/1.1 200 OK');
  });

  test('garbage behind a write is not answered in the place of the write', async () => {
    const content = JSON.stringify({ events: [event({ key: 'us:pipelined' })] });
    const answer = await raw('eu', `${head('', Buffer.byteLength(content))}${content}garbage\r\n\r\n`);
    expect(answer).not.toContain('HTTP/1.1 4');
    const row = await eventually(
      () => call(`${cluster.gateway('eu')}/v1/datasets/accounts/rows/us:pipelined`),
      ({ status }) => status === 200,
    );
    expect(row.body.row.owner).toBe('A');
  });

  test('a body that comes slowly is taken; one that breaks off leaves nothing', async () => {
    const content = JSON.stringify(opened('ap:slow'));
    async function* slowly(): AsyncGenerator<Uint8Array> {
      for (const byte of Buffer.from(content)) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        yield Uint8Array.of(byte);
      }
    }
    const init = {
      method: 'POST',
      body: slowly() as unknown as NonNullable<RequestInit['body']>,
      duplex: 'half',
    } as RequestInit;
    expect((await call(`${cluster.gateway('eu')}${ENTRIES}`, init)).status).toBe(200);
    const broken = JSON.stringify(opened('ap:broken'));
    await Promise.all(
      Array.from({ length: 20 }, () => raw('eu', head('', broken.length + 1) + broken, 'reset')),
    );
    expectProblem(
      await call(`${cluster.gateway('eu')}/v1/datasets/accounts/rows/ap:broken?consistency=strong`),
      404,
      'not-found',
    );
  });
});

test('replicators and coordinators refuse as gateways do', async () => {
  for (const { coordinator, replicator } of Object.values(cluster.file.regions)) {
    for (const address of [coordinator, replicator]) {
      expectProblem(await call(`${address}${ENTRIES}`, { method: 'POST', body: body() }), 404, 'not-found');
      expectProblem(
        await call(`${address}/metrics`, { method: 'POST', body: 'x'.repeat(100_000) }),
        405,
        'method-not-allowed',
      );
    }
    expectProblem(await call(`${replicator}/v1/stream?verdicts=everything`), 400, 'malformed');
    expectProblem(await call(`${replicator}/v1/stream?verdict=0`), 400, 'malformed');
    expectProblem(await call(`${coordinator}/v1/cluster`, { method: 'DELETE' }), 405, 'method-not-allowed');
  }
});

test('200 generated requests at once: each is answered, and none meets a defect', async () => {
  const junk = fc.oneof(
    fc.anything(),
    fc.constantFrom<unknown>(-1, 2 ** 60, 1e308, '', '\u0000', '\ud800', '__proto__', [[[[]]]]),
  );
  const mutated = (base: object): fc.Arbitrary<string> =>
    fc
      .tuple(fc.subarray(Object.keys(base)), fc.dictionary(fc.string(), junk, { maxKeys: 2 }), junk)
      .map(([names, more, value]) =>
        asJson({ ...base, ...more, ...Object.fromEntries(names.map((name) => [name, value])) }),
      );
  const events = fc.array(mutated(event()), { minLength: 1, maxLength: 3 });
  const content = fc.oneof(
    events.map((texts) => `{"events":[${texts.join(',')}],"ack":"accepted"}`),
    events.map((texts) => `{"entries":[{"events":[${texts.join(',')}]},{"events":[]}]}`),
    mutated({ events: [event()], ack: 'quorum', timeoutMs: 500 }),
    fc.json(),
    fc.string({ unit: 'binary' }),
    fc.uint8Array({ maxLength: 2_000, size: 'max' }).map((bytes) => Buffer.from(bytes)),
  );
  const segment = fc
    .oneof(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
      fc.constantFrom('accounts', 'orders', '__proto__'),
    )
    .map(encodeURIComponent);
  const path = fc.oneof(
    fc.constantFrom(
      ENTRIES,
      `${ENTRIES}:batch`,
      '/v1/datasets/orders/entries',
      '/v1/datasets/readings/entries:batch',
    ),
    fc
      .tuple(fc.constantFrom('rows', 'receipts'), segment, fc.webQueryParameters())
      .map(([what, name, query]) => `/v1/datasets/accounts/${what}/${name}?${query}`),
    fc.tuple(segment, segment).map(([one, two]) => `/v1/${one}/${two}`),
  );
  const header = fc.stringMatching(/^[ -~\u00a0-\u00ff]{0,40}$/);
  const headers = fc.record(
    {
      'idempotency-key': header,
      'lockstep-token': header,
      'lockstep-forwarded': header,
      traceparent: header,
      'content-type': header,
    },
    { requiredKeys: [] },
  );
  const requests = fc.sample(
    fc.record({
      path,
      method: fc.constantFrom('POST', 'POST', 'POST', 'GET', 'PUT', 'DELETE'),
      content,
      headers,
      region: fc.constantFrom(...REGIONS),
    }),
    { numRuns: 200, seed: 20_261_121 },
  );
  const answers = await Promise.all(
    requests.map(({ path: where, method, content: bytes, headers: told, region }) =>
      call(`${cluster.gateway(region)}${where}`, {
        method,
        headers: told as Record<string, string>,
        ...(method === 'GET' ? {} : { body: bytes as NonNullable<RequestInit['body']> }),
      }),
    ),
  );
  const refused = answers.filter(({ status }) => status >= 400);
  expect(refused.length).toBeGreaterThan(100);
  for (const answer of refused) {
    expectProblem(answer, answer.status, answer.body.code);
    if (answer.status >= 500 || answer.status === 429) {
      expect([429, 503]).toContain(answer.status);
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
    }
  }
});

/** JSON of whatever was generated; what JSON cannot say becomes text. */
function asJson(value: unknown): string {
  try {
    return (
      JSON.stringify(value, (_name, part: unknown) => (typeof part === 'bigint' ? String(part) : part)) ??
      'null'
    );
  } catch {
    return '{"circular":true}';
  }
}

describe('garbage in a topic, written past the gateways', () => {
  const PARTITIONS = [0, 2, 4];
  const header = (changes: Partial<EntryHeader> = {}): Buffer =>
    Buffer.from(
      encodeHeader({
        kind: 'data',
        epoch: epoch(1n),
        publisherClockMs: Date.now(),
        notAfterMs: Date.now() + 60_000,
        // A fresh session each, so that numbers begin at 1.
        publisher: randomBytes(16).toString('hex') as PublisherId,
        number: entryNumber(1n),
        configurationPrefix: NO_CONFIGURATION_PREFIX,
        region: 'eu' as RegionName,
        idempotency: null,
        signature: null,
        ...changes,
      }),
    );
  const control = (kind: EntryHeader['kind']): Buffer =>
    header({ kind, publisher: NO_PUBLISHER, number: entryNumber(0n) });
  const patched = (at: number, byte: number): Buffer => {
    const bytes = header();
    bytes[at] = byte;
    return bytes;
  };
  const message = (
    value: string | Buffer | null,
    lockstep: Buffer | Buffer[] | null = header(),
    more: Message['headers'] = {},
  ): Message => ({
    key: 'eu:foreign',
    value,
    headers: { ...(lockstep === null ? {} : { lockstep }), ...more },
  });
  const events = (changes: object = {}): string => JSON.stringify([event({ key: 'eu:foreign', ...changes })]);
  const proto = (content: Buffer): NonNullable<Message['headers']> =>
    Object.fromEntries([['__proto__', content]]);

  /** Just below what the topic takes in one call. */
  const huge = message('x'.repeat(4 * 1024 * 1024 - 1024));
  const topic = 'lockstep.accounts';

  async function producing(
    options: ProducerConfig,
    produce: (producer: Producer) => Promise<unknown>,
  ): Promise<void> {
    const client = new Kafka({ brokers: [...cluster.file.kafka.brokers], logLevel: logLevel.NOTHING });
    const producer = client.producer({ allowAutoTopicCreation: false, ...options });
    await producer.connect();
    try {
      await produce(producer);
    } finally {
      await producer.disconnect();
    }
  }

  /** Nothing here may be accepted; each takes one sequence. */
  const GARBAGE: readonly Message[] = [
    { value: null },
    { key: null, value: Buffer.alloc(0) },
    { key: null, value: events(), headers: {} },
    message(null),
    message(Buffer.alloc(0)),
    message(events(), null),
    message(events(), Buffer.alloc(0)),
    message(events(), header().subarray(0, 68)),
    message(events(), header().subarray(0, -1)),
    message(events(), Buffer.concat([header(), Buffer.alloc(1)])),
    message(events(), randomBytes(71)),
    message(events(), Buffer.alloc(500_000, 0x4c)),
    message(events(), patched(0, 0)),
    message(events(), patched(1, 2)),
    message(events(), patched(2, 250)),
    message(events(), patched(3, 0xff)),
    message(events(), patched(68, 0)),
    message(events(), [header(), header()]),
    message(events(), null, proto(header())),
    message('not json', header(), proto(randomBytes(9))),
    message('not json', header(), { traceparent: [Buffer.from([0xff, 0xfe]), Buffer.alloc(0)] }),
    message('not json', header(), { traceparent: 'x'.repeat(100_000) }),
    // A number for a name goes before all others in a JavaScript object, whatever the order of the record was.
    message('not json', header(), { '1': randomBytes(9), '0': '' }),
    message(events(), null, { '0': header() }),
    message('x'.repeat(600 * 1024)),
    message(events({ data: { owner: 'a'.repeat(600 * 1024), currency: 'EUR' } })),
    message(Buffer.from([0x5b, 0xff, 0xfe, 0x5d])),
    message('["\0"]'),
    message('{}'),
    message('[]'),
    message('[null]'),
    message(nested(100_000)),
    message(`[{"key":"eu:foreign","type":"opened","data":{"a":${nested(100_000)}}}]`),
    message('[{"__proto__":{"key":"eu:foreign","type":"opened","data":{}}}]'),
    message('[{"key":"eu:foreign","type":"opened","data":{"owner":"A","currency":"EUR","__proto__":{}}}]'),
    message(events({ data: { owner: '\ud800', currency: 'EUR' } })),
    message(events({ data: { owner: '\u0000', currency: 'EUR' } })),
    message(events({ key: 'eu:\ud800' })),
    message('[{"key":"eu:foreign","type":"credited","data":{"amount":9007199254740993}}]'),
    message('[{"key":"eu:foreign","type":"credited","data":{"amount":1e400}}]'),
    message(events({ type: 'renamed' })),
    message(events({ type: 'constructor' })),
    message(events({ v: 9 })),
    message(events({ key: 'mars:foreign' })),
    message(JSON.stringify([event({ key: 'eu:foreign' }), event({ key: 'us:foreign' })])),
    message(JSON.stringify(Array(101).fill(event()))),
    message(events(), header({ number: entryNumber(2n) })),
    message(events(), header({ number: entryNumber(2n ** 64n - 1n) })),
    message(events(), header({ epoch: epoch(2n ** 64n - 1n) })),
    message(events(), header({ epoch: epoch(0n) })),
    message(events(), header({ region: 'mars' as RegionName })),
    message(
      events(),
      header({ notAfterMs: -8_640_000_000_000_000, publisherClockMs: -8_640_000_000_000_000 }),
    ),
    message(events(), header({ notAfterMs: 8_640_000_000_000_000, publisherClockMs: 8_640_000_000_000_000 })),
    message(events(), control('genesis')),
    message(
      JSON.stringify({ logIncarnation: '0'.repeat(32), home: 'us', configuration: '0'.repeat(64) }),
      control('genesis'),
    ),
    message(
      JSON.stringify({ expectedEpoch: 7, epoch: 8, home: 'us', term: 1, decision: 1 }),
      control('fence'),
    ),
    message(
      JSON.stringify({ expectedEpoch: 1, epoch: 3, home: 'us', term: 1, decision: 1 }),
      control('fence'),
    ),
    message(
      JSON.stringify({ expected: '0'.repeat(64), configuration: '1'.repeat(64) }),
      control('configuration'),
    ),
    message('{"key":"x","deadlineMs":1e400}', control('settle')),
    message('{"__proto__":1}', control('probe')),
    message('{}', control('carried')),
    { ...message('not json'), timestamp: '9223372036854775807' },
    { ...message('not json'), timestamp: '-1' },
  ];

  test('every region counts each record, with the same hashes, and the shards still take writes', async () => {
    const look = async (): Promise<readonly Answered[]> =>
      Promise.all(
        REGIONS.flatMap((region) =>
          PARTITIONS.map((partition) => call(`${cluster.gateway(region)}/v1/shards/accounts/${partition}`)),
        ),
      );
    const even = (answers: readonly Answered[]): boolean =>
      answers.every(
        ({ body: shard }) =>
          new Set(
            Object.values(shard.regions as Record<string, { sequence: number }>).map((one) => one.sequence),
          ).size === 1,
      );
    const before = new Map(
      (await eventually(look, even)).map(({ body: shard }) => [
        shard.shard as string,
        shard.regions.eu.sequence as number,
      ]),
    );

    await producing({}, async (producer) => {
      for (const partition of PARTITIONS) {
        const messages = GARBAGE.map((one) => ({ ...one, partition }));
        await producer.send({ topic, messages });
        await producer.send({
          topic,
          messages: messages.slice(0, 10),
          compression: CompressionTypes.GZIP,
        });
        await producer.send({ topic, messages: [{ ...huge, partition }] });
      }
    });

    const records = GARBAGE.length + 11;
    const counted = ({ body: shard }: Answered): boolean =>
      Object.values(shard.regions as Record<string, { sequence: number }>).every(
        (one) => one.sequence >= before.get(shard.shard as string)! + records,
      );
    for (const { body: shard } of await eventually(
      look,
      (answers) => even(answers) && answers.every(counted),
    )) {
      expect(shard).toMatchObject({ state: 'open', epoch: 1, reason: null });
      const regions = Object.values(
        shard.regions as Record<
          string,
          { sequence: number; inputHash: string; effectsHash: string; halted: unknown; differs: boolean }
        >,
      );
      for (const one of regions)
        expect(one).toMatchObject({
          sequence: before.get(shard.shard as string)! + records,
          halted: null,
          differs: false,
        });
      expect(new Set(regions.map((one) => one.inputHash + one.effectsHash)).size).toBe(1);
    }
    for (const region of REGIONS) {
      const found = await cluster.sql(region, `select id from accounts where id like '%foreign%'`);
      expect(found).toEqual([]);
    }
    for (const region of REGIONS) {
      for (const home of REGIONS) {
        // Several keys, so that both shards of the group are met.
        const answers = await Promise.all(
          [1, 2, 3, 4].map((n) => write(cluster, region, 'accounts', opened(`${home}:after-${region}-${n}`))),
        );
        for (const answer of answers)
          expect(answer).toMatchObject({ status: 200, body: { stage: 'everywhere' } });
      }
    }
  });

  test('a transaction that was aborted leaves entries like others, and its end takes no sequence', async () => {
    const key = 'eu:aborted';
    const begun = await write(cluster, 'eu', 'accounts', opened(key));
    const { shard, sequence } = begun.body as { shard: string; sequence: number };
    const partition = Number(shard.split('/')[1]);
    const credit = (amount: number, more: Message['headers'] = {}): Message & { partition: number } => ({
      ...message(JSON.stringify([{ key, type: 'credited', data: { amount } }]), header(), more),
      partition,
    });
    await producing(
      { transactionalId: uniqueKey(), maxInFlightRequests: 1, idempotent: true },
      async (producer) => {
        const transaction = await producer.transaction();
        await transaction.send({ topic, messages: [credit(5), { ...message('not json'), partition }] });
        await transaction.abort();
      },
    );
    // A good one, between headers that are not ours.
    const strange = { '1': 'x', ...proto(randomBytes(9)), toString: 'x' };
    await producing({}, (producer) => producer.send({ topic, messages: [credit(70, strange)] }));

    const last = await write(cluster, 'us', 'accounts', {
      events: [{ key, type: 'credited', data: { amount: 900 } }],
      ack: 'everywhere',
    });
    expect(last).toMatchObject({ status: 200, body: { sequence: sequence + 4, stage: 'everywhere' } });
    for (const region of REGIONS) {
      const found = await cluster.sql(
        region,
        'select balance, lockstep_version from accounts where id = $1',
        [key],
      );
      expect(found).toEqual([{ balance: '975', lockstep_version: String(sequence + 4) }]);
    }
  });

  test('every region has counted the same verdicts', async () => {
    const verdicts = async (region: Region): Promise<readonly string[]> =>
      (await (await fetch(`${cluster.file.regions[region]!.replicator}/metrics`)).text())
        .split('\n')
        .filter((line) => line.startsWith('lockstep_verdicts_total{'))
        .map((line) => line.replace(`region="${region}"`, ''))
        .sort();
    const [first] = await eventually(
      () => Promise.all(REGIONS.map(verdicts)),
      (all) => new Set(all.map((lines) => lines.join('\n'))).size === 1,
    );
    for (const verdict of ['accepted', 'malformed', 'superseded', 'hole', 'fenced'])
      expect(first!.some((line) => line.includes(`verdict="${verdict}"`))).toBe(true);
  });
});

test('a header that never ends is cut off', async () => {
  const answer = await slowHeader;
  expect(answer).toContain('HTTP/1.1 408 ');
  expect(answer).toContain('"code":"request-timeout"');
});

test('after all of it: the same processes, healthy, without a defect in any log, and a good write', async () => {
  expect(pids()).toBe(pidsBefore);
  for (const region of REGIONS) {
    const { gateway, replicator, coordinator } = cluster.file.regions[region]!;
    for (const address of [gateway, replicator, coordinator]) {
      for (const path of ['/healthz', '/readyz'])
        await eventually(
          () => call(`${address}${path}`),
          ({ status }) => status === 200,
        );
    }
    expect(await write(cluster, region, 'accounts', opened(`${region}:last`))).toMatchObject({
      status: 200,
      body: { stage: 'everywhere' },
    });
  }
  const logs = join(cluster.data, 'logs');
  for (const file of readdirSync(logs)) {
    if (/^[a-z]+-(gateway|replicator|coordinator)\.log/.test(file)) {
      expect(readFileSync(join(logs, file), 'utf8')).not.toMatch(/"level":"(error|fatal)"/);
    }
  }
});
