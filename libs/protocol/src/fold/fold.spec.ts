/**
 * Every row of the verdict table, in its order, with the cases that decide between neighbours (I3, I5, I6, I8, I9, I10).
 */
import { describe, expect, test } from '@jest/globals';
import { eventsText } from '../entry/body.js';
import { entryNumber, epoch, sequence, type DatasetName, type ShardName } from '../identity/identity.js';
import {
  AGGREGATE,
  AP,
  configured,
  credited,
  DAY_MS,
  debited,
  EMPTY_STATE,
  EU,
  event,
  fingerprintOf,
  FoldedRegion,
  header,
  HOUR_MS,
  keyOf,
  LogBuilder,
  LOG_INCARNATION,
  opened,
  ROWS,
  session,
  SEVERAL_WRITERS,
  START_MS,
  STRICTER,
  US,
} from './fold.fixture.js';
import type { FoldConfiguration } from '../configuration/fold-configuration.js';
import { ShardFold } from './fold.js';
import type { ColumnOperation } from './row-operation.js';
import { emptyCursor } from './state.js';
import { VERDICTS, type Verdict } from './verdict.js';

interface Case {
  readonly title: string;
  readonly log: (log: LogBuilder) => LogBuilder;
  readonly verdicts: readonly Verdict[];
}

const begun = (): LogBuilder => new LogBuilder().genesis();

