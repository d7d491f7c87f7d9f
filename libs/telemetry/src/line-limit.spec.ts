import { expect, test } from '@jest/globals';
import { LineLimit } from './line-limit.js';

test('the first of many alike lines is told, later ones once per window with the number held back', () => {
  const limit = new LineLimit(100, 10);
  expect(limit.admit('a', 0)).toBe(0);
  expect(limit.admit('a', 1)).toBeNull();
  expect(limit.admit('b', 1)).toBe(0);
  expect(limit.admit('a', 99)).toBeNull();
  expect(limit.admit('a', 100)).toBe(2);
  expect(limit.admit('a', 199)).toBeNull();
  expect(limit.admit('b', 101)).toBe(0);
});

test('no more kinds of lines are remembered than allowed: the one told longest ago is forgotten', () => {
  const limit = new LineLimit(100, 2);
  limit.admit('a', 0);
  limit.admit('b', 1);
  limit.admit('a', 2);
  expect(limit.admit('c', 3)).toBe(0);
  expect(limit.admit('b', 4)).toBeNull();
  expect(limit.admit('a', 5)).toBe(0);
});
