/** What may be done with an account, decided by its row alone: tests need no more than `given(...).when(...)`. */
import { refuse, type Decider } from '@lockstep/nest';
import type { Accounts } from './account-input.js';

export const withdraw =
  (amount: number): Decider<Accounts> =>
  ({ key, row }) => {
    if (row === null) return refuse(`there is no account ${key}`);
    const balance = row.balance ?? 0;
    if (balance < amount) return refuse(`${key} holds ${balance}, less than ${amount}`);
    return [{ key, type: 'debited', data: { amount } }];
  };
