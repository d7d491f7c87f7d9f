import { describe, expect, test } from '@jest/globals';
import { customerEvents } from './customer.js';

const ada = { name: 'Ada', email: 'ada@example.org' };

describe('what is told of a customer', () => {
  test('is all of a new one', () => {
    expect(customerEvents({ before: null, after: ada })).toEqual([
      { type: 'named', data: { name: 'Ada' } },
      { type: 'reachable', data: { email: 'ada@example.org' } },
    ]);
  });

  test('is what has changed, and nothing else', () => {
    expect(customerEvents({ before: ada, after: { ...ada, name: 'Bea' } })).toEqual([
      { type: 'named', data: { name: 'Bea' } },
    ]);
    expect(customerEvents({ before: ada, after: { ...ada, email: 'a@b.c' } })).toEqual([
      { type: 'reachable', data: { email: 'a@b.c' } },
    ]);
  });

  test('is that he left', () => {
    expect(customerEvents({ before: ada, after: null })).toEqual([{ type: 'left', data: {} }]);
  });
});