const CASES: readonly Case[] = [
  // malformed
  { title: 'a null value', log: (log) => log.data([], { text: null }), verdicts: ['malformed'] },
  { title: 'an empty value', log: (log) => log.data([], { text: '' }), verdicts: ['malformed'] },
  { title: 'an empty list of events', log: (log) => log.data([], { text: '[]' }), verdicts: ['malformed'] },
  { title: 'a record without our header', log: (log) => log.record('[]', null), verdicts: ['malformed'] },
  {
    title: 'a truncated header',
    log: (log) => log.record('[]', header().slice(0, 40)),
    verdicts: ['malformed'],
  },
  {
    title: 'another format version',
    log: (log) =>
      log.record(
        '[]',
        header().map((byte, at) => (at === 1 ? 2 : byte)),
      ),
    verdicts: ['malformed'],
  },
  {
    title: 'a kind that this fold does not know yet',
    log: (log) =>
      log.record('{}', header({ kind: 'seal', publisher: '0'.repeat(32) as never, number: entryNumber(0n) })),
    verdicts: ['malformed'],
  },
  {
    title: 'more events than the configuration allows',
    log: (log) => log.data([opened(), credited(1), credited(1), credited(1), credited(1)]),
    verdicts: ['malformed'],
  },
  {
    title: 'a malformed entry whose header decodes takes its number with it',
    log: (log) => log.data([], { text: 'not json' }).data([opened()]),
    verdicts: ['malformed', 'accepted'],
  },
  {
    title: '10^5 levels of nesting',
    log: (log) =>
      log.data([], {
        text: `[{"key":"eu:a","type":"opened","data":{"owner":${'['.repeat(1e5)}${']'.repeat(1e5)}}}]`,
      }),
    verdicts: ['malformed'],
  },
  // superseded
  {
    title: 'a second genesis',
    log: (log) =>
      log.control({
        kind: 'genesis',
        logIncarnation: LOG_INCARNATION,
        home: US,
        configuration: AGGREGATE.hash,
      }),
    verdicts: ['superseded'],
  },
  {
    title: 'a configuration that expects another one',
    log: (log) => log.control({ kind: 'configuration', expected: ROWS.hash, configuration: STRICTER.hash }),
    verdicts: ['superseded'],
  },
  {
    title: 'of two fences with the same expectation the first in log order wins',
    log: (log) => log.fence(1n, US, 1n, 1n).fence(1n, AP, 1n, 2n),
    verdicts: ['accepted', 'superseded'],
  },
  {
    title: 'a fence of a term and decision that is not above the last',
    log: (log) => log.fence(1n, US, 2n, 5n).fence(2n, EU, 2n, 5n).fence(2n, EU, 1n, 9n),
    verdicts: ['accepted', 'superseded', 'superseded'],
  },
  {
    title: 'a fence of a later decision of the term, or of a later term whatever its decision',
    log: (log) =>
      log
        .fence(1n, US, 0n, 0n)
        .fence(1n, US, 0n, 1n)
        .fence(2n, EU, 2n, 9n)
        .fence(3n, US, 3n, 1n)
        .fence(4n, US, 2n, 99n)
        .fence(4n, US, 3n, 2n),
    verdicts: ['superseded', 'accepted', 'accepted', 'accepted', 'superseded', 'accepted'],
  },
  {
    title: 'a fence that expects another epoch, be it higher or lower',
    log: (log) => log.fence(2n, US, 1n, 1n).fence(0n, US, 1n, 1n),
    verdicts: ['superseded', 'superseded'],
  },
  {
    title: 'a fence that came too late',
    log: (log) =>
      log.control(
        { kind: 'fence', expectedEpoch: epoch(1n), epoch: epoch(2n), home: US, term: 1n, decision: 1n },
        { notAfterMs: START_MS },
      ),
    verdicts: ['superseded'],
  },
  {
    title: 'a term entry settles the fences that were decided up to it, and no later one',
    log: (log) =>
      log
        .control({ kind: 'term', term: 2n, decision: 5n })
        .fence(1n, US, 2n, 4n)
        .fence(1n, US, 2n, 5n)
        .fence(1n, US, 1n, 9n)
        .fence(1n, US, 2n, 6n),
    verdicts: ['accepted', 'superseded', 'superseded', 'superseded', 'accepted'],
  },
  {
    title: 'a term entry at or below what a fence or another term entry left',
    log: (log) =>
      log
        .fence(1n, US, 2n, 5n)
        .control({ kind: 'term', term: 2n, decision: 5n })
        .control({ kind: 'term', term: 1n, decision: 9n })
        .control({ kind: 'term', term: 3n, decision: 0n })
        .control({ kind: 'term', term: 3n, decision: 0n }),
    verdicts: ['accepted', 'superseded', 'superseded', 'accepted', 'superseded'],
  },
  {
    title: 'a term entry that came late settles all the same',
    log: (log) =>
      log
        .control({ kind: 'term', term: 2n, decision: 5n }, { notAfterMs: START_MS - 1 })
        .fence(1n, US, 2n, 5n),
    verdicts: ['accepted', 'superseded'],
  },
  // duplicate
  {
    title: 'a copy of an entry is a duplicate, even when the first copy was rejected',
    log: (log) =>
      log.data([debited(5)], { number: entryNumber(1n) }).data([opened()], { number: entryNumber(1n) }),
    verdicts: ['guard', 'duplicate'],
  },
  {
    title: 'a late copy of a session that was closed',
    log: (log) =>
      log
        .data([opened()], { publisher: session('b') })
        .data([credited(5)], { publisher: session('c') })
        .data([opened()], { publisher: session('b'), number: entryNumber(1n) }),
    verdicts: ['accepted', 'accepted', 'duplicate'],
  },
  // hole
  {
    title: 'a number that jumps, and every later new number of that session',
    log: (log) =>
      log
        .data([opened()])
        .data([credited(1)], { number: entryNumber(3n) })
        .data([credited(2)], { number: entryNumber(2n) })
        .data([credited(3)], { number: entryNumber(4n) })
        .data([credited(4)], { publisher: session('c') }),
    verdicts: ['accepted', 'hole', 'hole', 'hole', 'accepted'],
  },
  {
    title: 'a new session that does not begin with 1',
    log: (log) =>
      log.data([opened()], { number: entryNumber(2n) }).data([opened()], { number: entryNumber(1n) }),
    verdicts: ['hole', 'hole'],
  },
  {
    title: 'a session is remembered for exactly its retention after its last entry, holes included',
    log: (log) =>
      log
        .data([opened()], { publisher: session('b') })
        .data([credited(1)], { publisher: session('c'), number: entryNumber(2n) })
        .pass(7 * DAY_MS - 2_000)
        .data([credited(1)], { publisher: session('b') })
        .data([credited(1)], { publisher: session('c'), number: entryNumber(1n) })
        .pass(7 * DAY_MS - 2_000)
        .data([credited(1)], { publisher: session('b') })
        .data([credited(1)], { publisher: session('c'), number: entryNumber(1n) })
        .pass(7 * DAY_MS - 1_999)
        .data([credited(1)], { publisher: session('b'), number: entryNumber(4n) })
        .data([credited(1)], { publisher: session('c'), number: entryNumber(1n) }),
    verdicts: ['accepted', 'hole', 'accepted', 'hole', 'accepted', 'hole', 'hole', 'accepted'],
  },
  {
    title: 'a copy does not prolong the life of a session',
    log: (log) =>
      log
        .data([opened()])
        .pass(4 * DAY_MS)
        .data([opened()], { number: entryNumber(1n) })
        .pass(4 * DAY_MS)
        .data([credited(1)], { number: entryNumber(1n) }),
    verdicts: ['accepted', 'duplicate', 'accepted'],
  },
  // repeated, key-reused
  {
    title: 'the same key with the same events is repeated, with other events key-reused',
    log: (log) =>
      log
        .data([opened()], { idempotencyKey: 'k' })
        .data([opened()], { idempotencyKey: 'k' })
        .data([opened('eu:bob')], { idempotencyKey: 'k' }),
    verdicts: ['accepted', 'repeated', 'key-reused'],
  },
  {
    title: 'a key whose first outcome was a rejection answers with that rejection',
    log: (log) =>
      log
        .data([debited(5)], { idempotencyKey: 'k' })
        .data([opened()])
        .data([credited(9)])
        .data([debited(5)], { idempotencyKey: 'k' }),
    verdicts: ['guard', 'accepted', 'accepted', 'repeated'],
  },
  {
    title: 'a key accepted before a fence and retried after it',
    log: (log) =>
      log.data([opened()], { idempotencyKey: 'k' }).fence(1n, US).data([opened()], { idempotencyKey: 'k' }),
    verdicts: ['accepted', 'accepted', 'repeated'],
  },
  {
    title: 'fenced judges the attempt: the key is free for the next home',
    log: (log) =>
      log
        .fence(1n, US)
        .data([opened()], { idempotencyKey: 'k' })
        .data([opened()], { idempotencyKey: 'k', epoch: epoch(2n), region: US, publisher: session('c') }),
    verdicts: ['accepted', 'fenced', 'accepted'],
  },
  {
    title: 'a key that was settled answers every fingerprint',
    log: (log) =>
      log
        .control({ kind: 'settle', key: keyOf('k'), deadlineMs: START_MS })
        .data([opened()], { idempotencyKey: 'k' })
        .data([opened('eu:bob')], { idempotencyKey: 'k' }),
    verdicts: ['accepted', 'repeated', 'repeated'],
  },
  {
    title: 'a settle on a key with an outcome changes nothing',
    log: (log) =>
      log
        .data([opened()], { idempotencyKey: 'k' })
        .control({ kind: 'settle', key: keyOf('k'), deadlineMs: START_MS })
        .data([opened()], { idempotencyKey: 'k' }),
    verdicts: ['accepted', 'accepted', 'repeated'],
  },
  {
    title: 'a settle after the time in which it may bind',
    log: (log) => log.pass(DAY_MS).control({ kind: 'settle', key: keyOf('k'), deadlineMs: START_MS }),
    verdicts: ['superseded'],
  },
  {
    title: 'a settle up to the last millisecond in which it may bind',
    log: (log) =>
      log
        .control({ kind: 'settle', key: keyOf('k'), deadlineMs: START_MS + 1_001 - DAY_MS + HOUR_MS })
        .control({ kind: 'settle', key: keyOf('l'), deadlineMs: START_MS + 2_000 - DAY_MS + HOUR_MS })
        .data([opened()], { idempotencyKey: 'l' }),
    verdicts: ['accepted', 'superseded', 'accepted'],
  },
  {
    title: 'an outcome is remembered for exactly its retention',
    log: (log) =>
      log
        .data([opened()], { idempotencyKey: 'k' })
        .pass(DAY_MS - 1_000)
        .data([opened()], { idempotencyKey: 'k' })
        .pass(-999)
        .data([opened()], { idempotencyKey: 'k' }),
    verdicts: ['accepted', 'repeated', 'guard'],
  },
  {
    title: 'an outcome is forgotten by age in log time',
    log: (log) =>
      log
        .data([opened()], { idempotencyKey: 'k' })
        .pass(DAY_MS + 2_000)
        .data([opened()], { idempotencyKey: 'k' }),
    verdicts: ['accepted', 'guard'],
  },
  {
    title: 'a limit that became stricter does not change the answer of a bound key',
    log: (log) =>
      log
        .data([opened(), credited(1)], { idempotencyKey: 'k' })
        .control({ kind: 'configuration', expected: AGGREGATE.hash, configuration: STRICTER.hash })
        .data([opened(), credited(1)], { idempotencyKey: 'k' }),
    verdicts: ['accepted', 'accepted', 'repeated'],
  },
  {
    title: 'a configuration that lands late does not come back',
    log: (log) =>
      log.control(
        { kind: 'configuration', expected: AGGREGATE.hash, configuration: STRICTER.hash },
        { notAfterMs: START_MS - 1 },
      ),
    verdicts: ['superseded'],
  },
  // fenced, not-owner
  {
    title: 'an entry of an epoch before the fence',
    log: (log) =>
      log
        .data([opened()])
        .fence(1n, US)
        .data([credited(1)]),
    verdicts: ['accepted', 'accepted', 'fenced'],
  },
  {
    title: 'an entry of a future epoch, even from the home',
    log: (log) =>
      log.data([opened()], { epoch: epoch(2n) }).data([opened()], { epoch: epoch(2n), region: US }),
    verdicts: ['not-owner', 'not-owner'],
  },
  {
    title: 'an entry of the right epoch from a region that is not the home',
    log: (log) => log.data([opened()], { region: US }),
    verdicts: ['not-owner'],
  },
  // expired
  {
    title: 'notAfter before log time',
    log: (log) => log.data([opened()], { notAfterMs: START_MS - 1 }),
    verdicts: ['expired'],
  },
  {
    title: 'notAfter more than an hour after log time',
    log: (log) => log.data([opened()], { notAfterMs: START_MS + 2 * HOUR_MS }),
    verdicts: ['expired'],
  },
  {
    title: 'an expired key stays expired',
    log: (log) =>
      log
        .data([opened()], { idempotencyKey: 'k', notAfterMs: START_MS - 1 })
        .data([opened()], { idempotencyKey: 'k' }),
    verdicts: ['expired', 'repeated'],
  },
  {
    title: 'an append clock that jumps a year ahead expires nobody: the publisher clock holds log time back',
    log: (log) => log.data([opened()], { at: START_MS + 365 * DAY_MS }).data([credited(1)]),
    verdicts: ['accepted', 'accepted'],
  },
  {
    title: 'a publisher clock a year ahead expires nobody: the append time holds log time back',
    log: (log) => log.data([opened()], { publisherClockMs: START_MS + 365 * DAY_MS }).data([credited(1)]),
    verdicts: ['accepted', 'accepted'],
  },
  {
    title: 'clocks that jump back leave log time where it was',
    log: (log) =>
      log
        .data([opened()])
        .data([credited(1)], { at: START_MS - DAY_MS, publisherClockMs: START_MS - DAY_MS })
        .data([credited(1)], { notAfterMs: START_MS - 1 }),
    verdicts: ['accepted', 'accepted', 'expired'],
  },
  {
    title: 'notAfter at log time is in time, and so is one an hour after it; a millisecond decides',
    log: (log) =>
      log
        .data([opened()], { notAfterMs: START_MS + 1_000 })
        .data([credited(1)], { notAfterMs: START_MS + 1_999 })
        .data([credited(1)], { notAfterMs: START_MS + 3_000 + HOUR_MS })
        .data([credited(1)], { notAfterMs: START_MS + 4_001 + HOUR_MS }),
    verdicts: ['accepted', 'expired', 'accepted', 'expired'],
  },
  // schema, policy
  { title: 'an unknown event type', log: (log) => log.data([event('renamed', {})]), verdicts: ['schema'] },
  {
    title: 'one event that does not fit among others that do',
    log: (log) => log.data([opened(), event('renamed', {})]),
    verdicts: ['schema'],
  },
  {
    title: 'an unknown version',
    log: (log) => log.data([event('opened', { owner: 'A' }, { v: 2 })]),
    verdicts: ['schema'],
  },
  {
    title: 'a property that the schema does not know, __proto__ included',
    log: (log) =>
      log.data([], { text: '[{"key":"eu:a","type":"opened","data":{"owner":"A","__proto__":{"x":1}}}]' }),
    verdicts: ['schema'],
  },
  {
    title: 'NUL and lone surrogates in a string',
    log: (log) =>
      log
        .data([], { text: '[{"key":"eu:a","type":"opened","data":{"owner":"\\u0000"}}]' })
        .data([], { text: '[{"key":"eu:a","type":"opened","data":{"owner":"\\ud800"}}]' }),
    verdicts: ['schema', 'schema'],
  },
  {
    title: 'a fraction and a number beyond 2^53 where an integer belongs',
    log: (log) =>
      log
        .data([event('credited', { amount: 1.5 })])
        .data([], { text: '[{"key":"eu:ada","type":"credited","data":{"amount":9007199254740993}}]' }),
    verdicts: ['schema', 'schema'],
  },
  {
    title: 'a key that lives in another shard',
    log: (log) => log.data([opened('us:ada')]),
    verdicts: ['schema'],
  },
  { title: 'a key of no group', log: (log) => log.data([opened('xx:ada')]), verdicts: ['schema'] },
  // version-conflict
  {
    title: 'expected versions: absent, present, stale',
    log: (log) =>
      log
        .data([{ ...opened(), expectedVersion: 0n as never }])
        .data([{ ...credited(1), expectedVersion: 2n as never }])
        .data([{ ...credited(1), expectedVersion: 2n as never }])
        .data([{ ...credited(1), expectedVersion: 0n as never }]),
    verdicts: ['accepted', 'accepted', 'version-conflict', 'version-conflict'],
  },
  {
    title: 'the version before the entry counts for each of its events',
    log: (log) =>
      log.data([
        { ...opened(), expectedVersion: 0n as never },
        { ...credited(1), expectedVersion: 0n as never },
      ]),
    verdicts: ['accepted'],
  },
  // guard
  {
    title: 'opened twice',
    log: (log) => log.data([opened()]).data([opened()]),
    verdicts: ['accepted', 'guard'],
  },
  {
    title: 'a balance below zero refuses the whole entry',
    log: (log) =>
      log
        .data([opened(), credited(5)])
        .data([debited(3), debited(3)])
        .data([debited(5)]),
    verdicts: ['accepted', 'guard', 'accepted'],
  },
  // accepted control entries
  {
    title: 'a probe from any region and any epoch',
    log: (log) => log.control({ kind: 'probe' }, { region: AP, epoch: epoch(9n) }),
    verdicts: ['accepted'],
  },
  {
    title: 'a configuration is in force from the next entry on',
    log: (log) =>
      log
        .data([opened(), credited(1)])
        .control({ kind: 'configuration', expected: AGGREGATE.hash, configuration: STRICTER.hash })
        .data([credited(1), credited(1)]),
    verdicts: ['accepted', 'accepted', 'malformed'],
  },
];

