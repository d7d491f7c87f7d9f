/**
 * Writes to the sample's datasets, by hand. The build checks this file: the first list must compile, and every event of the
 * second one must not, for the reason beside it. `datasets.spec.ts` shows that both are really checked, and that the fold
 * agrees with the compiler.
 */
import type { EventOf, KeyOf, RowOf } from './datasets.js';

export const WRITES: {
  readonly accounts: readonly EventOf<'accounts'>[];
  readonly orders: readonly EventOf<'orders'>[];
  readonly readings: readonly EventOf<'readings'>[];
} = {
  accounts: [
    { key: 'eu:ada', type: 'opened', data: { owner: 'Ada', currency: 'EUR' }, expectedVersion: 0 },
    { key: 'us:bob', type: 'credited', v: 1, data: { amount: 5 } },
    { key: 'ap:cleo', type: 'debited', data: { amount: 5 } },
  ],
  orders: [
    { key: 'eu:1', type: 'placed', data: { customer: 'Ada', total: 5 } },
    { key: 'eu:1', type: 'paid', data: {} },
    { key: 'eu:1', type: 'shipped', data: { carrier: 'by foot' } },
    { key: 'eu:1', type: 'cancelled', data: { reason: 'rain' } },
  ],
  readings: [
    { key: 'us:s/1', type: 'recorded', data: { sensor: 's', value: 0.5, at: '2026-01-31T12:00:00Z' } },
  ],
};

export const REFUSED: readonly (readonly [why: string, event: EventOf<'accounts'>])[] = [
  // @ts-expect-error -- no dataset has this event
  ['an unknown event', { key: 'eu:ada', type: 'renamed', data: {} }],
  // @ts-expect-error -- orders have this event
  ['an event of another dataset', { key: 'eu:ada', type: 'paid', data: {} }],
  // @ts-expect-error -- there is a first version only
  ['an unknown version', { key: 'eu:ada', type: 'credited', v: 2, data: { amount: 5 } }],
  // @ts-expect-error -- no such group
  ['an unknown group', { key: 'mars:ada', type: 'credited', data: { amount: 5 } }],
  // @ts-expect-error -- no group at all
  ['a key without a group', { key: 'ada', type: 'credited', data: { amount: 5 } }],
  // @ts-expect-error -- `currency` is missing
  ['a missing field', { key: 'eu:ada', type: 'opened', data: { owner: 'Ada' } }],
  // @ts-expect-error -- `iban` is not in the schema
  ['an unknown field', { key: 'eu:ada', type: 'credited', data: { amount: 5, iban: 'DE0' } }],
  // @ts-expect-error -- an amount is a number
  ['a field of another type', { key: 'eu:ada', type: 'credited', data: { amount: '5' } }],
  // @ts-expect-error -- the data of another event
  ['data of another event', { key: 'eu:ada', type: 'debited', data: { owner: 'Ada', currency: 'EUR' } }],
];

export const ROW: RowOf<'accounts'> = { owner: 'Ada', currency: 'EUR', balance: null };

export const keyOf = (id: string): KeyOf<'accounts'> => `eu:${id}`;
