import { expect, test } from '@jest/globals';
import { otherPayload } from './other-payload.js';

test.each([
  ['credited', { amount: 5 }, 'credited', { amount: 6 }],
  ['opened', { owner: 'Ada', currency: 'EUR' }, 'opened', { owner: 'Ada, another', currency: 'EUR' }],
  ['placed', { customer: 'c', total: 1 }, 'placed', { customer: 'c', total: 2 }],
  ['recorded', { sensor: 's', value: 1.5, at: 'then' }, 'recorded', { sensor: 's', value: 2.5, at: 'then' }],
  ['shipped', { carrier: 'sea' }, 'shipped', { carrier: 'sea, another' }],
  ['cancelled', { reason: 'late' }, 'cancelled', { reason: 'late, another' }],
  ['paid', {}, 'cancelled', { reason: 'another payload' }],
])('another payload than %s %j is %s %j, of the same row and version', (type, data, otherType, otherData) => {
  const second = { key: 'eu:2', type: 'credited', data: { amount: 1 } };
  const common = { key: 'eu:1', expectedVersion: 3 };
  expect(otherPayload([{ ...common, type, data } as never, second])).toEqual([
    { ...common, type: otherType, data: otherData },
    second,
  ]);
});
