/** Quorum rules change by entries, and judge by position: what genesis, configuration, rule and fence do to them. */
import { describe, expect, test } from '@jest/globals';
import type { ConfigurationContent } from '../configuration/content.js';
import { sequence, type RegionName } from '../identity/identity.js';
import type { Verdict } from './verdict.js';
import { AP, configured, EU, FoldedRegion, LogBuilder, START_MS, US } from './fold.fixture.js';

const THREE: Partial<ConfigurationContent> = {
  groups: [{ name: 'eu' as never, home: EU, firstShard: 0, shards: 1, regions: [EU, US, AP] }],
};
const MAJORITY = configured('5', THREE);
const ALL = configured('6', { ...THREE, quorum: 'all' });
const OTHER_LIMITS = configured('7', {
  ...THREE,
  limits: { entryBytesMax: 2_048, eventsPerEntryMax: 4, notAfterAheadMsMax: 3_600_000 },
});
const FEWER = configured('8', {
  ...THREE,
  groups: [{ name: 'eu' as never, home: EU, firstShard: 0, shards: 1, regions: [EU, US] }],
});
const NO_RULE = configured('9', { ...THREE, quorum: null });
const UNMEETABLE = configured('a', { ...THREE, quorum: 'any 1 of [sa]' });
const HOME = configured('b', { ...THREE, quorum: 'home' });
const LABELLED = configured('c', {
  ...THREE,
  labels: Object.fromEntries(
    [EU, US, AP].map((region) => [
      region,
      { provider: 'aws', zone: region === AP ? 'x' : 'y', jurisdiction: region },
    ]),
  ),
});
const KNOWN = [MAJORITY, ALL, OTHER_LIMITS, FEWER, NO_RULE, UNMEETABLE, HOME, LABELLED];

const rule = (
  log: LogBuilder,
  expected: number,
  text: string,
  withdrawn: readonly RegionName[] = [],
): LogBuilder =>
  log.control({
    kind: 'rule',
    expected: sequence(BigInt(expected)),
    rule: text,
    withdrawn,
    reason: 'a test',
    actor: 'ada',
  });

const configuration = (log: LogBuilder, from: typeof ALL, to: typeof ALL): LogBuilder =>
  log.control({ kind: 'configuration', expected: from.hash, configuration: to.hash });

function folded(log: LogBuilder): {
  readonly rules: readonly string[];
  readonly verdicts: readonly Verdict[];
} {
  const region = new FoldedRegion(KNOWN).applyAll(log.entries());
  expect(region.halt).toBeNull();
  const rules = region.cursor.rules.map(({ demands, from, jointly, text, withdrawn }) => {
    const needs = demands.map(({ needed, domains }) => `${needed} of ${domains.join('|')}`).join(', ');
    return `${from} ${text}: ${needs}${jointly.length > 0 ? ' jointly' : ''}${withdrawn.length > 0 ? ` without ${withdrawn.join()}` : ''}`;
  });
  return { rules, verdicts: region.verdicts.slice(1) };
}

const begun = (with_ = MAJORITY): LogBuilder => new LogBuilder().genesis(with_);

