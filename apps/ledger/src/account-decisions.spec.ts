import { beforeAll, describe, test } from '@jest/globals';
import { given, type MemoryWorld } from '@lockstep/nest/testing';
import { withdraw } from './account-decisions.js';
import type { Accounts } from './account-input.js';
import { openSample } from './sample-world.fixture.js';

let world: MemoryWorld;
beforeAll(async () => {
  world = await openSample();
});

const opened: Accounts['event'] = {
  key: 'eu:ada',
  type: 'opened',
  data: { owner: 'Ada', currency: 'EUR' },
};
const debited = (amount: number): Accounts['event'] => ({ key: 'eu:ada', type: 'debited', data: { amount } });

describe('a withdrawal', () => {
  const withFifty = (): ReturnType<typeof given<Accounts>> =>
    given<Accounts>(world, 'accounts', [opened, { key: 'eu:ada', type: 'credited', data: { amount: 50 } }]);

  test('takes what is there, to the last', () => {
    withFifty().when('eu:ada', withdraw(50)).decides(debited(50));
  });

  test('is refused what is not there, with the balance', () => {
    withFifty().when('eu:ada', withdraw(51)).refuses('eu:ada holds 50, less than 51');
    given<Accounts>(world, 'accounts', [opened])
      .when('eu:ada', withdraw(1))
      .refuses('eu:ada holds 0, less than 1');
  });

  test('is refused where there is no account', () => {
    given<Accounts>(world, 'accounts').when('eu:ada', withdraw(1)).refuses('there is no account eu:ada');
  });
});
