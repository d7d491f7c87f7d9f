/** Transfers over two shards as sagas, in the world in memory: faults, crashes between any two calls, twins. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { PortError } from '@lockstep/engine';
import type { DatasetPort } from '../dataset/dataset-port.js';
import type { Dataset } from '../dataset/dataset.js';
import {
  accountsOn,
  credited,
  debited,
  opened,
  openSample,
  type Accounts,
} from '../dataset/accounts.fixture.js';
import { CompensationRejected, SagaUnfinished, WriteRejected } from '../dataset/lockstep-error.js';
import { FAULTS, type MemoryWorld } from '../testing/memory-world.js';
import { runSaga, sagaStep, type SagaEnd, type SagaSteps } from './saga.js';

const FROM = 'eu:from';
const TO = 'us:to';

let sample: MemoryWorld;
beforeAll(async () => {
  sample = await openSample();
});

/** 20 in one account; the other is open where the transfer shall succeed. */
async function withAccounts(
  toIsOpen = true,
): Promise<{ readonly world: MemoryWorld; readonly accounts: Dataset<Accounts> }> {
  const world = sample.empty();
  const accounts = accountsOn(world.port());
  await accounts.append([opened(FROM), credited(20, FROM)]);
  if (toIsOpen) await accounts.append(opened(TO));
  return { world, accounts };
}

const transferSteps = (accounts: Dataset<Accounts>, amount: number): SagaSteps => [
  sagaStep('debit', accounts, debited(amount, FROM), credited(amount, FROM)),
  sagaStep('credit', accounts, credited(amount, TO)),
];

const transfer = (accounts: Dataset<Accounts>, amount = 15, id = 's1'): Promise<SagaEnd> =>
  runSaga(id, transferSteps(accounts, amount), { timeoutMs: 200 });

async function balances(accounts: Dataset<Accounts>): Promise<readonly (number | null)[]> {
  const rows = await Promise.all([accounts.read(FROM), accounts.read(TO)]);
  return rows.map(({ row }) => row?.balance ?? null);
}

/** A port whose process dies at a call: nothing of it goes out, or its answer is never heard, and nothing after it. */
function dyingAt(port: DatasetPort, call: number, isSent: boolean): DatasetPort {
  let calls = 0;
  const dies = async <T>(send: () => Promise<T>): Promise<T> => {
    calls += 1;
    if (calls < call) return send();
    if (calls === call && isSent) await send();
    throw new Died();
  };
  return {
    ...port,
    write: (one) => dies(() => port.write(one)),
    receipt: (one) => dies(() => port.receipt(one)),
  };
}
class Died extends Error {}