describe('the rule of a shard', () => {
  test.each<[string, LogBuilder, readonly string[], readonly Verdict[]]>([
    ['begins with its genesis', begun(), ['1 majority: 2 of eu|us|ap'], []],
    ['is majority where the dataset names none (0018)', begun(NO_RULE), ['1 majority: 2 of eu|us|ap'], []],
    ['counts fault domains', begun(LABELLED), ['1 majority: 2 of eu,us|ap'], []],
    [
      'changes by an entry that knows the rule in force',
      rule(rule(begun(), 1, 'all'), 1, 'home'),
      ['1 majority: 2 of eu|us|ap', '2 all: 3 of eu|us|ap'],
      ['accepted', 'superseded'],
    ],
    [
      'changes by a joint step where quorums can be apart, and the same rule again ends it',
      rule(rule(rule(begun(), 1, 'any 1 of [ap]'), 2, 'all'), 2, 'any 1 of [ap]'),
      ['1 majority: 2 of eu|us|ap', '2 any 1 of [ap]: 1 of ap jointly', '4 any 1 of [ap]: 1 of ap'],
      ['accepted', 'superseded', 'accepted'],
    ],
    [
      'ends a joint step to `home` also when a region that does not count has become home',
      rule(
        rule(rule(rule(begun(), 1, 'any 1 of [us]'), 2, 'any 1 of [us]'), 3, 'home', [AP]).fence(1n, AP),
        4,
        'home',
        [AP],
      ),
      [
        '1 majority: 2 of eu|us|ap',
        '2 any 1 of [us]: 1 of us jointly',
        '3 any 1 of [us]: 1 of us',
        '4 home: 1 of eu jointly without ap',
        '6 home: 1 of eu without ap',
      ],
      ['accepted', 'accepted', 'accepted', 'accepted', 'accepted'],
    ],
    [
      'is never one that cannot be met',
      rule(rule(begun(), 1, 'any 1 of [sa]'), 1, 'all', [US]),
      ['1 majority: 2 of eu|us|ap'],
      ['superseded', 'superseded'],
    ],
    [
      'leaves out regions that an operator withdraws',
      rule(rule(begun(), 1, 'majority', [AP]), 2, 'majority'),
      ['1 majority: 2 of eu|us|ap', '2 majority: 2 of eu|us without ap', '3 majority: 2 of eu|us|ap'],
      ['accepted', 'accepted'],
    ],
    [
      'stays through a configuration that does not speak of it',
      configuration(rule(begun(), 1, 'all'), MAJORITY, OTHER_LIMITS),
      ['1 majority: 2 of eu|us|ap', '2 all: 3 of eu|us|ap'],
      ['accepted', 'accepted'],
    ],
    [
      'changes with a configuration that names another one',
      configuration(begun(), MAJORITY, ALL),
      ['1 majority: 2 of eu|us|ap', '2 all: 3 of eu|us|ap'],
      ['accepted'],
    ],
    [
      'changes with a configuration that changes what it means',
      configuration(begun(), MAJORITY, FEWER),
      ['1 majority: 2 of eu|us|ap', '2 majority: 2 of eu|us'],
      ['accepted'],
    ],
    [
      'keeps a configuration out that leaves it unmeetable',
      configuration(rule(begun(), 1, 'any 2 of [ap, us]'), MAJORITY, FEWER),
      ['1 majority: 2 of eu|us|ap', '2 any 2 of [ap, us]: 2 of ap|us'],
      ['accepted', 'superseded'],
    ],
    [
      'follows the home where it is `home`, at once',
      begun(HOME).fence(1n, US),
      ['1 home: 1 of eu', '2 home: 1 of us'],
      ['accepted'],
    ],
    [
      'stays through a fence where it is another',
      begun().fence(1n, US),
      ['1 majority: 2 of eu|us|ap'],
      ['accepted'],
    ],
  ])('%s', (_, log, rules, verdicts) => {
    expect(folded(log)).toEqual({ rules, verdicts });
  });

  test('that comes too late does not come', () => {
    const log = begun().control(
      { kind: 'rule', expected: sequence(1n), rule: 'all', withdrawn: [], reason: '', actor: '' },
      { notAfterMs: START_MS - 1 },
    );
    expect(folded(log).verdicts).toEqual(['superseded']);
  });

  test('is none before genesis, and a log does not begin with one that cannot be met', () => {
    const log = rule(new LogBuilder(), 0, 'majority').genesis(UNMEETABLE).genesis(MAJORITY);
    const { cursor, verdicts } = new FoldedRegion(KNOWN).applyAll(log.entries());
    expect(verdicts).toEqual(['superseded', 'superseded', 'accepted']);
    expect(cursor.rules).toHaveLength(1);
    expect(cursor.rules[0]).toMatchObject({ from: 3n });
  });
});
