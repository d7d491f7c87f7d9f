/** The port over HTTP against a server that behaves badly; that it keeps the promises is shown on a real cluster. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { DatasetPort } from './dataset-port.js';
import { httpDatasetPort } from './http-dataset-port.js';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function portTo(listener: RequestListener): Promise<{ port: DatasetPort; server: Server }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const port = httpDatasetPort(`http://127.0.0.1:${(server.address() as AddressInfo).port}/behind/`);
  open.push(() => {
    void port.close();
    server.closeAllConnections();
    server.close();
  });
  return { port, server };
}

const write = (port: DatasetPort, timeoutMs = 10_000) =>
  port.write({ dataset: 'accounts', body: '{"events":[]}', idempotencyKey: 'k', timeoutMs });

const textOf = async (request: IncomingMessage): Promise<string> => {
  let text = '';
  for await (const chunk of request as AsyncIterable<Buffer>) text += chunk.toString('utf8');
  return text;
};

describe('the port over HTTP', () => {
  test('says each call as the gateway reads it', async () => {
    const seen: unknown[] = [];
    const { port } = await portTo((request, response) => {
      void textOf(request).then((body) => {
        const { headers, method, url } = request;
        const { 'idempotency-key': key, 'lockstep-token': token } = headers;
        seen.push([method, url, key ?? token, body]);
        response.writeHead(202, { 'Retry-After': '2' }).end('{}');
      });
    });
    expect(await write(port)).toMatchObject({ status: 202, body: '{}', headers: { 'retry-after': '2' } });
    await port.writeBatch({ dataset: 'a/b', body: '{"entries":[]}', timeoutMs: 1_000 });
    await port.receipt({
      dataset: 'accounts',
      idempotencyKey: 'k#1/2',
      wait: 'quorum',
      settle: { shard: 'accounts/0', deadlineMs: 5 },
      timeoutMs: 1_000,
    });
    await port.row({ dataset: 'accounts', key: 'eu:a b', consistency: 'session', token: 't', timeoutMs: 7 });
    await port.readiness(1_000);
    expect(seen).toEqual([
      ['POST', '/behind/v1/datasets/accounts/entries', 'k', '{"events":[]}'],
      ['POST', '/behind/v1/datasets/a%2Fb/entries:batch', undefined, '{"entries":[]}'],
      [
        'GET',
        '/behind/v1/datasets/accounts/receipts/k%231%2F2?timeoutMs=1000&wait=quorum&shard=accounts%2F0&deadline=5',
        undefined,
        '',
      ],
      ['GET', '/behind/v1/datasets/accounts/rows/eu%3Aa%20b?consistency=session&timeoutMs=7', 't', ''],
      ['GET', '/behind/readyz', undefined, ''],
    ]);
  });

  test('a gateway that nobody reached had no effect', async () => {
    const { port, server } = await portTo(() => undefined);
    await new Promise((resolve) => server.close(resolve));
    await expect(write(port)).rejects.toMatchObject({
      code: 'gateway-unreachable',
      disposition: 'retryable',
    });
  });

  test('a connection that breaks after the request leaves it unknown', async () => {
    const { port } = await portTo((request) => request.socket.destroy());
    await expect(write(port)).rejects.toMatchObject({ code: 'gateway-broken', disposition: 'unknown' });
  });

  test('an answer that breaks off leaves it unknown', async () => {
    const { port } = await portTo((_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{', () => response.destroy());
    });
    await expect(write(port)).rejects.toMatchObject({ code: 'gateway-broken', disposition: 'unknown' });
  });

  test('an answer without end is given up, and so is one that never comes', async () => {
    const endless = await portTo((_request, response) => {
      const chunk = Buffer.alloc(1024 * 1024, 32);
      const more = (): void => void (response.destroyed || response.write(chunk, more));
      more();
    });
    await expect(write(endless.port)).rejects.toMatchObject({
      code: 'gateway-broken',
      disposition: 'unknown',
    });
    // The second request takes the socket of the first, so that it certainly leaves.
    const { port } = await portTo((request, response) => {
      if (request.method === 'GET') response.end('{}');
    });
    await port.readiness(10_000);
    await expect(write(port, 500)).rejects.toMatchObject({
      code: 'gateway-timeout',
      disposition: 'unknown',
    });
  });

  test('closing ends the calls under way as unknown', async () => {
    let arrived!: () => void;
    const asked = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const { port } = await portTo(() => arrived());
    const call = write(port);
    const ended = expect(call).rejects.toMatchObject({ disposition: 'unknown' });
    await asked;
    void port.close();
    await ended;
  });
});

describe('a change feed over HTTP', () => {
  const open = (port: DatasetPort, from: string | null) =>
    port.changes({ dataset: 'a/b', from, timeoutMs: 10_000 });
  const events = { 'content-type': 'text/event-stream' };

  test('says where it begins, gives events as they come, and ends as told', async () => {
    const seen: unknown[] = [];
    const { port } = await portTo((request, response) => {
      seen.push([request.url, request.headers['last-event-id']]);
      response.writeHead(200, events).end('id: p1\nevent: position\ndata: {}\n\n:\n\n');
    });
    const feed = await open(port, 'p0');
    if ('status' in feed) throw new Error(feed.body);
    expect(await feed.next()).toEqual([{ name: 'position', id: 'p1', data: '{}' }]);
    expect(await feed.next()).toBeNull();
    expect(seen).toEqual([['/behind/v1/datasets/a%2Fb/changes', 'p0']]);
  });

  test('that is refused is an answer, with the time to wait', async () => {
    const { port } = await portTo((_request, response) => {
      response.writeHead(503, { 'retry-after': '2' }).end('{}');
    });
    expect(await open(port, null)).toEqual({ status: 503, headers: { 'retry-after': '2' }, body: '{}' });
  });

  test('that breaks off, or that nobody serves, may be opened again', async () => {
    const { port, server } = await portTo((_request, response) => {
      response.writeHead(200, events).write(':\n\n', () => response.destroy());
    });
    const feed = await open(port, null);
    if ('status' in feed) throw new Error(feed.body);
    await expect(feed.next()).rejects.toMatchObject({ code: 'feed-broken', disposition: 'retryable' });
    await new Promise((resolve) => server.close(resolve));
    await expect(open(port, null)).rejects.toMatchObject({ code: 'feed-broken', disposition: 'retryable' });
  });

  test('ends when the port is closed', async () => {
    const { port } = await portTo(
      (_request, response) => void response.writeHead(200, events).write(':\n\n'),
    );
    const feed = await open(port, null);
    if ('status' in feed) throw new Error(feed.body);
    const ended = feed.next();
    void port.close();
    expect(await ended).toBeNull();
  });
});