describe('the verdict table', () => {
  test.each(CASES)('$title', ({ log, verdicts }) => {
    const entries = log(begun()).entries();
    expect(new FoldedRegion().applyAll(entries).verdicts.slice(1)).toEqual(verdicts);
    // The same in one batch.
    const inOne = new FoldedRegion().applyAll(entries, [1, ...Array.from({ length: 99 }, () => 99)]);
    expect(inOne.verdicts.slice(1)).toEqual(verdicts);
  });

  test('has a case for every verdict but `forged` and `policy`, which need keys and several writers', () => {
    const seen = new Set<Verdict>(CASES.flatMap((one) => one.verdicts));
    expect(VERDICTS.filter((verdict) => !seen.has(verdict))).toEqual(['forged', 'policy']);
  });

  test('before genesis everything that decodes is superseded', () => {
    const entries = new LogBuilder()
      .data([opened()])
      .control({ kind: 'probe' })
      .genesis()
      .data([opened()])
      .entries();
    expect(new FoldedRegion().applyAll(entries).verdicts).toEqual([
      'superseded',
      'superseded',
      'accepted',
      'accepted',
    ]);
  });

  test('a shard takes the keys that live in it, whichever shard it is', () => {
    const entries = new LogBuilder()
      .genesis()
      .data([opened('us:ada')])
      .data([opened('eu:ada')])
      .entries();
    const second = { cursor: emptyCursor('accounts/1' as ShardName), sessions: new Map() };
    const batch = new ShardFold(second, { outcomes: new Map(), rows: new Map() }, () => AGGREGATE);
    const verdicts = entries.map((entry) => {
      const step = batch.fold(entry);
      return step.kind === 'folded' ? step.folded.verdict : step.halt.code;
    });
    expect(verdicts).toEqual(['accepted', 'accepted', 'schema']);
  });

  test('with several writers any region of the group may write, and policy keeps the others out', () => {
    const log = new LogBuilder().genesis(SEVERAL_WRITERS);
    log.data([opened()], { region: US }).data([credited(1)], { region: AP, publisher: session('c') });
    expect(new FoldedRegion().applyAll(log.entries()).verdicts).toEqual(['accepted', 'accepted', 'policy']);
  });
});

