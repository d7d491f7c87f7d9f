import { afterEach, expect, test } from '@jest/globals';
import { standInGateway, type StandInGateway } from './gateway.fixture.js';
import { untilQuiet } from './quiet-cluster.js';

let gateways: StandInGateway[] = [];
afterEach(async () => {
  await Promise.all(gateways.map((gateway) => gateway.close()));
  gateways = [];
});

const state = (sequence: number, change: object = {}): object => ({
  sequence,
  lagRecords: 0,
  halted: null,
  ...change,
});
const shards = (
  eu: object | null,
  us: object | null,
): { readonly status: number; readonly body: object } => ({
  status: 200,
  body: { shards: [{ shard: 'orders/0', regions: { eu, us } }] },
});

const quiet = async (withinMs: number): Promise<readonly string[]> =>
  (await untilQuiet(gateways, withinMs, () => undefined)).unrest;

test('a cluster is quiet when every gateway sees every region at the same place with nothing behind it', async () => {
  gateways = [
    await standInGateway('eu', (_, turn) => shards(state(5), state(turn < 3 ? 4 : 5))),
    await standInGateway('us', () => shards(state(5), state(5))),
  ];
  expect(await quiet(10_000)).toEqual([]);
  expect(gateways[0]!.asked).toHaveLength(3);
});

test('what is appended behind the end that was seen first is not waited for', async () => {
  gateways = [
    await standInGateway('eu', (_, turn) => shards(state(5 + turn), state(4 + turn, { lagRecords: 1 }))),
  ];
  const { ends, unrest } = await untilQuiet(gateways, 10_000, () => undefined);
  expect(unrest).toEqual([]);
  expect(gateways[0]!.asked.length).toBeGreaterThan(2);
  expect(ends).toEqual(new Map([['orders/0', BigInt(5 + 1)]]));
});

test.each([
  ['a region that has told nothing', shards(state(5), null), 'us has told nothing of orders/0'],
  ['a region that is behind', shards(state(5), state(3)), 'us is 2 behind on orders/0'],
  [
    'a region that knows of more to come',
    shards(state(6), state(5, { lagRecords: 1 })),
    'us is 1 behind on orders/0',
  ],
  [
    'a lag that is not known',
    shards(state(5, { lagRecords: null }), state(5)),
    'eu does not know how much of orders/0 it has not read',
  ],
  [
    'a shard that is halted',
    shards(state(5), state(5, { halted: { code: 'fold-failed' } })),
    'orders/0 is halted in us: fold-failed',
  ],
])('%s is in the way', async (_title, answer, reason) => {
  gateways = [await standInGateway('eu', () => answer)];
  expect(await quiet(1)).toEqual([`${reason} (as eu sees it)`]);
});

test('a gateway that refuses or does not answer is in the way', async () => {
  const gone = await standInGateway('us', () => shards(null, null));
  await gone.close();
  gateways = [await standInGateway('eu', () => ({ status: 503, body: {} }))];
  expect((await untilQuiet([...gateways, gone], 1, () => undefined)).unrest).toEqual([
    'the gateway of eu answers 503',
    'the gateway of us does not answer',
  ]);
});
