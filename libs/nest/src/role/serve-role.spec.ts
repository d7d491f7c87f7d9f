import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { openLogger } from '@lockstep/telemetry';
import type { KnockingWrite, Subscription } from '@lockstep/engine';
import type { GatewayApi } from '../http/gateway-api.js';
import { problemAnswer, type HttpAnswer } from '../http/http-answer.js';
import { BATCH_BODY_BYTES_MAX, BODIES_HELD_BYTES_MAX, BODY_BYTES_MAX } from '../http/incoming.js';
import { OPENAPI_TEXT } from '../http/openapi.js';
import { STREAMS_MAX } from '../http/stream.controller.js';
import type { Site } from '../http/site.js';
import type { Role } from './role.js';
import { DRAIN_MS_MAX, serveRole } from './serve-role.js';
import type { ServedRole } from './serve-role.js';

const OK: HttpAnswer = {
  status: 200,
  headers: { 'content-type': 'application/json', 'lockstep-token': 't' },
  body: '{"ok":"ü"}',
};
const LISTEN = { host: '127.0.0.1', port: 0 };

/** Every call that reached an API, as it reached it. */
let calls: unknown[][] = [];
let logged: string[] = [];
let served: ServedRole;
/** What the gateway does with a write; a test may replace it. */
let onWrite: (body: string) => Promise<HttpAnswer>;
let subscriptions: { readonly prefix: string | null; closed: boolean }[] = [];
let roleClosed = false;
/** Status and code of each refusal that the role was told. */
let refused: (readonly [status: number, code: string])[] = [];

const record =
  (name: string) =>
  (...received: unknown[]): Promise<HttpAnswer> => {
    calls.push([name, ...received]);
    return Promise.resolve(OK);
  };

/** Writes that were admitted and not released. */
let underWay = 0;

/** Writes that asked to be taken. */
let knocks: KnockingWrite[] = [];

const refusal = (write: KnockingWrite): HttpAnswer | null => {
  knocks.push(write);
  return write.dataset === 'full' ? problemAnswer('too-many-requests', 'full', { 'retry-after': '1' }) : null;
};

const gateway: GatewayApi = {
  refusal,
  admit: (write) => {
    const refused = refusal(write);
    if (refused !== null) return { refused };
    underWay += 1;
    return { release: () => (underWay -= 1) };
  },
  write: (asked) => {
    calls.push(['write', asked]);
    return onWrite(asked.body);
  },
  writeBatch: record('writeBatch'),
  receipt: record('receipt'),
  row: record('row'),
  rows: record('rows'),
  changes: record('changes'),
  quarantine: record('quarantine'),
  quarantined: record('quarantined'),
  reapply: record('reapply'),
  discard: record('discard'),
  status: record('status'),
  shards: record('shards'),
  shard: record('shard'),
  outbox: record('outbox'),
};

const role: Role = {
  gateway,
  coordinator: {
    cluster: record('cluster'),
    changeRule: record('changeRule'),
    move: record('move'),
    approve: record('approve'),
    preflight: record('preflight'),
    evacuate: record('evacuate'),
    cancel: record('cancel'),
    acknowledge: record('acknowledge'),
    pause: record('pause'),
    resume: record('resume'),
    decisions: record('decisions'),
    history: record('history'),
    records: record('records'),
    console: record('console'),
    canaries: record('canaries'),
    ruleChanges: record('ruleChanges'),
    ofRegion: record('ofRegion'),
  },
  health: { health: () => OK, ready: () => ({ ...OK, status: 503 }) },
  metricsText: () => Promise.resolve('lockstep_up 1\n'),
  refused: (status, code) => refused.push([status, code]),
  openStream: (prefix): Subscription => {
    const opened = { prefix, closed: false };
    subscriptions.push(opened);
    let end: (error: Error) => void = () => undefined;
    return {
      next: () => new Promise((_resolve, reject) => (end = reject)),
      close: () => {
        opened.closed = true;
        end(new Error('the subscription is closed'));
      },
    };
  },
  close: () => {
    roleClosed = true;
    return Promise.resolve();
  },
};

