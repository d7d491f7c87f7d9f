import { afterEach, expect, test } from '@jest/globals';
import type { ConfigurationHash } from '@lockstep/protocol';
import type { CompletionLine, InvokeLine, RunLine, Write } from '@lockstep/testing/history';
import { askAgain, type Asking } from './asked-again.js';
import type { DeployedDataset } from './fold-configurations.js';
import { standInGateway, type StandInGateway } from './gateway.fixture.js';

const run: RunLine = {
  type: 'run',
  version: 1,
  run: 'r1',
  seed: 1,
  startedAt: '2026-11-21T08:00:00.000Z',
  options: {},
};
const groups = [{ name: 'eu', home: 'eu', firstShard: 0, shards: 1, regions: ['eu'] }];
const accounts = {
  hash: 'a'.repeat(64) as ConfigurationHash,
  content: { dataset: 'accounts', groups },
} as unknown as DeployedDataset;
const receipt = { id: 'k', dataset: 'accounts', shard: 'accounts/0', outcome: 'accepted', sequence: 7 };

let gateways: readonly StandInGateway[] = [];
afterEach(() => Promise.all(gateways.map((gateway) => gateway.close())));

function unknownWrite(key: string | null, location: string | null = null): Write {
  const invoke = {
    op: 3,
    t: 2_000_000_000,
    region: 'us',
    dataset: 'accounts',
    key,
    timeoutMs: 5_000,
    events: [{ key: 'eu:r1-a0', type: 'credited', data: { amount: 1 } }],
  } as unknown as InvokeLine;
  const end = { op: 3, type: 'info', receipt: null, location } as unknown as CompletionLine;
  return { dataset: 'accounts', key, operations: [{ invoke, end }] };
}

const ask = (writes: readonly Write[], change: Partial<Asking> = {}): ReturnType<typeof askAgain> =>
  askAgain({ writes, run, gateways, datasets: [accounts], withinMs: 5_000, say: () => undefined, ...change });

test('a receipt is asked for where the answer said, at the gateway that was asked first', async () => {
  gateways = await Promise.all(
    ['eu', 'us'].map((region) => standInGateway(region, () => ({ status: 200, body: receipt }))),
  );
  const location = '/v1/datasets/accounts/receipts/k?shard=accounts%2F0&deadline=17';
  expect(await ask([unknownWrite('k', location)])).toEqual(new Map([[3, { kind: 'receipt', receipt }]]));
  expect(gateways.map(({ asked }) => asked)).toEqual([[], [`${location}&wait=accepted&timeoutMs=10000`]]);
});

test('without an answer the address is made of the key, the shard of its row and the end of the call', async () => {
  gateways = [await standInGateway('eu', () => ({ status: 200, body: receipt }))];
  await ask([unknownWrite('a key')]);
  // Begun 2 s after the start of the run, 5 s of time, 1 s of margin.
  const deadline = Date.parse(run.startedAt) + 8_000;
  expect(gateways[0]!.asked[0]).toBe(
    `/v1/datasets/accounts/receipts/a%20key?shard=accounts%2F0&deadline=${deadline}&wait=accepted&timeoutMs=10000`,
  );
});

test('a gateway that cannot answer now is followed by the next, until one is definite', async () => {
  const busy = { status: 503, body: { code: 'store-unavailable' } };
  const notSeen = { status: 404, body: { code: 'not-seen' } };
  const never = { status: 404, body: { code: 'never-or-expired' } };
  gateways = [
    await standInGateway('us', (_, turn) => (turn === 1 ? busy : never)),
    await standInGateway('eu', () => notSeen),
  ];
  expect(await ask([unknownWrite('k')])).toEqual(new Map([[3, { kind: 'never' }]]));
  expect(gateways.map(({ asked }) => asked.length)).toEqual([2, 1]);
});

test('what nobody makes definite in time stays open, with the last reason', async () => {
  gateways = [await standInGateway('us', () => ({ status: 503, body: { code: 'log-unavailable' } }))];
  expect(await ask([unknownWrite('k')], { withinMs: 400 })).toEqual(
    new Map([[3, { kind: 'open', reason: '503 log-unavailable' }]]),
  );
});

test('nobody is asked for a write whose key nobody knows', async () => {
  gateways = [await standInGateway('us', () => ({ status: 200, body: receipt }))];
  expect(await ask([unknownWrite(null)])).toEqual(new Map());
  expect(gateways[0]!.asked).toEqual([]);
});