describe('a transfer', () => {
  test('stands in both shards, and a repeat is told the same', async () => {
    const { accounts } = await withAccounts();
    const first = await transfer(accounts);
    const again = await transfer(accounts);
    expect(first).toMatchObject({ kind: 'completed', receipts: [{ id: 's1:debit' }, { id: 's1:credit' }] });
    expect(again).toMatchObject({ kind: 'completed', receipts: [{ replayed: true }, { replayed: true }] });
    expect(await balances(accounts)).toEqual([5, 15]);
  });

  test('whose first step is rejected leaves nothing to undo', async () => {
    const { accounts } = await withAccounts();
    expect(await transfer(accounts, 21)).toMatchObject({
      kind: 'compensated',
      step: 'debit',
      why: { code: 'guard' },
    });
    expect(await balances(accounts)).toEqual([20, 0]);
  });

  test('whose last step is rejected is undone by a correction that the log links to what it corrects', async () => {
    const { accounts } = await withAccounts(false);
    for (let time = 0; time < 2; time += 1) {
      const end = await transfer(accounts);
      expect(end).toMatchObject({ kind: 'compensated', step: 'credit', why: { code: 'guard' } });
      expect(await balances(accounts)).toEqual([20, null]);
    }
    const taken = await accounts.receipt('s1:debit');
    expect(await accounts.correctionOf(taken!)).toMatchObject({ id: 's1:debit~undo' });
  });

  test('that was undone stays so, though its last step would now be possible', async () => {
    const { accounts } = await withAccounts(false);
    await transfer(accounts);
    await accounts.append(opened(TO));
    expect(await transfer(accounts)).toMatchObject({ kind: 'compensated', step: 'credit' });
    expect(await balances(accounts)).toEqual([20, 0]);
  });

  test.each(FAULTS)(
    'under the fault %s at each of its writes ends completed or compensated',
    async (fault) => {
      for (const toIsOpen of [true, false]) {
        const { accounts, world } = await withAccounts(toIsOpen);
        world.next(fault);
        const slow = (): Promise<SagaEnd> => runSaga('s1', transferSteps(accounts, 15), { timeoutMs: 5_000 });
        const end = await slow();
        const [from, to] = await balances(accounts);
        expect([from, to]).toEqual(end.kind === 'completed' ? [5, 15] : [20, toIsOpen ? 0 : null]);
        expect((await slow()).kind).toBe(end.kind);
      }
    },
  );

  test.each([true, false])(
    'whose process dies at any of its calls is brought to its end by running it again; other account open: %s',
    async (toIsOpen) => {
      let deaths = 0;
      for (const isSent of [true, false]) {
        for (let call = 1; ; call += 1) {
          const { accounts, world } = await withAccounts(toIsOpen);
          const died = await transfer(accountsOn(dyingAt(world.port(), call, isSent))).catch(
            (error: unknown) => error,
          );
          if (!(died instanceof Died)) break;
          deaths += 1;
          expect((await transfer(accounts)).kind).toBe(toIsOpen ? 'completed' : 'compensated');
          expect(await balances(accounts)).toEqual(toIsOpen ? [5, 15] : [20, null]);
        }
      }
      expect(deaths).toBe(toIsOpen ? 4 : 6);
    },
  );

  test.each([true, false])('run by several at once has one end; other account open: %s', async (toIsOpen) => {
    const { accounts } = await withAccounts(toIsOpen);
    const ends = await Promise.all(Array.from({ length: 5 }, () => transfer(accounts)));
    expect(new Set(ends.map(({ kind }) => kind)).size).toBe(1);
    expect(await balances(accounts)).toEqual(toIsOpen ? [5, 15] : [20, null]);
  });

  test('that cannot reach a step is unfinished, undoes nothing, and goes on when it can', async () => {
    const { accounts, world } = await withAccounts();
    const port = world.port();
    const halfDeaf: DatasetPort = {
      ...port,
      write: (call) =>
        call.idempotencyKey === 's1:credit'
          ? Promise.reject(new PortError('gateway-unreachable', 'retryable', 'connect ECONNREFUSED'))
          : port.write(call),
    };
    const attempt = transfer(accountsOn(halfDeaf));
    await expect(attempt).rejects.toBeInstanceOf(SagaUnfinished);
    await expect(attempt).rejects.toMatchObject({ sagaId: 's1', step: 'credit', status: 503 });
    expect(await balances(accounts)).toEqual([5, 0]);
    expect((await transfer(accounts)).kind).toBe('completed');
  });

  test('with an event that no gateway takes is undone', async () => {
    const { accounts } = await withAccounts();
    const nowhere = { ...credited(15), key: 'mars:to' } as unknown as Accounts['event'];
    const [debit] = transferSteps(accounts, 15);
    const end = await runSaga('s1', [
      debit as ReturnType<typeof undoable>,
      sagaStep('credit', accounts, nowhere),
    ]);
    expect(end).toMatchObject({ kind: 'compensated', why: { code: 'unknown-group' } });
    expect(await balances(accounts)).toEqual([20, 0]);
  });

  test('under the id of another saga is refused and changes nothing', async () => {
    const { accounts } = await withAccounts();
    await transfer(accounts, 15);
    await expect(transfer(accounts, 5)).rejects.toMatchObject({ code: 'key-reused', status: 422 });
    expect(await balances(accounts)).toEqual([5, 15]);
  });

  test('with an id or names that cannot be meant is refused before anything is written', async () => {
    const { accounts } = await withAccounts();
    const step = undoable(accounts);
    for (const [id, steps] of [
      ['', [step]],
      ['x'.repeat(91), [step]],
      ['s1', [step, step]],
      ['s1', [sagaStep('No:Name', accounts, debited(1, FROM))]],
      ['s1', Array.from({ length: 33 }, (_, index) => ({ ...step, name: `debit-${index}` }))],
    ] as readonly (readonly [string, SagaSteps])[])
      await expect(runSaga(id, steps)).rejects.toMatchObject({ code: 'misconfigured' });
    expect(await balances(accounts)).toEqual([20, 0]);
  });
});

