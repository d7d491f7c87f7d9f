/** Handles over the world in memory: what a service meets of faults, conflicts, repeats and ends of time. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { PortError } from '@lockstep/engine';
import { inSession, RequestSession } from '../session/request-session.js';
import type { MemoryWorld } from '../testing/memory-world.js';
import {
  accountsOn,
  credited,
  debited,
  opened,
  openSample,
  withdraw,
  type Accounts,
} from './accounts.fixture.js';
import type { DatasetPort } from './dataset-port.js';
import type { Dataset } from './dataset.js';
import { refuse } from './decision.js';
import {
  DecisionRefused,
  NothingWritten,
  OutcomeUnknown,
  StageNotReached,
  VersionConflict,
  WriteRejected,
} from './lockstep-error.js';

let sample: MemoryWorld;
beforeAll(async () => {
  sample = await openSample();
});

/** An open account of `eu:ada` with money. */
async function withMoney(amount = 20): Promise<{ world: MemoryWorld; accounts: Dataset<Accounts> }> {
  const world = sample.empty();
  const accounts = accountsOn(world.port());
  await accounts.append([opened(), credited(amount)]);
  return { world, accounts };
}

const balanceOf = async (accounts: Dataset<Accounts>): Promise<number | null | undefined> =>
  (await accounts.read('eu:ada')).row?.balance;

/** The port, with some calls answered otherwise. */
const changed = (port: DatasetPort, calls: Partial<DatasetPort>): DatasetPort => ({ ...port, ...calls });

