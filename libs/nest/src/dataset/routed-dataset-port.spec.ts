/** The port over several gateways: one world in memory behind all of them, each of which can fail in its own way. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { PortError } from '@lockstep/engine';
import { problem, type ProblemCode } from '@lockstep/protocol';
import { DATASET_PORT_PROMISES } from '../testing/dataset-port-promises.js';
import type { MemoryWorld } from '../testing/memory-world.js';
import { accountsOn, credited, opened, openSample } from './accounts.fixture.js';
import type { DatasetPort, PortAnswer, PortFeed } from './dataset-port.js';
import { routedDatasetPort } from './routed-dataset-port.js';

let sample: MemoryWorld;
beforeAll(async () => {
  sample = await openSample();
});

const unreachable = new PortError('gateway-unreachable', 'retryable', 'nobody there');
const broken = new PortError('gateway-broken', 'unknown', 'broken off');

function problemOf(code: ProblemCode): PortAnswer {
  const body = problem(code, 'as the test says');
  return { status: body.status, headers: {}, body: JSON.stringify(body) };
}

/** What a gateway does in place of answering; `answer-lost` has its effect first. */
type Failure =
  | 'unreachable'
  | 'broken'
  | 'answer-lost'
  | 'not-ready'
  | 'store-unavailable'
  | 'region-differs'
  | 'token-unreachable';

/** Gateways before one world; which calls came to which, how long they might take, and how each fails. */
function gateways(count: number, world: MemoryWorld = sample.empty()) {
  const clock = { nowMs: 0, monotonicMs: (): number => clock.nowMs };
  const told = Array.from({ length: count }, () => ({
    failure: null as Failure | null,
    /** How long a failing call takes. */
    failsAfterMs: 0,
    calls: [] as { readonly call: keyof DatasetPort; readonly timeoutMs: number }[],
    isClosed: false,
  }));
  const ports = told.map((gateway): DatasetPort => {
    const port = world.port();
    const met = async <Told>(
      call: keyof DatasetPort,
      timeoutMs: number,
      answer: () => Promise<Told>,
    ): Promise<Told | PortAnswer> => {
      gateway.calls.push({ call, timeoutMs });
      const { failure } = gateway;
      if (failure === null) return answer();
      clock.nowMs += failure === 'token-unreachable' ? timeoutMs : gateway.failsAfterMs;
      switch (failure) {
        case 'unreachable':
          throw unreachable;
        case 'answer-lost':
          await answer();
          throw broken;
        case 'broken':
          throw broken;
        case 'not-ready':
        case 'store-unavailable':
        case 'region-differs':
        case 'token-unreachable':
          return problemOf(failure);
      }
    };
    return {
      write: (call) => met('write', call.timeoutMs, () => port.write(call)) as Promise<PortAnswer>,
      writeBatch: (call) =>
        met('writeBatch', call.timeoutMs, () => port.writeBatch(call)) as Promise<PortAnswer>,
      receipt: (call) => met('receipt', call.timeoutMs, () => port.receipt(call)) as Promise<PortAnswer>,
      row: (call) => met('row', call.timeoutMs, () => port.row(call)) as Promise<PortAnswer>,
      changes: (call) => met('changes', call.timeoutMs, () => port.changes(call)),
      readiness: (timeoutMs) =>
        met('readiness', timeoutMs, () => port.readiness(timeoutMs)) as Promise<PortAnswer>,
      close: () => {
        gateway.isClosed = true;
        return port.close();
      },
    };
  });
  const port = routedDatasetPort(ports, clock);
  /** Which gateways were asked since, in order, each with what it could take. */
  const askedSince = (): readonly (readonly number[])[] =>
    told.map(({ calls }) => calls.splice(0).map(({ timeoutMs }) => timeoutMs));
  return { port, told, clock, askedSince, world };
}

const write = (port: DatasetPort, idempotencyKey: string | null = 'k', amount = 1) => {
  const body = JSON.stringify({ events: [credited(amount)], timeoutMs: 10_000 });
  return port.write({ dataset: 'accounts', body, idempotencyKey, timeoutMs: 10_000 });
};
const row = (port: DatasetPort, consistency: 'local' | 'session' | 'strong' = 'local') => {
  const token = consistency === 'session' ? '1~' : null;
  return port.row({ dataset: 'accounts', key: 'eu:ada', consistency, token, timeoutMs: 10_000 });
};
const receipt = (port: DatasetPort) =>
  port.receipt({ dataset: 'accounts', idempotencyKey: 'k', wait: null, settle: null, timeoutMs: 10_000 });

