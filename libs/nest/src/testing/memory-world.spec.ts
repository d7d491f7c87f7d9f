import { beforeAll, describe, expect, test } from '@jest/globals';
import {
  accountsOn,
  credited,
  debited,
  opened,
  openSample,
  withdraw,
  type Accounts,
} from '../dataset/accounts.fixture.js';
import { DATASET_PORT_PROMISES } from './dataset-port-promises.js';
import { given } from './given.js';
import { MemoryWorld } from './memory-world.js';

let sample: MemoryWorld;

beforeAll(async () => {
  sample = await openSample();
});

describe('the world in memory keeps the promises of the dataset port', () => {
  test.each(DATASET_PORT_PROMISES)('$promise', ({ attack }) => attack(sample.empty().port()));
});

describe('a fault', () => {
  test('conflict: the row has another version and the same content', async () => {
    const world = sample.empty();
    const accounts = accountsOn(world.port());
    const { versions } = await accounts.append([opened(), credited(5)]);
    world.next('conflict');
    const stale = { ...debited(1), expectedVersion: versions['eu:ada']! };
    await expect(accounts.append(stale)).rejects.toMatchObject({ code: 'version-conflict' });
    expect(await accounts.read('eu:ada')).toMatchObject({ row: { balance: 5 } });
    expect((await accounts.read('eu:ada')).version).toBeGreaterThan(versions['eu:ada']!);
  });

  test('fenced: the entry is written once, by the next home, in the next epoch', async () => {
    const world = sample.empty();
    const accounts = accountsOn(world.port());
    const before = await accounts.append(opened());
    world.next('fenced');
    const after = await accounts.append(credited(5));
    expect([before.told.epoch, after.told.epoch]).toEqual([1, 2]);
    // Fence and fenced attempt have taken their sequences too.
    expect(after.told.sequence! - before.told.sequence!).toBe(3);
    expect((await accounts.read('eu:ada')).row?.balance).toBe(5);
  });

  test('waits for a write that it can happen to', async () => {
    const world = sample.empty();
    world.next('conflict', 2);
    await accountsOn(world.port()).append(opened());
    expect(world.faultsLeft).toEqual(['conflict', 'conflict']);
  });
});

describe('given, when, then', () => {
  const ada = (): ReturnType<typeof given<Accounts>> =>
    given<Accounts>(sample, 'accounts', [opened(), credited(50)]);

  test('a decider sees what the history folds to', () => {
    ada().when('eu:ada', withdraw(50)).decides(debited(50));
    ada().when('eu:ada', withdraw(51)).refuses('50 is less than 51');
    given<Accounts>(sample, 'accounts').when('eu:ada', withdraw(1)).refuses('0 is less than 1');
    ada()
      .when('eu:ada', () => [])
      .decides();
  });

  test('another decision than expected fails', () => {
    expect(() => ada().when('eu:ada', withdraw(50)).decides(debited(49))).toThrow();
    expect(() => ada().when('eu:ada', withdraw(50)).refuses('50 is less than 51')).toThrow();
    expect(() => ada().when('eu:ada', withdraw(51)).refuses('no')).toThrow();
  });

  test('a decision that the log would reject fails, and so does an impossible history', () => {
    const reckless = [debited(51)];
    expect(() =>
      ada()
        .when('eu:ada', () => reckless)
        .decides(...reckless),
    ).toThrow('the log rejects what was decided: guard');
    expect(() => given<Accounts>(sample, 'accounts', [credited(1)])).toThrow(
      'the log rejects history[0]: guard',
    );
  });
});

test('a catalogue that is not valid is told with its findings', async () => {
  await expect(MemoryWorld.open(import.meta.dirname)).rejects.toMatchObject({
    code: 'misconfigured',
    message: expect.stringContaining('topology.yaml'),
  });
});
