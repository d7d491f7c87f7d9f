/** Which rule judges which position, and when a change takes a joint step. */
import { describe, expect, test } from '@jest/globals';
import type { RegionName, Sequence } from '../identity/identity.js';
import { demandsOf, type Demand } from './demand.js';
import {
  allDemands,
  changeRule,
  replaceRule,
  ruleAt,
  RULES_KEPT,
  type RuleInForce,
} from './rule-in-force.js';
import { parseRule } from './rule.js';

const MEMBERS = ['eu', 'us', 'ap'] as readonly string[] as readonly RegionName[];

function demands(text: string, withdrawn: readonly RegionName[] = []): readonly Demand[] {
  const parsed = parseRule(text);
  if (parsed.kind === 'refused') throw new Error(parsed.reason);
  const electorate = { members: MEMBERS, home: MEMBERS[0]!, labels: {}, withdrawn };
  const demanded = demandsOf(parsed.rule, electorate);
  if (demanded.kind === 'refused') throw new Error(demanded.reason);
  return demanded.demands;
}

const change = (from: number, text: string, withdrawn: readonly RegionName[] = []) => ({
  from: BigInt(from) as Sequence,
  text,
  withdrawn,
  demands: demands(text, withdrawn),
});

/** The rules after these changes, each at ten times its place from 1; null where one is refused. */
function rulesAfter(...texts: readonly string[]): readonly RuleInForce[] | null {
  let rules: readonly RuleInForce[] = [];
  for (const [index, text] of texts.entries()) {
    const next = changeRule(rules, change((index + 1) * 10, text));
    if (next === null) return null;
    rules = next;
  }
  return rules;
}

const described = (rules: readonly RuleInForce[] | null): readonly string[] | null =>
  rules?.map(({ from, jointly, text }) => `${from} ${text}${jointly.length > 0 ? ' (joint)' : ''}`) ?? null;

describe('a change of the rule', () => {
  test.each<[string, readonly string[], readonly string[] | null]>([
    ['the first rule stands at once', ['majority'], ['10 majority']],
    ['quorums that always share a region: at once', ['majority', 'all'], ['10 majority', '20 all']],
    [
      'quorums that can be apart: jointly, until the same rule is asked for again',
      ['any 2 of [eu, us]', 'any 1 of [ap]', 'any 1 of [ap]'],
      ['10 any 2 of [eu, us]', '20 any 1 of [ap] (joint)', '30 any 1 of [ap]'],
    ],
    ['another one is refused while a joint step is under way', ['home', 'any 1 of [ap]', 'all'], null],
    ['the same rule again changes nothing', ['majority', 'majority'], ['10 majority']],
    [
      'the same rule in other words is said anew',
      ['majority', 'any 2 of [eu, us, ap]'],
      ['10 majority', '20 any 2 of [eu, us, ap]'],
    ],
  ])('%s', (_, texts, expected) => {
    expect(described(rulesAfter(...texts))).toEqual(expected);
  });

  test('a joint step demands what both rules demand', () => {
    const [, joint] = rulesAfter('home', 'any 1 of [ap]')!;
    expect(allDemands(joint!)).toEqual([...demands('any 1 of [ap]'), ...demands('home')]);
  });

  test('a withdrawn region is a change, even where the rule does not count it', () => {
    const before = rulesAfter('any 1 of [eu]')!;
    const withdrawn = ['ap' as RegionName];
    expect(changeRule(before, change(20, 'any 1 of [eu]', withdrawn))!.at(-1)).toMatchObject({ withdrawn });
  });

  test('a replaced rule takes no joint step, whatever is under way', () => {
    const before = rulesAfter('home', 'any 1 of [ap]')!;
    expect(described(replaceRule(before, change(30, 'any 1 of [us]')))?.at(-1)).toBe('30 any 1 of [us]');
  });
});

test('a position is judged by the last rule before it, and by none before the first one that is kept (I17)', () => {
  const texts = Array.from({ length: RULES_KEPT + 4 }, (_, index) => (index % 2 === 0 ? 'majority' : 'all'));
  const rules = rulesAfter(...texts)!;
  expect(rules).toHaveLength(RULES_KEPT);
  const at = (place: number): string | null => {
    const rule = ruleAt(rules, BigInt(place) as Sequence);
    return rule === null ? null : `${rule.from} ${rule.text}`;
  };
  expect([at(49), at(50), at(59), at(60), at(9_999)]).toEqual([
    null,
    '50 majority',
    '50 majority',
    '60 all',
    '200 all',
  ]);
});