describe('append', () => {
  test('answers a receipt with stages, versions and a token', async () => {
    const { accounts } = await withMoney();
    const receipt = await accounts.append([credited(1), debited(2)], { ack: 'everywhere' });
    expect(receipt).toMatchObject({ stage: 'everywhere', replayed: false });
    expect(receipt.has('quorum')).toBe(true);
    expect(receipt.versions).toEqual({ 'eu:ada': receipt.told.sequence });
    expect(await receipt.reached('everywhere')).toBe(receipt);
    expect(await balanceOf(accounts)).toBe(19);
  });

  test('a rejection is an error with code, next step and receipt, final', async () => {
    const { accounts } = await withMoney();
    const attempt = accounts.append(debited(21), { idempotencyKey: 'k' });
    await expect(attempt).rejects.toBeInstanceOf(WriteRejected);
    await expect(attempt).rejects.toMatchObject({
      code: 'guard',
      status: 409,
      receipt: { outcome: 'rejected' },
    });
    await expect(accounts.receipt('k')).rejects.toMatchObject({ code: 'guard' });
  });

  test.each(['answer-lost', 'request-lost', 'outcome-unknown', 'fenced', 'busy'] as const)(
    'under the fault %s it has one effect or none, and says which',
    async (fault) => {
      const { accounts, world } = await withMoney();
      world.next(fault);
      const attempt = accounts.append(credited(5));
      if (fault === 'outcome-unknown') await expect(attempt).rejects.toMatchObject({ code: 'expired' });
      else await attempt;
      expect(world.faultsLeft).toEqual([]);
      expect(await balanceOf(accounts)).toBe(fault === 'outcome-unknown' ? 20 : 25);
    },
  );

  test.each(['answer-lost', 'request-lost', 'outcome-unknown'] as const)(
    'without a key the fault %s leaves it unknown, and it is not said again',
    async (fault) => {
      const { accounts, world } = await withMoney();
      world.next(fault);
      const attempt = accounts.append(credited(5), { idempotencyKey: null });
      await expect(attempt).rejects.toBeInstanceOf(OutcomeUnknown);
      expect(await balanceOf(accounts)).toBe(fault === 'answer-lost' ? 25 : 20);
    },
  );

  test('busy is told without a key, and when its wait would outlast the time', async () => {
    const { accounts, world } = await withMoney();
    world.next('busy');
    await expect(accounts.append(credited(5), { idempotencyKey: null })).rejects.toBeInstanceOf(
      NothingWritten,
    );
    const port = changed(world.port(), {
      write: () => Promise.resolve({ status: 503, headers: { 'retry-after': '60' }, body: notReady }),
    });
    await expect(accountsOn(port).append(credited(5))).rejects.toMatchObject({
      code: 'not-ready',
      status: 503,
    });
  });

  test('what stays silent to the end is asked for under its key, and unknown if nobody knows it', async () => {
    const { world } = await withMoney();
    const port = world.port();
    const silent = changed(port, {
      write: async (call) => {
        await port.write(call);
        throw new PortError('gateway-broken', 'unknown', 'the connection broke');
      },
    });
    const receipt = await accountsOn(silent).append(credited(5), { timeoutMs: 50 });
    expect(receipt.told.outcome).toBe('accepted');
    const deaf = changed(port, {
      write: () => Promise.reject(new PortError('gateway-broken', 'unknown', 'the connection broke')),
    });
    const attempt = accountsOn(deaf, { settleMs: 50 }).append(credited(5), {
      timeoutMs: 50,
      idempotencyKey: 'k',
    });
    await expect(attempt).rejects.toMatchObject({ code: 'unknown', idempotencyKey: 'k' });
  });

  test('a gateway that was never reached wrote nothing, and the error says so', async () => {
    const port = changed(sample.empty().port(), {
      write: () => Promise.reject(new PortError('gateway-unreachable', 'retryable', 'connect ECONNREFUSED')),
    });
    const attempt = accountsOn(port).append(opened(), { timeoutMs: 50 });
    await expect(attempt).rejects.toBeInstanceOf(NothingWritten);
    await expect(attempt).rejects.toMatchObject({ code: 'gateway-unreachable' });
  });

  test('a stage that is not reached in time is told with the receipt as it is', async () => {
    const { world } = await withMoney();
    const port = world.port();
    const early = async (answer: ReturnType<DatasetPort['write']>) => {
      const { body, ...rest } = await answer;
      const receipt = JSON.parse(body) as { stages: { quorum?: unknown; everywhere?: unknown } };
      delete receipt.stages.quorum;
      delete receipt.stages.everywhere;
      return { ...rest, body: JSON.stringify({ ...receipt, stage: 'accepted' }) };
    };
    const slow = changed(port, {
      write: (call) => early(port.write(call)),
      receipt: (call) => early(port.receipt(call)),
    });
    const receipt = await accountsOn(slow).append(credited(1));
    expect([receipt.has('accepted'), receipt.has('quorum')]).toEqual([true, false]);
    await expect(receipt.reached('quorum', { timeoutMs: 50 })).rejects.toBeInstanceOf(StageNotReached);
  });

  test('more calls than configured are refused at once', async () => {
    let answer!: () => void;
    const open = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const port = sample.empty().port();
    const slow = changed(port, { write: (call) => open.then(() => port.write(call)) });
    const accounts = accountsOn(slow, { callsMax: 1 });
    const first = accounts.append(opened());
    await expect(accounts.append(credited(1))).rejects.toMatchObject({ code: 'too-many-calls' });
    answer();
    await first;
  });
});

describe('appendBatch', () => {
  test('answers each entry in its place; a lost answer costs no second effect', async () => {
    const { accounts, world } = await withMoney();
    world.next('answer-lost');
    const results = await accounts.appendBatch([
      { events: [credited(1)] },
      { events: [debited(100)] },
      { events: [credited(2)] },
    ]);
    expect(
      results.map((one) => (one.kind === 'receipt' ? one.receipt.told.outcome : one.error.code)),
    ).toEqual(['accepted', 'guard', 'accepted']);
    expect(await balanceOf(accounts)).toBe(23);
    expect(await accounts.appendBatch([])).toEqual([]);
  });
});

