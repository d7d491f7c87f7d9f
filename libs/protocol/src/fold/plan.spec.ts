/** What a batch reads before it is folded: no more than a verdict or an effect can depend on. */
import { expect, test } from '@jest/globals';
import { sequence } from '../identity/identity.js';
import { endsBatch } from './decoded-entry.js';
import {
  AGGREGATE,
  credited,
  keyOf,
  LogBuilder,
  opened,
  ROWS,
  START_MS,
  STRICTER,
  US,
} from './fold.fixture.js';
import { plan } from './plan.js';

const log = new LogBuilder()
  .data([opened('eu:a'), credited(1, 'eu:b')], { idempotencyKey: 'k1' })
  .data([{ ...credited(1, 'eu:c'), expectedVersion: sequence(0n) }, credited(1, 'eu:d')])
  .control({ kind: 'settle', key: keyOf('k2'), deadlineMs: START_MS })
  .control({ kind: 'probe' })
  .record('[]', null)
  .data([], { text: 'not json' });

test('rows are read only where a version is expected', () => {
  const reads = plan(log.entries(), ROWS);
  // Strict: `toEqual` would pass over an undefined one.
  expect([...reads.outcomes]).toStrictEqual([keyOf('k1'), keyOf('k2')]);
  expect([...reads.rows]).toEqual(['eu:c']);
});

test('an aggregate needs every row that an event touches', () => {
  expect([...plan(log.entries(), AGGREGATE).rows]).toEqual(['eu:a', 'eu:b', 'eu:c', 'eu:d']);
});

test('before genesis only what is expected is read', () => {
  expect([...plan(log.entries(), null).rows]).toEqual(['eu:c']);
});

test('a batch ends where what follows may need other reads', () => {
  const entries = new LogBuilder()
    .genesis()
    .data([opened()])
    .fence(1n, US)
    .control({ kind: 'configuration', expected: AGGREGATE.hash, configuration: STRICTER.hash })
    .control({ kind: 'probe' })
    .record(null, null)
    .entries();
  expect(entries.map(endsBatch)).toEqual([true, false, false, true, false, false]);
});
