/** What an event does to its row: declared operations for rows, a reducer that makes the whole row for aggregates. */
import { describe, expect, test } from '@jest/globals';
import type { EntryEvent } from '../entry/body.js';
import type { ColumnOperation } from '../fold/row-operation.js';
import { configured, content, ROWS_PROJECTION } from '../fold/fold.fixture.js';
import type { ColumnContent, ConfigurationContent } from './content.js';
import { compileConfiguration } from './fold-configuration.js';
import { compileAggregate, compileRows, type ColumnEffect } from './projection.js';
import type { AggregateState, Reducer } from './reducer.js';

const event = (type: string, data: object): EntryEvent => ({
  key: 'eu:a',
  type,
  v: 1,
  data,
  expectedVersion: null,
});
const put = (columns: { readonly [name: string]: ColumnOperation }): ColumnEffect => ({
  kind: 'put',
  columns: new Map(Object.entries(columns)),
});

describe('rows', () => {
  const project = compileRows({
    kind: 'rows',
    version: 1,
    table: 'things',
    columns: [],
    reducer: {
      changed: {
        set: { label: '$.label', source: 'api', weight: 1.5, open: true, note: null },
        add: { total: '$.amount', count: 1 },
        max: { peak: '$.amount', last: '$.at' },
        min: { low: '$.amount' },
      },
      removed: { delete: true },
      noticed: {},
    },
  });

  test('properties are read, literals are taken as they are', () => {
    expect(project(event('changed', { label: 'x', amount: 7, at: '2026-01-01T00:00:00Z' }))).toEqual(
      put({
        label: { kind: 'set', value: 'x' },
        source: { kind: 'set', value: 'api' },
        weight: { kind: 'set', value: 1.5 },
        open: { kind: 'set', value: true },
        note: { kind: 'set', value: null },
        total: { kind: 'add', value: 7n },
        count: { kind: 'add', value: 1n },
        peak: { kind: 'max', value: 7 },
        last: { kind: 'max', value: '2026-01-01T00:00:00Z' },
        low: { kind: 'min', value: 7 },
      }),
    );
  });

  test('an optional property that is absent sets null, and adds, raises and lowers nothing', () => {
    const effect = project(event('changed', {}));
    expect(effect).toEqual(
      put({
        label: { kind: 'set', value: null },
        source: { kind: 'set', value: 'api' },
        weight: { kind: 'set', value: 1.5 },
        open: { kind: 'set', value: true },
        note: { kind: 'set', value: null },
        count: { kind: 'add', value: 1n },
      }),
    );
  });

  test("a property is the data's own, never an inherited one", () => {
    const inheriting = compileRows({
      kind: 'rows',
      version: 1,
      table: 't',
      columns: [],
      reducer: { a: { set: { x: '$.constructor', y: '$.__proto__' } } },
    });
    expect(inheriting(event('a', {}))).toEqual(
      put({ x: { kind: 'set', value: null }, y: { kind: 'set', value: null } }),
    );
  });

  test('0 is added, raised and lowered like any number', () => {
    const effect = project(event('changed', { amount: 0 }));
    if (effect.kind === 'delete') throw new Error('deleted');
    expect([effect.columns.get('total'), effect.columns.get('peak'), effect.columns.get('low')]).toEqual([
      { kind: 'add', value: 0n },
      { kind: 'max', value: 0 },
      { kind: 'min', value: 0 },
    ]);
  });

  test('a type may delete the row, or touch its version only', () => {
    expect(project(event('removed', { anything: 1 }))).toEqual({ kind: 'delete' });
    expect(project(event('noticed', {}))).toEqual(put({}));
    expect(project(event('never-named', {}))).toEqual(put({}));
  });
});

