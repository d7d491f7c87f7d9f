import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { epoch } from '@lockstep/protocol';
import type { RegionName } from '@lockstep/protocol';
import type { ForwardedWrite } from '@lockstep/engine';
import { FORWARDS_IN_FLIGHT_MAX, httpForwarder } from './http-forwarder.js';
import type { HttpForwarder } from './http-forwarder.js';

const US = 'us' as RegionName;

const write: ForwardedWrite = {
  to: US,
  dataset: 'accounts',
  body: '{"events":[{"key":"us:ü","type":"opened","data":{}}]} \n',
  principal: 'alice@example.com',
  idempotencyKey: 'order 7/a',
  keyWasMinted: false,
  isReapplied: false,
  epoch: epoch(7n),
  hops: 1,
  timeoutMs: 5_000,
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};

const closing: (() => unknown)[] = [];
afterEach(async () => {
  jest.useRealTimers();
  for (const close of closing.splice(0).reverse()) await close();
});

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function gateway(
  answer: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
): Promise<string> {
  const server = createServer((request, response) => void answer(request, response));
  const address = await listening(server);
  closing.push(() => server.closeAllConnections());
  return address;
}

function forwarderTo(address: string): HttpForwarder {
  const forwarder = httpForwarder(new Map([[US, address]]));
  closing.push(() => forwarder.close());
  return forwarder;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

const holdTime = (): void =>
  void jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance'] });

describe('a forwarded write', () => {
  test('arrives byte for byte on the same route, with its key, its trace and who sent it', async () => {
    const seen: unknown[] = [];
    const address = await gateway(async (request, response) => {
      const {
        'idempotency-key': key,
        'lockstep-forwarded': forwarded,
        traceparent,
        'content-type': type,
      } = request.headers;
      seen.push(request.method, request.url, await bodyOf(request), { key, forwarded, traceparent, type });
      response
        .writeHead(202, { 'content-type': 'application/json', location: '/v1/x', 'retry-after': '1' })
        .end('{"id":"ü"}');
    });
    const answer = await forwarderTo(address).forward(write);
    expect(seen).toEqual([
      'POST',
      '/v1/datasets/accounts/entries',
      write.body,
      {
        key: 'order 7/a',
        forwarded: 'hops=1;epoch=7;key=given;timeoutMs=5000;principal=alice%40example.com',
        traceparent: write.traceparent,
        type: 'application/json; charset=utf-8',
      },
    ]);
    expect(answer).toEqual({
      status: 202,
      headers: { 'content-type': 'application/json', location: '/v1/x', 'retry-after': '1' },
      body: '{"id":"ü"}',
    });
  });

  test.each([
    ['given', { idempotencyKey: 'k' }, 'key=given;', 'k'],
    ['minted', { idempotencyKey: 'k', keyWasMinted: true }, 'key=minted;', 'k'],
    ['of an outbox', { idempotencyKey: 'k', isReapplied: true }, 'key=outbox;', 'k'],
    ['none', { idempotencyKey: null }, 'key=none;', undefined],
  ])('says that its key is %s', async (_word, ofKey, word, header) => {
    let headers: IncomingMessage['headers'] = {};
    const address = await gateway((request, response) => {
      headers = request.headers;
      response.end('{}');
    });
    await forwarderTo(address).forward({ ...write, ...ofKey, traceparent: null });
    expect(headers['lockstep-forwarded']).toContain(word);
    expect(headers['idempotency-key']).toBe(header);
    expect(headers.traceparent).toBeUndefined();
  });

  test('uses a connection that is there already', async () => {
    const ports = new Set<number | undefined>();
    const address = await gateway(async (request, response) => {
      ports.add(request.socket.remotePort);
      await bodyOf(request);
      response.end('{}');
    });
    const forwarder = forwarderTo(address);
    await forwarder.forward(write);
    await new Promise(setImmediate);
    await forwarder.forward(write);
    expect(ports.size).toBe(1);
  });
});

describe('a write that the other side cannot have seen is retryable', () => {
  test('when nobody listens', async () => {
    const server = createServer();
    const address = await listening(server);
    server.close();
    await once(server, 'close');
    await expect(forwarderTo(address).forward(write)).rejects.toMatchObject({
      code: 'forward-unreachable',
      disposition: 'retryable',
    });
  });

  test('when too many writes are under way', async () => {
    const waiting: ServerResponse[] = [];
    const address = await gateway((_request, response) => void waiting.push(response));
    const forwarder = forwarderTo(address);
    const underWay = Array.from({ length: FORWARDS_IN_FLIGHT_MAX }, () => forwarder.forward(write));
    await expect(forwarder.forward(write)).rejects.toMatchObject({
      code: 'forward-overloaded',
      disposition: 'retryable',
    });
    while (waiting.length < FORWARDS_IN_FLIGHT_MAX) await new Promise(setImmediate);
    for (const response of waiting) response.end('{}');
    await Promise.all(underWay);
    const another = forwarder.forward(write);
    while (waiting.length === FORWARDS_IN_FLIGHT_MAX) await new Promise(setImmediate);
    waiting.at(-1)?.end('{}');
    await expect(another).resolves.toMatchObject({ status: 200 });
  });
});

test('a region without address is fatal', async () => {
  await expect(httpForwarder(new Map()).forward(write)).rejects.toMatchObject({
    code: 'region-unknown',
    disposition: 'fatal',
  });
});

describe('a write that the other side may have seen is unknown', () => {
  test('when the connection is reset instead of an answer', async () => {
    const address = await listening(
      createTcpServer((socket) => socket.on('data', () => socket.resetAndDestroy())),
    );
    await expect(forwarderTo(address).forward(write)).rejects.toMatchObject({
      code: 'forward-broken',
      disposition: 'unknown',
    });
  });

  test('when a connection that was kept is reset under it', async () => {
    let connections = 0;
    let requests = 0;
    const address = await listening(
      createTcpServer((socket) => {
        connections += 1;
        socket.on('data', (bytes) => {
          if (!bytes.includes('POST ')) return;
          requests += 1;
          if (requests === 1) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}');
          else socket.resetAndDestroy();
        });
      }),
    );
    const forwarder = forwarderTo(address);
    await forwarder.forward(write);
    await new Promise(setImmediate);
    await expect(forwarder.forward(write)).rejects.toMatchObject({
      code: 'forward-broken',
      disposition: 'unknown',
    });
    expect(connections).toBe(1);
  });

  test('when the other side half-closes without an answer', async () => {
    const address = await listening(createTcpServer((socket) => socket.on('data', () => socket.end())));
    await expect(forwarderTo(address).forward(write)).rejects.toMatchObject({
      code: 'forward-broken',
      disposition: 'unknown',
    });
  });

  test('when the answer breaks off', async () => {
    const address = await gateway((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"id":', () => response.destroy());
    });
    await expect(forwarderTo(address).forward(write)).rejects.toMatchObject({
      code: 'forward-broken',
      disposition: 'unknown',
    });
  });

  test('when what answers does not speak HTTP', async () => {
    const address = await listening(
      createTcpServer((socket) => socket.on('data', () => socket.end('hello\r\n\r\n'))),
    );
    await expect(forwarderTo(address).forward(write)).rejects.toMatchObject({
      code: 'forward-broken',
      disposition: 'unknown',
    });
  });

  test('when the answer is no UTF-8', async () => {
    const address = await gateway((_request, response) => void response.end(Buffer.of(0xff)));
    await expect(forwarderTo(address).forward(write)).rejects.toMatchObject({
      code: 'forward-broken',
      disposition: 'unknown',
    });
  });

  test('when the answer has no end', async () => {
    const address = await gateway((_request, response) => void response.end('x'.repeat(1024 * 1024 + 1)));
    await expect(forwarderTo(address).forward(write)).rejects.toMatchObject({
      code: 'forward-broken',
      disposition: 'unknown',
    });
  });

  test('when no answer came in time', async () => {
    let reached: () => void = () => undefined;
    const arrived = new Promise<void>((resolve) => (reached = resolve));
    const address = await gateway(() => reached());
    holdTime();
    const forwarded = forwarderTo(address).forward(write);
    await arrived;
    jest.advanceTimersByTime(write.timeoutMs + 500);
    await expect(forwarded).rejects.toMatchObject({ code: 'forward-timeout', disposition: 'unknown' });
  });
});
