/** What a home says of its outbox is believed only where it can be read; everything else is no answer. */
import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RegionName, ShardName } from '@lockstep/protocol';
import { httpOutboxes, type HttpOutboxes } from './http-outboxes.js';

const EU = 'eu' as RegionName;
const SHARD = 'customers/3' as ShardName;

let server: Server | null = null;
let outboxes: HttpOutboxes | null = null;

afterEach(async () => {
  outboxes?.close();
  if (server === null) return;
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  server = null;
});

async function gatewayThatAnswers(status: number, body: string): Promise<readonly (string | undefined)[]> {
  const asked: (string | undefined)[] = [];
  server = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(status).end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  outboxes = httpOutboxes(new Map([[EU, `http://127.0.0.1:${port}`]]));
  return asked;
}

test.each([
  ['parked', '7 0'],
  ['open', null],
])('asks the home about one shard that is %s', async (_what, parkedFor) => {
  const asked = await gatewayThatAnswers(
    200,
    JSON.stringify({ region: 'eu', shard: SHARD, parkedFor, pending: 2 }),
  );
  expect(await outboxes!.ask(EU, SHARD)).toEqual({ parkedFor, pending: 2 });
  expect(asked).toEqual(['/v1/shards/customers/3/outbox']);
});

test.each([
  ['a refusal', 503, '{"code":"store-unavailable"}'],
  ['no JSON', 200, '<html>'],
  ['no number', 200, '{"parkedFor":null,"pending":"none"}'],
  ['no parking', 200, '{"pending":0}'],
])('%s is no answer', async (_what, status, body) => {
  await gatewayThatAnswers(status, body);
  await expect(outboxes!.ask(EU, SHARD)).rejects.toMatchObject({ code: 'outbox-refused' });
});

test('a region without an address is told as such', async () => {
  outboxes = httpOutboxes(new Map());
  await expect(outboxes.ask(EU, SHARD)).rejects.toMatchObject({ code: 'region-unknown' });
});