describe('decide', () => {
  test('loads, decides and writes; a refusal writes nothing', async () => {
    const { accounts } = await withMoney();
    await accounts.decide('eu:ada', withdraw(15));
    const refused = accounts.decide('eu:ada', withdraw(15));
    await expect(refused).rejects.toBeInstanceOf(DecisionRefused);
    await expect(refused).rejects.toMatchObject({ reason: '5 is less than 15' });
    expect(await accounts.decide('eu:ada', () => [])).toBeNull();
    expect(await balanceOf(accounts)).toBe(5);
  });

  test('decides anew on every conflict, under a key of its own, and in the end gives up', async () => {
    const { accounts, world } = await withMoney();
    world.next('conflict', 3);
    const receipt = await accounts.decide('eu:ada', withdraw(15), { idempotencyKey: 'k' });
    expect(receipt?.id).toBe('k#4');
    const tired = accountsOn(world.port(), { conflictsMax: 2 });
    world.next('conflict', 2);
    await expect(tired.decide('eu:ada', withdraw(1))).rejects.toMatchObject({ code: 'contended' });
    expect(await balanceOf(accounts)).toBe(5);
  });

  test('50 withdrawals at once from money for 20: exactly 20', async () => {
    const { accounts } = await withMoney(20);
    const all = await Promise.allSettled(
      Array.from({ length: 50 }, () => accounts.decide('eu:ada', withdraw(1), { timeoutMs: 60_000 })),
    );
    const told = all.filter((one) => one.status === 'rejected').map((one) => one.reason as unknown);
    expect(told).toHaveLength(30);
    expect(told.every((error) => error instanceof DecisionRefused)).toBe(true);
    expect(await balanceOf(accounts)).toBe(0);
  });

  test('a repeat finds what was decided, though the row would now refuse it', async () => {
    const { accounts, world } = await withMoney();
    world.next('conflict');
    const first = await accounts.decide('eu:ada', withdraw(20), { idempotencyKey: 'k' });
    const again = await accounts.decide('eu:ada', withdraw(20), { idempotencyKey: 'k' });
    expect(again).toMatchObject({ id: first!.id, replayed: true });
    expect(again!.told.sequence).toBe(first!.told.sequence);
    expect(await balanceOf(accounts)).toBe(0);
  });

  test('twins of one request at once have one effect', async () => {
    const { accounts } = await withMoney();
    const twins = await Promise.all(
      Array.from({ length: 5 }, () => accounts.decide('eu:ada', withdraw(20), { idempotencyKey: 'k' })),
    );
    expect(new Set(twins.map((one) => one!.told.sequence)).size).toBe(1);
    expect(await balanceOf(accounts)).toBe(0);
  });

  test('what a decider throws goes on as it is', async () => {
    const { accounts } = await withMoney();
    const mine = new Error('mine');
    await expect(
      accounts.decide('eu:ada', () => {
        throw mine;
      }),
    ).rejects.toBe(mine);
    await expect(accounts.decide('eu:ada', () => refuse('no'))).rejects.toMatchObject({ reason: 'no' });
  });
});

describe('inside a request', () => {
  test('writes are numbered under its key, and reads see them', async () => {
    const { accounts } = await withMoney();
    const session = new RequestSession(null, 'order-7');
    const ids = await inSession(session, async () => {
      const first = await accounts.append(credited(1));
      const second = await accounts.append(credited(2));
      return [first.id, second.id];
    });
    expect(ids).toEqual(['order-7', 'order-7.2']);
    const repeated = await inSession(new RequestSession(null, 'order-7'), () => accounts.append(credited(1)));
    expect(repeated.replayed).toBe(true);
    expect(await inSession(session, () => balanceOf(accounts))).toBe(23);
  });

  test('the token of a rejection counts too: a conflict is read behind', async () => {
    const { accounts } = await withMoney();
    const session = new RequestSession();
    const attempt = inSession(session, () => accounts.append({ ...credited(1), expectedVersion: 1 }));
    await expect(attempt).rejects.toBeInstanceOf(VersionConflict);
    expect(session.token).toMatch(/^1~accounts\/\d@/);
  });
});

const notReady = JSON.stringify({
  code: 'not-ready',
  title: 'This role is not ready',
  status: 503,
  detail: 'x',
  next: 'Wait.',
});

/** Compiled, never run: what is wrong here must not compile. */
export function wrongEventsDoNotCompile(accounts: Dataset<Accounts>): readonly (() => unknown)[] {
  return [
    // @ts-expect-error -- no such event
    () => accounts.append({ key: 'eu:ada', type: 'closed', data: {} }),
    // @ts-expect-error -- a field is missing
    () => accounts.append({ key: 'eu:ada', type: 'opened', data: { owner: 'Ada' } }),
    // @ts-expect-error -- no such group
    () => accounts.append({ key: 'mars:ada', type: 'debited', data: { amount: 1 } }),
    // @ts-expect-error -- no such column
    () => accounts.decide('eu:ada', ({ row }) => (row?.total === 1 ? [] : [])),
  ];
}