describe('keeps the promises of the dataset port', () => {
  test.each(DATASET_PORT_PROMISES)('through the nearest: $promise', ({ attack }) => attack(gateways(2).port));

  test.each(DATASET_PORT_PROMISES)('where the nearest is gone: $promise', ({ attack }) => {
    const { port, told } = gateways(3);
    told[0]!.failure = 'unreachable';
    told[1]!.failure = 'not-ready';
    return attack(port);
  });
});

describe('a call that certainly had no effect', () => {
  test.each(['unreachable', 'not-ready', 'store-unavailable'] as const)(
    'as the nearest gateway is %s goes to the next, without a key too',
    async (failure) => {
      const { askedSince, port, told } = gateways(3);
      await accountsOn(port).append(opened());
      askedSince();
      told[0]!.failure = failure;
      expect((await write(port, null)).status).toBe(200);
      expect(askedSince()).toEqual([[10_000], [10_000], []]);
    },
  );

  test('takes what the time left over', async () => {
    const { askedSince, port, told } = gateways(3);
    Object.assign(told[0]!, { failure: 'unreachable', failsAfterMs: 2_000 });
    Object.assign(told[1]!, { failure: 'unreachable', failsAfterMs: 2_000 });
    await write(port);
    expect(askedSince()).toEqual([[10_000], [8_000], [6_000]]);
  });

  test('is over when its time is, whoever was not asked', async () => {
    const { askedSince, port, told } = gateways(2);
    Object.assign(told[0]!, { failure: 'unreachable', failsAfterMs: 10_000 });
    await expect(write(port)).rejects.toBe(unreachable);
    expect(askedSince()).toEqual([[10_000], []]);
  });

  test('is told so where all are gone; what one answered stands above what none did', async () => {
    const { port, told } = gateways(2);
    for (const gateway of told) gateway.failure = 'unreachable';
    await expect(write(port)).rejects.toBe(unreachable);
    told[1]!.failure = 'not-ready';
    expect(await write(port)).toMatchObject({ status: 503 });
  });
});

describe('a write whose effect is unknown', () => {
  test('goes to no other gateway, and its repeat under the key to the next', async () => {
    const { askedSince, port, told, world } = gateways(2);
    await accountsOn(world.port()).append(opened());
    told[0]!.failure = 'answer-lost';
    await expect(write(port)).rejects.toBe(broken);
    expect(askedSince()).toEqual([[10_000], []]);
    const again = await write(port);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(askedSince()).toEqual([[], [10_000]]);
    expect((await accountsOn(world.port()).read('eu:ada')).row?.balance).toBe(1);
  });

  test('without a key is never said again', async () => {
    const { askedSince, port, told, world } = gateways(2);
    await accountsOn(world.port()).append(opened());
    askedSince();
    told[0]!.failure = 'answer-lost';
    const attempt = accountsOn(port).append(credited(1), { idempotencyKey: null });
    await expect(attempt).rejects.toMatchObject({ code: 'unknown', idempotencyKey: null });
    expect(askedSince().map(({ length }) => length)).toEqual([1, 0]);
  });

  test('through a handle is told through the next, with one effect', async () => {
    const { port, told, world } = gateways(2);
    const accounts = accountsOn(port);
    await accounts.append(opened());
    told[0]!.failure = 'answer-lost';
    expect(await accounts.append(credited(7))).toMatchObject({ replayed: true });
    expect((await accountsOn(world.port()).read('eu:ada')).row?.balance).toBe(7);
  });
});