describe('aggregates', () => {
  const COLUMNS: readonly ColumnContent[] = [
    { name: 'name', type: 'text' },
    { name: 'count', type: 'bigint' },
    { name: 'ratio', type: 'double precision' },
    { name: 'open', type: 'boolean' },
  ];
  const ROW: AggregateState = { name: 'a', count: 1, ratio: 0.5, open: true };
  const answer = (result: unknown): AggregateState | null =>
    compileAggregate(COLUMNS, () => result as AggregateState)(null, event('t', {}));

  test('the reducer sees the row and the event, and its answer is the row', () => {
    const seen: unknown[] = [];
    const reduce: Reducer = (state, one) => {
      seen.push(state, one);
      return { ...ROW, count: 2 };
    };
    const written = { ...event('counted', { by: 1 }), v: 3 };
    expect(compileAggregate(COLUMNS, reduce)(ROW, written)).toEqual({ ...ROW, count: 2 });
    expect(seen).toEqual([ROW, { key: 'eu:a', type: 'counted', v: 3, data: { by: 1 } }]);
  });

  test('every column may be null', () => {
    const nothing = { name: null, count: null, ratio: null, open: null };
    expect(answer(nothing)).toEqual(nothing);
  });

  test.each<[string, unknown]>([
    ['says so', { refuse: 'balance' }],
    ['says so with a row', { ...ROW, refuse: 'balance' }],
    ['answers nothing', undefined],
    ['answers null', null],
    ['answers text', 'row'],
    ['leaves a column out', { name: 'a', count: 1, ratio: 0.5 }],
    ['invents a column', { ...ROW, other: 1 }],
    ['misspells a column', { name: 'a', count: 1, ratio: 0.5, opened: true }],
    [
      'inherits a column',
      Object.assign(Object.create({ open: true }), { name: 'a', count: 1, ratio: 0.5, x: 1 }),
    ],
    ['answers undefined for a column', { ...ROW, open: undefined }],
    ['answers a number for text', { ...ROW, name: 1 }],
    ['answers text with NUL', { ...ROW, name: 'a\u0000' }],
    ['answers text with a lone surrogate', { ...ROW, name: '\ud83d' }],
    ['answers a fraction for a bigint', { ...ROW, count: 1.5 }],
    ['answers 2^53 for a bigint', { ...ROW, count: 2 ** 53 }],
    ['answers a bigint', { ...ROW, count: 1n }],
    ['answers NaN', { ...ROW, ratio: Number.NaN }],
    ['answers an infinite number', { ...ROW, ratio: -Infinity }],
    ['answers 1 for true', { ...ROW, open: 1 }],
    ['answers a promise', Promise.resolve(ROW)],
  ])('a reducer refuses when it %s', (_, result) => {
    expect(answer(result)).toBeNull();
  });

  test('a refusal is one even where a column bears its name', () => {
    const project = compileAggregate([{ name: 'refuse', type: 'text' }], () => ({ refuse: 'no' }));
    expect(project(null, event('t', {}))).toBeNull();
  });

  test('a reducer that throws refuses', () => {
    const reduce: Reducer = () => {
      throw new Error('a defect');
    };
    expect(compileAggregate(COLUMNS, reduce)(ROW, event('t', {}))).toBeNull();
  });

  test('a reducer that changes the row it was given refuses, and the row stays as it was', () => {
    const before = { ...ROW };
    const reduce: Reducer = (state) => {
      (state as { count: number }).count = 9;
      return ROW;
    };
    expect(compileAggregate(COLUMNS, reduce)(before, event('t', {}))).toBeNull();
    expect(before).toEqual(ROW);
  });

  test('the answer is a copy: what the reducer keeps of it changes nothing later', () => {
    const kept = { ...ROW };
    const row = compileAggregate(COLUMNS, () => kept)(null, event('t', {}));
    kept.count = 99;
    expect(row).toEqual(ROW);
  });
});

describe('a configuration made executable', () => {
  test('knows an event by type and version together', () => {
    const { checkEvent } = configured('5');
    expect(checkEvent(event('opened', { owner: 'Ada' }))).toBeNull();
    expect(checkEvent({ ...event('opened', { owner: 'Ada' }), v: 2 })).toBe(
      'accounts has no event "opened" in version 2',
    );
    expect(checkEvent(event('closed', {}))).toBe('accounts has no event "closed" in version 1');
    expect(checkEvent(event('opened', { owner: 1 }))).toBe('data.owner must be a string');
  });

  test('projects as its content says', () => {
    expect(configured('5').projector.kind).toBe('aggregate');
    expect(configured('5', { projection: ROWS_PROJECTION }).projector.kind).toBe('rows');
  });

  test('an aggregate without its reducer is a defect of the caller', () => {
    const made: ConfigurationContent = content();
    expect(() => compileConfiguration(configured('5').hash, made, null)).toThrow(
      'aggregate accounts needs its reducer',
    );
  });
});
