/**
 * An account's row after an event. An account is opened once, moves need an account, and the balance stays between 0
 * and 2^53 - 1 minor units; whatever breaks this is refused with the whole entry.
 */
import type { Reducer } from '@lockstep/protocol';

const BALANCE_MAX = Number.MAX_SAFE_INTEGER;

export const reduce: Reducer = (state, event) => {
  if (event.type === 'opened') {
    if (state !== null) return { refuse: 'the account is already open' };
    const { owner, currency } = event.data as { owner: string; currency: string };
    return { owner, currency, balance: 0 };
  }
  if (state === null) return { refuse: 'there is no such account' };

  const balance = state['balance'] as number;
  const { amount } = event.data as { amount: number };
  switch (event.type) {
    case 'credited':
      // Compared by subtraction, so that no sum is ever rounded.
      if (amount > BALANCE_MAX - balance) return { refuse: 'the balance would exceed 2^53 - 1' };
      return { ...state, balance: balance + amount };
    case 'debited':
      if (amount > balance) return { refuse: 'the balance would fall below zero' };
      return { ...state, balance: balance - amount };
    default:
      return { refuse: `the event type ${event.type} is unknown to this reducer` };
  }
};