describe('a read', () => {
  test.each([
    ['row', row],
    ['receipt', receipt],
    ['readiness', (port: DatasetPort) => port.readiness(10_000)],
  ] as const)('%s has no effect: it goes to the next when it breaks off too', async (_name, read) => {
    const { port, told } = gateways(2);
    told[0]!.failure = 'broken';
    const answer = await read(port);
    expect(answer.status === 200 || answer.status === 404).toBe(true);
    expect(told.map(({ calls }) => calls.length)).toEqual([1, 1]);
  });

  test('leaves time for the next one, where the nearest stands still', async () => {
    const { askedSince, port, told } = gateways(2);
    Object.assign(told[0]!, { failure: 'broken', failsAfterMs: 5_000 });
    await row(port, 'strong');
    expect(askedSince()).toEqual([[5_000], [5_000]]);
  });

  test('that a region is behind of is asked of the next after a short wait, and the region goes on to serve', async () => {
    const { askedSince, port, told, world } = gateways(3);
    const token = (await accountsOn(world.port()).append(opened())).token!;
    told[0]!.failure = 'token-unreachable';
    told[1]!.failure = 'token-unreachable';
    const call = { dataset: 'accounts', key: 'eu:ada', consistency: 'session', timeoutMs: 10_000 } as const;
    expect((await port.row({ ...call, token })).status).toBe(200);
    expect(askedSince()).toEqual([[500], [500], [9_000]]);
    told[0]!.failure = null;
    await row(port);
    expect(askedSince()).toEqual([[5_000], [], []]);
  });

  test('waits at the region that is behind where no other is reached', async () => {
    const { askedSince, port, told } = gateways(2);
    told[0]!.failure = 'token-unreachable';
    told[1]!.failure = 'unreachable';
    expect((await row(port, 'session')).status).toBe(412);
    expect(askedSince()).toEqual([[500, 9_500], [9_500]]);
  });

  test('that is refused for its shard alone stays where it is', async () => {
    const { askedSince, port, told } = gateways(2);
    told[0]!.failure = 'region-differs';
    expect((await row(port)).status).toBe(503);
    expect(askedSince()).toEqual([[5_000], []]);
  });

  test('in a session sees what it wrote through a gateway that is gone', async () => {
    const { port, told } = gateways(2);
    const accounts = accountsOn(port);
    await accounts.append([opened(), credited(3)]);
    told[0]!.failure = 'unreachable';
    expect(await accounts.read('eu:ada')).toMatchObject({ row: { balance: 3 } });
  });
});

test('a gateway that failed is passed over for a time, then tried by one call, and the nearest again when it answers', async () => {
  const { askedSince, clock, port, told } = gateways(2);
  const times = async (calls: number): Promise<readonly number[]> => {
    await Promise.all(Array.from({ length: calls }, () => row(port)));
    return askedSince().map(({ length }) => length);
  };
  told[0]!.failure = 'unreachable';
  expect(await times(3)).toEqual([3, 3]);
  expect(await times(3)).toEqual([0, 3]);
  clock.nowMs += 1_000;
  expect(await times(3)).toEqual([1, 3]);
  clock.nowMs += 1_000;
  expect(await times(3)).toEqual([0, 3]);
  clock.nowMs += 1_000;
  told[0]!.failure = null;
  expect(await times(3)).toEqual([1, 2]);
  expect(await times(3)).toEqual([3, 0]);
});

describe('a change feed', () => {
  const open = async (port: DatasetPort, from: string | null = null): Promise<PortFeed> => {
    const feed = await port.changes({ dataset: 'accounts', from, timeoutMs: 10_000 });
    if ('status' in feed) throw new Error(feed.body);
    return feed;
  };
  const moved = { code: 'feed-moved', disposition: 'retryable' };

  test('breaks off when calls go elsewhere, is resumed there without a gap, and comes back with them', async () => {
    const { askedSince, clock, port, told } = gateways(2);
    const feed = await open(port);
    const begun = (await feed.next())![0]!.id;
    const waiting = expect(feed.next()).rejects.toMatchObject(moved);
    told[0]!.failure = 'unreachable';
    await accountsOn(port).append([opened(), credited(9)]);
    await waiting;
    askedSince();
    const next = await open(port, begun);
    expect(askedSince()).toEqual([[], [10_000]]);
    await next.next();
    const [change] = (await next.next())!;
    expect(JSON.parse(change!.data)).toMatchObject({ key: 'eu:ada', row: { balance: 9 } });

    const back = expect(next.next()).rejects.toMatchObject(moved);
    told[0]!.failure = null;
    clock.nowMs += 1_000;
    await row(port);
    await back;
  });

  test('that is open stays while its gateway answers, and what is closed ends', async () => {
    const { port, told } = gateways(2);
    const feed = await open(port);
    await feed.next();
    told[1]!.failure = 'unreachable';
    await row(port);
    const end = feed.next();
    feed.close();
    expect(await end).toBeNull();
  });
});

test('closing ends all gateways, and asks none of them in place of another', async () => {
  const { askedSince, port, told } = gateways(2);
  told[0]!.failure = 'broken';
  const call = row(port);
  const ended = expect(call).rejects.toBe(broken);
  await port.close();
  await ended;
  expect(told.map(({ isClosed }) => isClosed)).toEqual([true, true]);
  expect(askedSince()).toEqual([[5_000], []]);
});
