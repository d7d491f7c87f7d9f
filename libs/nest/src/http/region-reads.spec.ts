/** What a browser is told of a region is that region's own answer, or that it gave none. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RegionName } from '@lockstep/protocol';
import { httpRegionReads, READS_IN_FLIGHT_MAX, type RegionReads } from './region-reads.js';

let server: Server;
let reads: RegionReads;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const READ = { role: 'gateway', path: '/v1/shards', query: {}, headers: {} } as const;

beforeEach(async () => {
  server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  reads = httpRegionReads(
    new Map([
      ['us' as RegionName, { gateway: address, coordinator: address }],
      ['ap' as RegionName, { gateway: 'http://127.0.0.1:1', coordinator: 'http://127.0.0.1:1' }],
    ]),
  );
});

afterEach(async () => {
  reads.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test('an answer is handed on as it stands, with who asked and what was asked', async () => {
  const heard: unknown[] = [];
  answer = ({ headers, method, url }, response) => {
    heard.push([method, url, headers.authorization, headers.cookie]);
    response.writeHead(409, { 'content-type': 'application/problem+json', 'x-inner': 'no' }).end('{"a":1}');
  };
  const headers = { authorization: 'Bearer abc', cookie: 'secret=1' };
  const told = await reads.ask('us', { ...READ, query: { shard: 'accounts/0 & more' }, headers });
  expect(told).toEqual({
    status: 409,
    headers: { 'content-type': 'application/problem+json' },
    body: '{"a":1}',
  });
  expect(heard).toEqual([['GET', '/v1/shards?shard=accounts%2F0+%26+more', 'Bearer abc', undefined]]);
});

test('a region that cannot be reached is silent, not empty', async () => {
  const { body, status } = await reads.ask('ap', READ);
  expect({ status, ...(JSON.parse(body) as object) }).toMatchObject({ status: 504, code: 'region-silent' });
});

test('a region that breaks off its answer is silent as well', async () => {
  answer = (_, response) => void response.destroy();
  expect(JSON.parse((await reads.ask('us', READ)).body)).toMatchObject({ code: 'region-silent' });
});

test('a region that the catalogue does not name is not asked', async () => {
  expect((await reads.ask('../us', READ)).status).toBe(404);
});

test('too many at a time are refused', async () => {
  const waiting: ServerResponse[] = [];
  const all = Promise.withResolvers<void>();
  answer = (_, response) => {
    waiting.push(response);
    if (waiting.length === READS_IN_FLIGHT_MAX) all.resolve();
  };
  const asked = Array.from({ length: READS_IN_FLIGHT_MAX }, () => reads.ask('us', READ));
  await all.promise;
  expect(JSON.parse((await reads.ask('us', READ)).body)).toMatchObject({ code: 'overloaded' });
  for (const response of waiting) response.end('{}');
  expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(asked.map(() => 200));
});