const logger = openLogger(
  { level: 'debug', service: 'lockstep', region: 'eu', role: 'gateway', instance: 'test' },
  { write: (line: string) => void logged.push(line) },
);

beforeEach(async () => {
  calls = [];
  knocks = [];
  logged = [];
  subscriptions = [];
  roleClosed = false;
  refused = [];
  onWrite = () => Promise.resolve(OK);
  served = await serveRole(role, LISTEN, logger);
});
afterEach(() => served.close());

const ask = (path: string, options: RequestInit = {}): Promise<Response> =>
  fetch(`${served.url}${path}`, options);
const post = (
  path: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: { [name: string]: string } = {},
): Promise<Response> => ask(path, { method: 'POST', body, headers });

async function expectProblem(
  response: Response,
  status: number,
  code: string,
): Promise<{ detail: string; next: string }> {
  const document = (await response.json()) as { title: string; detail: string; next: string };
  const { title, detail, next } = document;
  expect({ http: response.status, ...document }).toEqual({
    http: status,
    type: `urn:lockstep:problem:${code}`,
    title,
    status,
    code,
    detail,
    next,
  });
  expect([title, detail, next].every((text) => typeof text === 'string' && text.length > 0)).toBe(true);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  return document;
}

describe('the gateway routes', () => {
  test('hand a write over byte for byte, with its headers', async () => {
    const body = ' {"events":[{"key":"eu:ü\\u0000"}]}\n';
    const response = await post('/v1/datasets/accounts/entries', body, {
      'Idempotency-Key': 'k 1',
      'X-Many': 'a',
    });
    expect(calls).toEqual([
      [
        'write',
        {
          dataset: 'accounts',
          body,
          headers: expect.objectContaining({ 'idempotency-key': 'k 1', 'x-many': 'a' }) as object,
        },
      ],
    ]);
    expect(response.status).toBe(200);
    expect(response.headers.get('lockstep-token')).toBe('t');
    expect(response.headers.get('x-powered-by')).toBeNull();
    expect(await response.text()).toBe(OK.body);
  });

  test('refuse what a browser sends for a page from elsewhere, unless it only reads', async () => {
    const path = '/v1/datasets/accounts/entries';
    for (const site of ['cross-site', 'same-site', 'anything'])
      await expectProblem(await post(path, '{}', { 'sec-fetch-site': site }), 403, 'foreign-page');
    expect(calls).toEqual([]);
    for (const site of ['same-origin', 'none'])
      expect((await post(path, '{}', { 'sec-fetch-site': site })).status).toBe(200);
    expect((await ask('/v1/shards', { headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(200);
  });

  test('refuse a write at the door, its body unread, and the connection serves the next one', async () => {
    const big = `{"events":"${'x'.repeat(500_000)}"}`;
    const spelled = [
      'full/entries',
      'full/entries:batch',
      'f%75ll/entries',
      'full/entries/',
      'full/ENTRIES?a',
    ];
    for (const path of spelled.map((each) => `/v1/datasets/${each}`)) {
      const refused = await post(path, big);
      expect(refused.headers.get('retry-after')).toBe('1');
      await expectProblem(refused, 429, 'too-many-requests');
    }
    expect(calls).toEqual([]);
    expect((await post('/v1/datasets/accounts/entries', '{}')).status).toBe(200);
  });

  test('say of a write whether another gateway has taken it', async () => {
    await post('/v1/datasets/accounts/entries', '{}');
    expect(knocks[0]).toEqual({ dataset: 'accounts', forwarded: false });
    expect(knocks.every(({ forwarded }) => !forwarded)).toBe(true);
    knocks = [];
    await post('/v1/datasets/accounts/entries', '{}', { 'Lockstep-Forwarded': 'hops=1' });
    expect(knocks.length).toBeGreaterThan(0);
    expect(knocks.every(({ forwarded }) => forwarded)).toBe(true);
  });

  test('release what was admitted, whatever becomes of it', async () => {
    await post('/v1/datasets/accounts/entries', '{}');
    onWrite = () => Promise.reject(new Error('a defect'));
    await post('/v1/datasets/accounts/entries', '{}');
    await post('/v1/datasets/accounts/entries', 'x'.repeat(2_000_000));
    expect(underWay).toBe(0);
  });

  test('tell a batch from a write by its colon', async () => {
    await post('/v1/datasets/accounts/entries:batch', '{}');
    await post('/v1/datasets/accounts/entries', '{}');
    expect(calls.map(([name]) => name)).toEqual(['writeBatch', 'write']);
    await expectProblem(await post('/v1/datasets/accounts/entriesXbatch', '{}'), 404, 'not-found');
  });

  test.each([
    ['eu:a', 'eu:a'],
    ['eu%3Abook%2Fa', 'eu:book/a'],
    ['eu%3A%252F', 'eu:%2F'],
    ['eu:%C3%BC', 'eu:ü'],
    ['eu:a+b', 'eu:a+b'],
    ['eu:..%2F..', 'eu:../..'],
    ['__proto__', '__proto__'],
  ])('decode a row key exactly once: %s', async (path, key) => {
    await ask(`/v1/datasets/accounts/rows/${path}?consistency=session&a=b%2Bc+d`, {
      headers: { 'Lockstep-Token': 'x' },
    });
    expect(calls).toEqual([
      [
        'row',
        {
          dataset: 'accounts',
          key,
          query: { consistency: 'session', a: 'b+c d' },
          headers: expect.objectContaining({ 'lockstep-token': 'x' }) as object,
        },
      ],
    ]);
  });

  test('hand over keys, shards and queries of the other reads', async () => {
    await ask('/v1/datasets/accounts/receipts/a%2Fb%20c?wait=quorum&shard=accounts%2F3&flag');
    await ask('/v1/status?shard=accounts%2F3');
    await ask('/v1/shards');
    await ask('/v1/shards/accounts/3');
    expect(calls).toEqual([
      [
        'receipt',
        {
          dataset: 'accounts',
          idempotencyKey: 'a/b c',
          query: { wait: 'quorum', shard: 'accounts/3', flag: '' },
          headers: expect.any(Object) as object,
        },
      ],
      ['status', { query: { shard: 'accounts/3' } }],
      ['shards'],
      ['shard', 'accounts', '3'],
    ]);
  });

  test('answer HEAD like GET, without the body', async () => {
    const response = await ask('/v1/shards', { method: 'HEAD' });
    expect(response.headers.get('content-length')).toBe(String(Buffer.byteLength(OK.body)));
    expect(await response.text()).toBe('');
  });

  test.each([
    '/v1/datasets/accounts/rows/%',
    '/v1/datasets/accounts/rows/%FF',
    '/v1/datasets/%zz/receipts/a',
    '/v1/datasets/accounts/rows/a?b=%',
    '/v1/datasets/accounts/rows/a?b=1&b=2',
  ])('refuse a path or query that cannot be decoded: %s', async (path) => {
    await expectProblem(await ask(path), 400, 'malformed');
    expect(calls).toEqual([]);
  });
});

describe('a body', () => {
  const ENTRIES = '/v1/datasets/accounts/entries';

  test.each([
    ['no body', ''],
    ['no JSON', 'hello'],
    ['deep nesting', '['.repeat(100_000)],
    ['a form', 'a=b&c=d'],
    ['a byte order mark', '\ufeff{}'],
  ])('is only text here; judging it is the API’s: %s', async (_what, body) => {
    expect((await post(ENTRIES, body)).status).toBe(200);
    expect(calls).toEqual([['write', expect.objectContaining({ body })]]);
  });

  test.each([
    ['a lone continuation byte', Uint8Array.of(0x80)],
    ['half a character', Uint8Array.of(0x7b, 0xc3)],
    ['an overlong form', Uint8Array.of(0xc0, 0x80)],
    ['a surrogate', Uint8Array.of(0xed, 0xa0, 0x80)],
    ['UTF-16', Uint8Array.of(0xff, 0xfe, 0x7b, 0x00)],
  ])('that is not strict UTF-8 is refused: %s', async (_what, body) => {
    await expectProblem(await post(ENTRIES, body), 400, 'malformed');
    expect(calls).toEqual([]);
  });

  test.each([
    ['entry', ENTRIES, BODY_BYTES_MAX],
    ['batch', `${ENTRIES}:batch`, BATCH_BODY_BYTES_MAX],
  ])('of one %s may be as long as its limit, and not one byte longer', async (_what, path, bytesMax) => {
    expect((await post(path, 'x'.repeat(bytesMax))).status).toBe(200);
    await expectProblem(await post(path, 'x'.repeat(bytesMax + 1)), 413, 'too-large');
    expect(calls).toHaveLength(1);
  });

  test('that does not tell its length is bounded as well, and the connection lives on', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set<unknown>();
    const sendChunked = async (bytes: number): Promise<number | undefined> => {
      const outgoing = httpRequest(`${served.url}${ENTRIES}`, { method: 'POST', agent });
      outgoing.on('socket', (socket) => sockets.add(socket));
      outgoing.write('x'.repeat(bytes / 2));
      outgoing.end('x'.repeat(bytes / 2));
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
      response.resume();
      await once(response, 'end');
      return response.statusCode;
    };
    expect(await sendChunked(BODY_BYTES_MAX + 2)).toBe(413);
    expect(await sendChunked(10)).toBe(200);
    expect(sockets.size).toBe(1);
    agent.destroy();
  });

  test('that is compressed is refused', async () => {
    await expectProblem(
      await post(ENTRIES, '{}', { 'Content-Encoding': 'gzip' }),
      415,
      'unsupported-encoding',
    );
  });

  test('that reaches no API is told to the role by status and code', async () => {
    await post(ENTRIES, '{}', { 'Content-Encoding': 'gzip' });
    await ask('/v1/nothing');
    await ask(ENTRIES);
    onWrite = () => Promise.reject(new Error('a defect'));
    await post(ENTRIES, '{}');
    expect(refused).toEqual([
      [415, 'unsupported-encoding'],
      [404, 'not-found'],
      [405, 'method-not-allowed'],
      [500, 'internal'],
    ]);
  });

  test('that breaks off reaches no API and disturbs nobody', async () => {
    const socket = connect(Number(new URL(served.url).port), '127.0.0.1');
    socket.write(`POST ${ENTRIES} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"events"`, () =>
      socket.destroy(),
    );
    await once(socket, 'close');
    expect((await post(ENTRIES, '{}')).status).toBe(200);
    expect(calls).toHaveLength(1);
    expect(logged.join('')).not.toContain('defect');
  });

  test('waits for no other: beyond what all may hold together it is turned away, and taken again later', async () => {
    const answers: (() => void)[] = [];
    onWrite = () => new Promise((resolve) => answers.push(() => resolve(OK)));
    const body = 'x'.repeat(BODY_BYTES_MAX);
    const held = Array.from({ length: BODIES_HELD_BYTES_MAX / BODY_BYTES_MAX }, () => post(ENTRIES, body));
    while (answers.length < held.length) await new Promise(setImmediate);
    const refused = [await post(ENTRIES, '{}'), await post(ENTRIES, '{}'), await post(ENTRIES, '{}')];
    const turns = new Set(refused.map(({ headers }) => headers.get('retry-after')));
    expect(turns).toEqual(new Set(['1', '2', '3']));
    for (const each of refused) await expectProblem(each, 503, 'overloaded');
    for (const answer of answers) answer();
    await Promise.all(held);
    onWrite = () => Promise.resolve(OK);
    expect((await post(ENTRIES, '{}')).status).toBe(200);
  });
});

describe('headers', () => {
  test.each(['idempotency-key', 'lockstep-forwarded', 'traceparent'])(
    'that must be unique are refused when they stand twice: %s',
    async (name) => {
      const outgoing = httpRequest(`${served.url}/v1/datasets/accounts/entries`, {
        method: 'POST',
        headers: { [name]: ['a', 'b'] },
      });
      outgoing.end('{}');
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
      response.resume();
      expect(response.statusCode).toBe(400);
      expect(calls).toEqual([]);
    },
  );

  test('larger than the limit are answered with a problem', async () => {
    await expectProblem(
      await ask('/v1/shards', { headers: { a: 'x'.repeat(20_000) } }),
      431,
      'header-too-large',
    );
  });

  test('that are no HTTP are answered with a problem, and the connection ends', async () => {
    const socket = connect(Number(new URL(served.url).port), '127.0.0.1');
    socket.write('hello\r\n\r\n');
    let text = '';
    for await (const chunk of socket as AsyncIterable<Buffer>) text += chunk.toString();
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text).toContain('"code":"malformed"');
  });
});

describe('a call that does not exist', () => {
  test.each([
    '/',
    '/v1',
    '/v1/datasets/accounts',
    '/v1/datasets/accounts/rows/',
    '/v1/datasets/a/rows/b/c',
    '/v2/shards',
    '/favicon.ico',
  ])('is told so: %s', async (path) => {
    await expectProblem(await ask(path), 404, 'not-found');
  });

  test.each([
    ['GET', '/v1/datasets/accounts/entries', 'POST'],
    ['PUT', '/v1/datasets/accounts/entries:batch', 'POST'],
    ['POST', '/v1/datasets/accounts/rows/eu:a', 'GET, HEAD'],
    ['DELETE', '/v1/datasets/accounts/receipts/a', 'GET, HEAD'],
    ['OPTIONS', '/v1/shards', 'GET, HEAD'],
    ['POST', '/v1/shards/accounts/3', 'GET, HEAD'],
    ['POST', '/v1/cluster', 'GET, HEAD'],
    ['GET', '/v1/shards/accounts/3/failover', 'POST'],
    ['GET', '/v1/pause', 'POST'],
    ['GET', '/v1/decisions/31/cancel', 'POST'],
    ['POST', '/v1/preflight', 'GET, HEAD'],
    ['POST', '/v1/history/records', 'GET, HEAD'],
    ['POST', '/healthz', 'GET, HEAD'],
    ['POST', '/v1/stream', 'GET'],
  ])('because of its method is told which it may be: %s %s', async (method, path, allow) => {
    const response = await ask(path, { method });
    expect(response.headers.get('allow')).toBe(allow);
    await expectProblem(response, 405, 'method-not-allowed');
    expect(calls).toEqual([]);
  });

  test('is left to the pages that are served beside the calls', async () => {
    const page: Site = {
      answer: ({ url }, response) => {
        if (url !== '/console/') return false;
        response.end('a page');
        return true;
      },
    };
    const other = await serveRole(role, LISTEN, logger, page);
    expect(await (await fetch(`${other.url}/console/`)).text()).toBe('a page');
    await expectProblem(await fetch(`${other.url}/console/else`), 404, 'not-found');
    await other.close();
  });

  test('because the process has another role is not found', async () => {
    const { gateway: _gateway, coordinator: _coordinator, openStream: _openStream, ...bare } = role;
    const other = await serveRole(bare, LISTEN, logger);
    for (const path of ['/v1/shards', '/v1/cluster', '/v1/stream']) {
      await expectProblem(await fetch(`${other.url}${path}`), 404, 'not-found');
    }
    expect((await fetch(`${other.url}/healthz`)).status).toBe(200);
    await other.close();
  });
});

describe('the coordinator routes', () => {
  test('hand over their queries', async () => {
    await ask('/v1/cluster');
    await ask('/v1/decisions?shard=accounts%2F1&limit=7');
    await ask('/v1/preflight?shard=accounts/0&to=us&move=failover');
    await ask('/v1/history');
    await ask('/v1/history/records?from=400');
    await ask('/v1/console');
    await ask('/v1/rule-changes');
    await ask('/v1/canaries?since=2026-11-22T12:00:00Z');
    expect(calls).toEqual([
      ['cluster'],
      ['decisions', { shard: 'accounts/1', limit: '7' }],
      ['preflight', { shard: 'accounts/0', to: 'us', move: 'failover' }],
      ['history'],
      ['records', { from: '400' }],
      ['console'],
      ['ruleChanges'],
      ['canaries', { since: '2026-11-22T12:00:00Z' }],
    ]);
  });

  test('hand over what is asked of a region', async () => {
    await ask('/v1/regions/us/shards');
    await ask('/v1/regions/us/status?shard=accounts/0');
    await ask('/v1/regions/us/quarantine?limit=5');
    await ask('/v1/regions/us/canaries');
    await ask('/v1/regions/us/datasets/accounts/receipts/a%2Fb', { headers: { authorization: 'Bearer x' } });
    const asked = (kind: string, query = {}) => ({
      about: { kind },
      query,
      headers: expect.any(Object) as object,
    });
    expect(calls).toEqual([
      ['ofRegion', 'us', asked('shards')],
      ['ofRegion', 'us', asked('status', { shard: 'accounts/0' })],
      ['ofRegion', 'us', asked('quarantine', { limit: '5' })],
      ['ofRegion', 'us', asked('canaries')],
      [
        'ofRegion',
        'us',
        {
          about: { kind: 'receipt', dataset: 'accounts', idempotencyKey: 'a/b' },
          query: {},
          headers: expect.objectContaining({ authorization: 'Bearer x' }) as object,
        },
      ],
    ]);
  });

  test('hand over what their paths name, and bodies byte for byte', async () => {
    const body = ' {"reason":"ü"}\n';
    await post('/v1/datasets/accounts/rule', body);
    await post('/v1/shards/accounts/3/switchover', body);
    await post('/v1/shards/a%2Fb/x/failover', body);
    await post('/v1/shards/accounts/3/approve', body);
    await post('/v1/regions/eu/evacuate', body);
    await post('/v1/decisions/31/cancel', body);
    await post('/v1/decisions/31/acknowledge', body);
    await post('/v1/pause', body);
    await post('/v1/resume', body);
    expect(calls).toEqual([
      ['changeRule', 'accounts', body],
      ['move', 'switchover', { dataset: 'accounts', n: '3' }, body, false],
      ['move', 'failover', { dataset: 'a/b', n: 'x' }, body, false],
      ['approve', { dataset: 'accounts', n: '3' }, body],
      ['evacuate', 'eu', body, false],
      ['cancel', '31', body],
      ['acknowledge', '31', body],
      ['pause', body],
      ['resume', body],
    ]);
  });

  test('bound their bodies', async () => {
    await expectProblem(
      await post('/v1/regions/eu/evacuate', 'x'.repeat(BODY_BYTES_MAX + 1)),
      413,
      'too-large',
    );
    expect(calls).toEqual([]);
  });

  test('say of what does not exist yet that it does not', async () => {
    await expectProblem(await post('/v1/verify', ''), 501, 'not-yet');
  });
});

describe('a defect', () => {
  const secret = 'duplicate key value in SELECT * FROM lockstep.cursor';

  test('tells its caller a trace id and nothing of the cause, and the log all of it', async () => {
    onWrite = () => Promise.reject(new Error(secret));
    const { detail } = await expectProblem(
      await post('/v1/datasets/accounts/entries', '{}'),
      500,
      'internal',
    );
    const [, traceId] = /^Trace id ([0-9a-f]{32})\.$/.exec(detail) ?? [];
    const line = logged
      .map((text) => JSON.parse(text) as { [name: string]: unknown })
      .find(({ trace_id }) => trace_id === traceId);
    expect(line).toMatchObject({
      level: 'error',
      method: 'POST',
      path: '/v1/datasets/accounts/entries',
      err: { message: secret },
    });
  });

  test('keeps the trace of its caller', async () => {
    onWrite = () => {
      throw new Error(secret);
    };
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const response = await post('/v1/datasets/accounts/entries', '{}', {
      traceparent: `00-${traceId}-b7ad6b7169203331-01`,
    });
    const { detail } = await expectProblem(response, 500, 'internal');
    expect(detail).toBe(`Trace id ${traceId}.`);
  });
});

describe('what every role answers', () => {
  test('is health, readiness and metrics', async () => {
    expect((await ask('/healthz')).status).toBe(200);
    expect((await ask('/readyz')).status).toBe(503);
    const metrics = await ask('/metrics');
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await metrics.text()).toBe('lockstep_up 1\n');
  });

  test('is a description of exactly the routes that there are', async () => {
    expect(await (await ask('/openapi.json')).text()).toBe(OPENAPI_TEXT);
    const { paths } = JSON.parse(OPENAPI_TEXT) as {
      paths: { [path: string]: { [method: string]: unknown } };
    };
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => [method, path] as const),
    );
    // Described, so there: neither 404 nor 405.
    for (const [method, path] of described) {
      const filled = path.replaceAll(/\{\w+\}/g, 'x').replace('/v1/stream', '/v1/stream?verdicts=bad');
      const { status } = await ask(filled, { method: method.toUpperCase() });
      expect({ method, path, missing: status === 404 || status === 405 }).toEqual({
        method,
        path,
        missing: false,
      });
    }
    // There, so described: Nest tells every route that it maps.
    const mapped = logged.flatMap((line) => {
      const [, path, method] =
        /Mapped \{(\S+), (\w+)\} route/.exec((JSON.parse(line) as { msg: string }).msg) ?? [];
      return path === undefined || method === undefined || method === 'ALL' ? [] : [[method, path] as const];
    });
    const asDescribed = (path: string): string =>
      path
        .replaceAll('\\:', '§')
        .replaceAll(/:(\w+)/g, '{$1}')
        .replaceAll('§', ':');
    expect(mapped.map(([method, path]) => `${method.toLowerCase()} ${asDescribed(path)}`).sort()).toEqual(
      described.map(([method, path]) => `${method} ${path}`).sort(),
    );
  });
});

