/** What the home does for a shard that its catalogue names; two coordinators at once do no harm (I5, I6). */
import { describe, expect, test } from '@jest/globals';
import {
  AGGREGATE,
  EMPTY_STATE,
  EU,
  FoldedRegion,
  LogBuilder,
  LOG_INCARNATION,
  STRICTER,
  US,
} from '../fold/fold.fixture.js';
import type { Cursor } from '../fold/state.js';
import type { LogIncarnation } from '../identity/identity.js';
import { decideEstablishment } from './establish.js';

const NEW_LOG = 'e'.repeat(32) as LogIncarnation;
const catalogue = { home: EU, configuration: AGGREGATE.hash };
const begun: Cursor = new FoldedRegion().applyAll(new LogBuilder().genesis().entries()).cursor;
const decide = (
  changes: Partial<Parameters<typeof decideEstablishment>[0]>,
): ReturnType<typeof decideEstablishment> =>
  decideEstablishment({
    region: EU,
    cursor: begun,
    caughtUp: true,
    catalogue,
    logIncarnation: NEW_LOG,
    ...changes,
  });

describe('a log that has not begun', () => {
  test('the home begins it, with what its catalogue says', () => {
    expect(decide({ cursor: EMPTY_STATE.cursor })).toEqual({
      kind: 'append',
      body: { kind: 'genesis', logIncarnation: NEW_LOG, home: EU, configuration: AGGREGATE.hash },
    });
  });

  test('any other region waits for the home', () => {
    expect(decide({ cursor: EMPTY_STATE.cursor, region: US })).toEqual({
      kind: 'wait',
      reason: 'the home eu begins the log',
    });
  });

  test('nothing is decided before the log is folded to its end: a genesis may stand there', () => {
    expect(decide({ cursor: EMPTY_STATE.cursor, caughtUp: false })).toMatchObject({ kind: 'wait' });
    expect(decide({ cursor: null })).toMatchObject({ kind: 'wait' });
  });
});

describe('a log that has begun', () => {
  test("nothing is appended while the configuration is the catalogue's", () => {
    expect(decide({})).toEqual({ kind: 'established' });
  });

  test('the home activates another configuration, expecting the one in force', () => {
    expect(decide({ catalogue: { home: EU, configuration: STRICTER.hash } })).toEqual({
      kind: 'append',
      body: { kind: 'configuration', expected: AGGREGATE.hash, configuration: STRICTER.hash },
    });
  });

  test("ownership is the log's: a home that the catalogue still names does nothing after a fence", () => {
    const { cursor } = new FoldedRegion().applyAll(new LogBuilder().genesis().fence(1n, US).entries());
    const changed = { home: EU, configuration: STRICTER.hash };
    expect(decide({ cursor, catalogue: changed })).toEqual({ kind: 'established' });
    expect(decide({ cursor, catalogue: changed, region: US })).toMatchObject({
      kind: 'append',
      body: { kind: 'configuration' },
    });
  });

  test('nothing is appended before the log is folded to its end', () => {
    expect(decide({ caughtUp: false, catalogue: { home: EU, configuration: STRICTER.hash } })).toMatchObject({
      kind: 'wait',
    });
  });
});

test('of two coordinators that decide at once the second one is superseded, for a genesis and for a configuration', () => {
  const first = decide({ cursor: EMPTY_STATE.cursor, logIncarnation: LOG_INCARNATION });
  const second = decide({ cursor: EMPTY_STATE.cursor });
  const change = decide({ catalogue: { home: EU, configuration: STRICTER.hash } });
  const log = new LogBuilder();
  for (const decision of [first, second, change, change]) {
    if (decision.kind !== 'append') throw new Error(decision.kind);
    log.control(decision.body);
  }
  const region = new FoldedRegion().applyAll(log.entries());
  expect(region.verdicts).toEqual(['accepted', 'superseded', 'accepted', 'superseded']);
  expect(region.cursor).toMatchObject({
    logIncarnation: LOG_INCARNATION,
    home: EU,
    configuration: STRICTER.hash,
  });
});
