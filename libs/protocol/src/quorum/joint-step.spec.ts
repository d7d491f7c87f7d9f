/** A joint step ends as soon as every earlier entry meets the new rule alone, and not before. */
import { expect, test } from '@jest/globals';
import type { RegionName, Sequence } from '../identity/identity.js';
import { endOfJointStep } from './joint-step.js';
import type { RuleInForce } from './rule-in-force.js';
import { AP, EU, US } from './ledger.fixture.js';

const needs = (region: RegionName): RuleInForce['demands'] => [{ needed: 1, domains: [[region]] }];
const first: RuleInForce = {
  from: 1n as Sequence,
  text: 'home',
  withdrawn: [],
  demands: needs(EU),
  jointly: [],
};
const joint: RuleInForce = {
  from: 10n as Sequence,
  text: 'any 1 of [ap]',
  withdrawn: [US],
  demands: needs(AP),
  jointly: needs(EU),
};
const tally = (rules: readonly RuleInForce[], committed: Readonly<Record<string, number>>) => ({
  rules,
  differing: new Set<RegionName>(),
  committed: new Map(
    Object.entries(committed).map(([region, at]) => [region as RegionName, BigInt(at) as Sequence]),
  ),
});

test('the same rule is asked for again once the new regions have the entry that brought it', () => {
  expect(endOfJointStep(tally([first, joint], { ap: 10, eu: 10 }), EU)).toEqual({
    kind: 'rule',
    expected: 10n,
    rule: 'any 1 of [ap]',
    withdrawn: [US],
    reason: expect.stringContaining('meets'),
    actor: 'coordinator of eu',
  });
});

test('the regions of the rule before may be gone', () => {
  expect(endOfJointStep(tally([first, joint], { ap: 12 }), AP)).toMatchObject({ expected: 10n });
});

test.each([
  ['the new regions are behind', [first, joint], { ap: 9, eu: 99 }],
  ['no joint step is under way', [first], { eu: 99 }],
  ['nobody has told a rule', [], {}],
])('nothing is asked for while %s', (_, rules, committed) => {
  expect(endOfJointStep(tally(rules, committed), EU)).toBeNull();
});