describe('a stream', () => {
  test('is opened for the publishers asked for', async () => {
    for (const path of ['/v1/stream?verdicts=0123456789abcdef', '/v1/stream']) {
      const response = await ask(path);
      expect(response.headers.get('content-type')).toBe('application/x-ndjson');
      await response.body?.cancel();
    }
    expect(subscriptions.map(({ prefix }) => prefix)).toEqual(['0123456789abcdef', null]);
  });

  test.each(['?verdicts=', '?verdicts=0123', '?verdicts=0123456789ABCDEF', '?verdict=0123456789abcdef'])(
    'is refused for a query that it does not know: %s',
    async (query) => {
      await expectProblem(await ask(`/v1/stream${query}`), 400, 'malformed');
      expect(subscriptions).toEqual([]);
    },
  );

  test('too many is turned away', async () => {
    const open = await Promise.all(Array.from({ length: STREAMS_MAX }, () => ask('/v1/stream')));
    await expectProblem(await ask('/v1/stream'), 503, 'overloaded');
    for (const response of open) await response.body?.cancel();
  });
});

describe('closing', () => {
  /** Fake timers for the shell's own clocks; sockets go on by themselves. */
  const holdTime = (): void =>
    void jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance'] });
  afterEach(() => void jest.useRealTimers());

  test('answers what is under way, ends streams and kept connections, then ends the role', async () => {
    // The cut-off never comes: what is not ended in order would keep this test waiting.
    holdTime();
    let answer: (answer: HttpAnswer) => void = () => undefined;
    const arrived = new Promise<void>((resolve) => {
      onWrite = () => {
        resolve();
        return new Promise((settle) => (answer = settle));
      };
    });
    const stream = await ask('/v1/stream');
    await (await ask('/healthz')).text();
    const writing = post('/v1/datasets/accounts/entries', '{}');
    await arrived;
    const closed = served.close();
    await expect(stream.text()).resolves.toBe('');
    expect(subscriptions.every((subscription) => subscription.closed)).toBe(true);
    await expect(ask('/healthz')).rejects.toThrow();
    expect(roleClosed).toBe(false);
    answer(OK);
    expect((await writing).status).toBe(200);
    await closed;
    expect(roleClosed).toBe(true);
  });

  test('cuts off after 5 s what is not answered', async () => {
    holdTime();
    const arrived = new Promise<void>((resolve) => {
      onWrite = () => {
        resolve();
        return new Promise(() => undefined);
      };
    });
    const writing = post('/v1/datasets/accounts/entries', '{}');
    const failed = expect(writing).rejects.toThrow();
    await arrived;
    const closed = served.close();
    jest.advanceTimersByTime(DRAIN_MS_MAX - 1);
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    expect(roleClosed).toBe(false);
    jest.advanceTimersByTime(1);
    await failed;
    await closed;
    expect(roleClosed).toBe(true);
  });
});