describe('an undo', () => {
  const reckless = (accounts: Dataset<Accounts>): SagaSteps => [
    sagaStep('credit', accounts, credited(15, TO), debited(15, TO)),
    sagaStep('debit', accounts, debited(21, FROM)),
  ];

  test('that the log rejects is told with the step that stands', async () => {
    const { accounts, world } = await withAccounts();
    const port = world.port();
    const spending: DatasetPort = {
      ...port,
      write: async (call) => {
        const answer = await port.write(call);
        if (call.idempotencyKey === 's1:credit') await accounts.append(debited(15, TO));
        return answer;
      },
    };
    const attempt = runSaga('s1', reckless(accountsOn(spending)));
    await expect(attempt).rejects.toBeInstanceOf(CompensationRejected);
    await expect(attempt).rejects.toMatchObject({ step: 'credit', receipt: { id: 's1:credit' } });
  });

  test('that a person made otherwise counts', async () => {
    const { accounts } = await withAccounts();
    const taken = await accounts.append(credited(15, TO), { idempotencyKey: 's1:credit' });
    await accounts.compensate(taken, [debited(10, TO), debited(5, TO)]);
    expect((await runSaga('s1', reckless(accounts))).kind).toBe('compensated');
    expect(await balances(accounts)).toEqual([20, 0]);
  });
});

describe('compensate', () => {
  test('has one effect however often it is asked for', async () => {
    const { accounts } = await withAccounts();
    const wrong = await accounts.append(credited(7, FROM));
    expect(await accounts.correctionOf(wrong)).toBeNull();
    const first = await accounts.compensate(wrong, debited(7, FROM));
    const again = await accounts.compensate(wrong, debited(7, FROM));
    expect(again.told.sequence).toBe(first.told.sequence);
    expect((await accounts.correctionOf(wrong))?.told.sequence).toBe(first.told.sequence);
    expect(await balances(accounts)).toEqual([20, 0]);
  });

  test('with another correction of the same entry is refused', async () => {
    const { accounts } = await withAccounts();
    const wrong = await accounts.append(credited(7, FROM));
    await accounts.compensate(wrong, debited(7, FROM));
    const other = accounts.compensate(wrong, debited(6, FROM));
    await expect(other).rejects.toBeInstanceOf(WriteRejected);
    await expect(other).rejects.toMatchObject({ code: 'key-reused' });
  });
});

const undoable = (accounts: Dataset<Accounts>) =>
  sagaStep('debit', accounts, debited(15, FROM), credited(15, FROM));

/** Compiled, never run: what is wrong here must not compile. */
export function wrongSagasDoNotCompile(accounts: Dataset<Accounts>): readonly (() => unknown)[] {
  const last = sagaStep('credit', accounts, credited(15, TO));
  return [
    // @ts-expect-error -- a step before the last one must be undoable
    () => runSaga('s1', [last, undoable(accounts)]),
    // @ts-expect-error -- no step
    () => runSaga('s1', []),
    // @ts-expect-error -- no such event
    () => sagaStep('debit', accounts, { key: FROM, type: 'closed', data: {} }),
    // @ts-expect-error -- a field is missing
    () => sagaStep('debit', accounts, debited(1, FROM), { key: FROM, type: 'credited', data: {} }),
  ];
}