describe('what an entry leaves behind', () => {
  test('every record takes one sequence, whatever its verdict (I2)', () => {
    const log = begun().record(null, null).data([], { text: '' }).data([opened()]).data([opened()]);
    const region = new FoldedRegion().applyAll(log.entries());
    expect(region.folded.map((one) => one.sequence)).toEqual([1n, 2n, 3n, 4n, 5n]);
    expect(region.cursor.sequence).toBe(5n);
  });

  test('the version of a row is the sequence of the last accepted entry that touched it', () => {
    const log = begun()
      .data([opened()])
      .data([opened()])
      .data([credited(7)])
      .data([debited(9)]);
    const region = new FoldedRegion().applyAll(log.entries());
    expect(region.rows.get('eu:ada')).toEqual({ version: 4n, columns: { owner: 'Ada', balance: 7 } });
  });

  test('an undecodable record moves neither log time nor a session', () => {
    const log = begun();
    const before = new FoldedRegion().applyAll(log.entries()).cursor.logTimeMs;
    log.record('[]', null, START_MS + DAY_MS);
    expect(new FoldedRegion().applyAll(log.entries()).cursor.logTimeMs).toBe(before);
  });

  test('log time is the append time, or a minute ahead of the publisher if that is less', () => {
    const logTimeAfter = (at: number): number =>
      new FoldedRegion().applyAll(begun().data([opened()], { at, publisherClockMs: START_MS }).entries())
        .cursor.logTimeMs;
    expect(logTimeAfter(START_MS + 59_000)).toBe(START_MS + 59_000);
    expect(logTimeAfter(START_MS + 61_000)).toBe(START_MS + 60_000);
  });

  test('sessions that are forgotten leave memory when a session changes', () => {
    const log = begun()
      .data([opened()], { publisher: session('b') })
      .data([credited(1)], { publisher: session('c') })
      .pass(7 * DAY_MS)
      .control({ kind: 'probe' })
      .data([credited(1)], { publisher: session('c') });
    const [genesis, ...rest] = log.entries();
    const region = new FoldedRegion();
    region.apply([genesis!]);
    region.apply(rest.slice(0, 2));
    const { result: idle } = region.fold(rest.slice(2, 3));
    region.commit(idle);
    expect(idle.sessions).toEqual([]);
    expect([...idle.state.sessions.keys()]).toEqual([session('b'), session('c')]);
    expect([...region.fold(rest.slice(3)).result.state.sessions.keys()]).toEqual([session('c')]);
  });

  test('a batch tells the sessions that it changed, as they are in the end', () => {
    const log = begun()
      .data([opened()])
      .data([credited(1)])
      .data([credited(1)], { publisher: session('c'), number: entryNumber(3n) });
    const region = new FoldedRegion();
    const [genesis, ...rest] = log.entries();
    region.apply([genesis!]);
    expect(region.fold(rest).result.sessions).toEqual([
      { publisher: session('b'), last: 2n, holed: false, logTimeMs: START_MS + 2_000 },
      { publisher: session('c'), last: 0n, holed: true, logTimeMs: START_MS + 3_000 },
    ]);
  });

  test.each<[string, FoldConfiguration, readonly (readonly [string, ColumnOperation])[]]>([
    [
      'an aggregate sets every column',
      AGGREGATE,
      [
        ['owner', { kind: 'set', value: 'Ada' }],
        ['balance', { kind: 'set', value: 5 }],
      ],
    ],
    [
      'rows change the columns that their rule names',
      ROWS,
      [
        ['total', { kind: 'add', value: 5n }],
        ['peak', { kind: 'max', value: 5 }],
      ],
    ],
  ])('%s, and leaves what else stands in the row', (_, configuration, columns) => {
    const log = new LogBuilder()
      .genesis(configuration)
      .data([opened()])
      .data([credited(5)]);
    const region = new FoldedRegion().applyAll(log.entries());
    expect(region.folded[2]!.operations).toEqual([
      { kind: 'put', key: 'eu:ada', version: 3n, replaces: false, columns: new Map(columns) },
    ]);
    expect(region.rows.get('eu:ada')?.columns).toMatchObject({ owner: 'Ada' });
  });

  test('a session is kept in memory for as long as it is remembered, to the millisecond', () => {
    const log = begun()
      .data([opened()], { publisher: session('b') })
      .data([credited(1)], { publisher: session('c') })
      .pass(7 * DAY_MS - 2_000)
      .data([credited(1)], { publisher: session('c') });
    const region = new FoldedRegion();
    const entries = log.entries();
    region.apply(entries.slice(0, 1));
    region.apply(entries.slice(1, 3));
    expect([...region.fold(entries.slice(3)).result.state.sessions.keys()]).toEqual([
      session('b'),
      session('c'),
    ]);
  });

  test('the outcome of a key says when, where and of what it was bound', () => {
    const events = [opened('eu:b'), opened('eu:a'), credited(1, 'eu:b')];
    const log = begun()
      .fence(1n, EU)
      .data(events, { idempotencyKey: 'k', epoch: epoch(2n), at: START_MS + 9_000 });
    const region = new FoldedRegion().applyAll(log.entries());
    expect([...region.outcomes.values()]).toEqual([
      {
        key: keyOf('k'),
        degraded: false,
        fingerprint: fingerprintOf(eventsText(events)),
        verdict: 'accepted',
        sequence: 3n,
        epoch: 2n,
        logTimeMs: START_MS + 9_000,
        appendTimeMs: START_MS + 9_000,
        eventKeys: ['eu:b', 'eu:a'],
      },
    ]);
  });

  test('a key that was settled is bound to `expired`, for no events', () => {
    const log = begun().control({ kind: 'settle', key: keyOf('k'), deadlineMs: START_MS });
    const [outcome] = new FoldedRegion().applyAll(log.entries()).outcomes.values();
    expect(outcome).toMatchObject({ key: keyOf('k'), fingerprint: null, verdict: 'expired', eventKeys: [] });
  });

  test('a settle takes no answer away that a key already has', () => {
    const log = begun().data([opened()], { idempotencyKey: 'k' });
    const bound = new FoldedRegion().applyAll(log.entries()).outcomes.get(keyOf('k'));
    log.control({ kind: 'settle', key: keyOf('k'), deadlineMs: START_MS });
    expect(bound).toMatchObject({ verdict: 'accepted' });
    expect(new FoldedRegion().applyAll(log.entries()).outcomes.get(keyOf('k'))).toEqual(bound);
  });

  test('a write that was acknowledged below its rule says so in its outcome, and nothing else changes', () => {
    const written = begun()
      .data([opened()], { idempotencyKey: 'k' })
      .data([debited(1)], { idempotencyKey: 'no' });
    const degrade = (key: string, at: bigint): LogBuilder =>
      written.control({ kind: 'degrade', key: keyOf(key), sequence: sequence(at) });
    degrade('k', 2n);
    degrade('k', 2n);
    degrade('k', 3n);
    degrade('no', 3n);
    degrade('never', 2n);
    const region = new FoldedRegion().applyAll(written.entries(), [3, 9]);
    const said = ['accepted', 'accepted', 'superseded', 'superseded', 'superseded'];
    expect(region.verdicts.slice(3)).toEqual(said);
    expect(region.outcomes.get(keyOf('k'))).toMatchObject({
      degraded: true,
      verdict: 'accepted',
      sequence: 2n,
    });
    expect(region.outcomes.get(keyOf('no'))).toMatchObject({ degraded: false, verdict: 'guard' });
    const again = written.data([opened()], { idempotencyKey: 'k' }).entries();
    expect(new FoldedRegion().applyAll(again).verdicts.at(-1)).toBe('repeated');
  });

  test('a row that was deleted has version 0, in the same batch and in a later one', () => {
    const absent = { expectedVersion: sequence(0n) };
    const log = new LogBuilder()
      .genesis(ROWS)
      .data([opened()])
      .data([debited(1)])
      .data([{ ...opened(), ...absent }])
      .data([{ ...credited(1), ...absent }])
      .data([{ ...credited(1), expectedVersion: sequence(4n) }]);
    const verdicts = ['accepted', 'accepted', 'accepted', 'accepted', 'version-conflict', 'accepted'];
    expect(new FoldedRegion().applyAll(log.entries()).verdicts).toEqual(verdicts);
    expect(new FoldedRegion().applyAll(log.entries(), [1, 9]).verdicts).toEqual(verdicts);
  });

  test('a fence moves epoch and home, and only a fence does (I5)', () => {
    const log = begun().data([opened()]).fence(1n, US);
    const { epoch: now, home } = new FoldedRegion().applyAll(log.entries()).cursor;
    expect([now, home]).toEqual([2n, US]);
  });

  test('an entry that was fenced is kept with both epochs and its key, and a trace that is one', () => {
    const log = begun().data([opened()]).fence(1n, US);
    log
      .data([credited(1), credited(2, 'eu:bob')], { idempotencyKey: 'late' })
      .data([opened()])
      .data([opened()]);
    const trace = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const { records } = log;
    records[3] = { ...records[3]!, traceparent: trace };
    records[4] = { ...records[4]!, traceparent: `${trace}-and-more` };
    records[5] = { ...records[5]!, traceparent: `more-and-${trace}` };
    const region = new FoldedRegion().applyAll(log.entries().slice(0, 1));
    const { result } = region.fold(log.entries().slice(1));
    expect(result.fenced).toEqual([
      {
        sequence: 4n,
        logIncarnation: LOG_INCARNATION,
        region: EU,
        publisher: session('b'),
        number: 2n,
        epoch: 1n,
        shardEpoch: 2n,
        firstKey: 'eu:ada',
        idempotencyKey: keyOf('late'),
        traceparent: trace,
        logTimeMs: records[3].appendTimeMs,
      },
      expect.objectContaining({ sequence: 5n, number: 3n, idempotencyKey: null, traceparent: null }),
      expect.objectContaining({ sequence: 6n, number: 4n, idempotencyKey: null, traceparent: null }),
    ]);
  });

  test('a term entry changes nothing but the pair', () => {
    const log = begun().data([opened()]);
    const { cursor: before } = new FoldedRegion().applyAll(log.entries());
    log.control({ kind: 'term', term: 2n, decision: 5n });
    const { cursor } = new FoldedRegion().applyAll(log.entries());
    const { epoch: now, home, rules, configuration } = before;
    expect(cursor).toMatchObject({ epoch: now, home, rules, configuration, term: 2n, decision: 5n });
  });

  test('a configuration that the region lacks halts the shard by name, before anything of the entry is kept', () => {
    const log = begun()
      .data([opened()])
      .control({ kind: 'configuration', expected: AGGREGATE.hash, configuration: STRICTER.hash })
      .data([credited(1)]);
    const region = new FoldedRegion([AGGREGATE]).applyAll(log.entries());
    expect(region.halt?.code).toBe('configuration-missing');
    expect(region.halt?.detail).toContain(STRICTER.hash);
    expect(region.cursor.sequence).toBe(2n);
  });

  test.each<[string, (log: LogBuilder) => LogBuilder, string | null]>([
    ['a genesis', (log) => log.genesis(STRICTER), STRICTER.hash],
    [
      'a configuration entry, be it too late to be accepted',
      (log) =>
        log
          .genesis()
          .control(
            { kind: 'configuration', expected: AGGREGATE.hash, configuration: STRICTER.hash },
            { notAfterMs: START_MS - 1 },
          ),
      STRICTER.hash,
    ],
    ['a second genesis, which is refused anyhow', (log) => log.genesis().genesis(STRICTER), null],
    [
      'a configuration entry that expects another one, which is refused anyhow',
      (log) =>
        log.genesis().control({ kind: 'configuration', expected: ROWS.hash, configuration: STRICTER.hash }),
      null,
    ],
  ])('a region that lacks what an entry names: %s', (_, write, lacking) => {
    const region = new FoldedRegion([AGGREGATE]).applyAll(write(new LogBuilder()).entries());
    if (lacking === null) {
      expect(region.halt).toBeNull();
    } else {
      expect(region.halt).toMatchObject({ code: 'configuration-missing' });
      expect(region.halt?.detail).toContain(lacking);
    }
  });

  test('a region that lacks the active configuration halts before any record, be it unreadable', () => {
    const { cursor } = new FoldedRegion().applyAll(begun().entries());
    for (const next of [new LogBuilder().data([opened()]), new LogBuilder().record(null, null)]) {
      const state = { cursor, sessions: new Map() };
      const batch = new ShardFold(state, { outcomes: new Map(), rows: new Map() }, () => null);
      const [step] = next.entries().map((entry) => batch.fold(entry));
      expect(step).toMatchObject({ kind: 'halted', halt: { code: 'configuration-missing' } });
      expect(batch.finish().state).toEqual(state);
    }
  });

  test('a configuration of another dataset counts as missing', () => {
    const foreign = configured('8', { dataset: 'orders' as DatasetName });
    const region = new FoldedRegion([foreign]).applyAll(new LogBuilder().genesis(foreign).entries());
    expect(region.halt).toMatchObject({ code: 'configuration-missing' });
    expect(region.cursor).toEqual(EMPTY_STATE.cursor);
  });

  test('a forged entry takes a sequence and nothing else: no session, no key, no fence', () => {
    const log = begun()
      .data([opened()], { number: entryNumber(7n), idempotencyKey: 'k' })
      .fence(1n, US)
      .data([opened()], { number: entryNumber(1n), idempotencyKey: 'k' });
    const forged = new Set(log.records.slice(1, 3).map((record) => record.offset));
    const batch = new ShardFold(
      EMPTY_STATE,
      { outcomes: new Map(), rows: new Map() },
      () => AGGREGATE,
      (entry) => (forged.has(entry.record.offset) ? 'invalid' : 'valid'),
    );
    const steps = log.entries().map((entry) => batch.fold(entry));
    expect(steps.map((step) => step.kind === 'folded' && step.folded.verdict)).toEqual([
      'accepted',
      'forged',
      'forged',
      'accepted',
    ]);
    expect(batch.finish().state.cursor).toMatchObject({ epoch: 1n, home: EU, sequence: 4n });
  });

  test.each([
    ['of a session that wrote before', session('b')],
    ['that begins a session', session('c')],
  ])(
    'a defect that throws leaves the batch as it was before the record, so that it can be folded again: one %s',
    (_, publisher) => {
      let isDefect = true;
      const failing: FoldConfiguration = {
        ...AGGREGATE,
        checkEvent: (event) => {
          if (isDefect && (event.data as { amount?: number }).amount === 13) throw new Error('a defect');
          return AGGREGATE.checkEvent(event);
        },
      };
      const [genesis, first, bad] = begun()
        .data([opened()])
        .data([credited(13)], { publisher })
        .entries();
      const batch = new ShardFold(EMPTY_STATE, { outcomes: new Map(), rows: new Map() }, () => failing);
      batch.fold(genesis!);
      batch.fold(first!);
      const before = batch.finish();
      expect(() => batch.fold(bad!)).toThrow('a defect');
      expect(batch.finish()).toEqual(before);
      isDefect = false;
      expect(batch.fold(bad!)).toMatchObject({
        kind: 'folded',
        folded: { verdict: 'accepted', sequence: 3n },
      });
    },
  );

  test('a longer retention brings back nothing that was forgotten, with or without a restart (I3)', () => {
    const hour = { outcomesMs: 3 * HOUR_MS, sessionsMs: 3 * HOUR_MS };
    const short = configured('5', { retention: hour });
    const log = new LogBuilder()
      .genesis(short)
      .data([opened()], { idempotencyKey: 'k' })
      .pass(4 * HOUR_MS)
      .control({ kind: 'configuration', expected: short.hash, configuration: AGGREGATE.hash })
      .data([opened()], { idempotencyKey: 'k' })
      .data([opened('eu:bob')], { idempotencyKey: 'k', publisher: session('c') });
    const known = [short, AGGREGATE];
    const steady = new FoldedRegion(known).applyAll(log.entries());
    const restarting = new FoldedRegion(known);
    for (const entry of log.entries()) {
      restarting.restart();
      restarting.apply([entry]);
    }
    expect(steady.verdicts).toEqual(['accepted', 'accepted', 'accepted', 'hole', 'accepted']);
    expect(restarting.verdicts).toEqual(steady.verdicts);
    expect(restarting.cursor).toEqual(steady.cursor);
  });

  test.each([
    ['keys', { outcomesMs: HOUR_MS, sessionsMs: 9 * HOUR_MS }, ['accepted', 'duplicate', 'version-conflict']],
    ['sessions', { outcomesMs: 9 * HOUR_MS, sessionsMs: HOUR_MS }, ['accepted', 'accepted', 'key-reused']],
  ] as const)('%s are forgotten by themselves while the others stay (I3)', (_what, retention, verdicts) => {
    const before = configured('5', { retention: { outcomesMs: 4 * HOUR_MS, sessionsMs: 4 * HOUR_MS } });
    const after = configured('6', { retention });
    // Of the one that is kept for longer now, what is remembered does not move on.
    const log = new LogBuilder()
      .genesis(before)
      .pass(HOUR_MS)
      .control({ kind: 'configuration', expected: before.hash, configuration: after.hash })
      .data([opened()], { idempotencyKey: 'k', number: entryNumber(1n) })
      .pass(2 * HOUR_MS)
      .data([credited(1)], { number: entryNumber(1n) })
      .data([{ ...opened(), expectedVersion: sequence(0n) }], {
        idempotencyKey: 'k',
        publisher: session('c'),
        number: entryNumber(1n),
      });
    const region = new FoldedRegion([before, after]).applyAll(log.entries());
    expect(region.verdicts.slice(2)).toEqual(verdicts);
  });

  test('a repeated entry hands out the first outcome', () => {
    const log = begun()
      .data([debited(1)], { idempotencyKey: 'k' })
      .data([debited(1)], { idempotencyKey: 'k' });
    const [, , again] = new FoldedRegion().applyAll(log.entries()).folded;
    expect(again).toMatchObject({
      verdict: 'repeated',
      sequence: 3n,
      first: { verdict: 'guard', sequence: 2n },
    });
  });

  test('a batch that passes several marks tells them all, oldest first', () => {
    const log = begun();
    for (let i = 0; i < 600; i += 1) log.control({ kind: 'probe' });
    const region = new FoldedRegion();
    const [genesis, ...probes] = log.entries();
    region.apply([genesis!]);
    const { marks, state } = region.fold(probes).result;
    expect(marks.map((mark) => mark.sequence)).toEqual([256n, 512n]);
    expect(state.cursor.mark).toEqual(marks[1]);
  });

  test('both hashes are kept at multiples of 256', () => {
    const log = begun();
    for (let i = 0; i < 300; i += 1) log.control({ kind: 'probe' });
    const region = new FoldedRegion().applyAll(log.entries(), [301]);
    expect(region.cursor.mark?.sequence).toBe(256n);
    const prefix = new FoldedRegion().applyAll(log.entries().slice(0, 256), [1, 300]);
    expect(region.cursor.mark?.inputHash).toEqual(prefix.cursor.inputHash);
  });
});
