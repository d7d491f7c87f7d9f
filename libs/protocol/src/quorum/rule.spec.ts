/** The words of quorum rules, and which regions they count. */
import { describe, expect, test } from '@jest/globals';
import type { RegionName } from '../identity/identity.js';
import { parseRule, voters, type Rule } from './rule.js';

const [EU, US, AP] = ['eu', 'us', 'ap'] as readonly string[] as readonly [RegionName, RegionName, RegionName];
const any = (count: number, ...of: readonly RegionName[]): Rule => ({ kind: 'any', count, of });

describe('rules that are read', () => {
  test.each<[string, Rule]>([
    ['majority', { kind: 'majority' }],
    ['all', { kind: 'all' }],
    ['home', { kind: 'home' }],
    ['  majority\n', { kind: 'majority' }],
    ['any 1 of [eu]', any(1, EU)],
    ['any 2 of [eu, us, ap]', any(2, EU, US, AP)],
    ['any  3  of[eu,us ,\tap ]', any(3, EU, US, AP)],
    ['any 02 of [eu, us]', any(2, EU, US)],
  ])('%j', (text, rule) => {
    expect(parseRule(text)).toEqual({ kind: 'rule', rule });
  });
});

describe('rules that are refused, with the place', () => {
  // The caret stands under the character that `at` names.
  test.each<[string, string, RegExp]>([
    ['', '^', /a rule is/],
    ['   ', '   ^', /a rule is/],
    ['most', '^', /a rule is/],
    ['  Majority', '  ^', /a rule is/],
    ['majority of [eu]', '^', /a rule is/],
    ['any of [eu]', '^', /a rule is/],
    ['any -1 of [eu]', '^', /a rule is/],
    ['not any 1 of [eu]', '^', /a rule is/],
    ['any 1.5 of [eu]', '^', /a rule is/],
    ['any 1 of [eu', '            ^', /"\]" is missing/],
    [' any 1 of [eu  ', '             ^', /"\]" is missing/],
    ['any 1 of []', '          ^', /"" is not a region's name/],
    ['any 1 of [eu,]', '             ^', /"" is not a region's name/],
    ['any 1 of [eu, US]', '              ^', /"US" is not a region's name/],
    ['any 1 of [eu us]', '          ^', /"eu us" is not/],
    ['  any 1 of [eu,   9x, us]', '                  ^', /"9x" is not/],
    ['any 1 of [eu, us,eu]', '                 ^', /"eu" is listed twice/],
    ['any 1 of [eu]]', '          ^', /"eu\]" is not/],
    ['any 0 of [eu]', '    ^', /between 1 and 1/],
    ['any 3 of [eu, us]', '    ^', /between 1 and 2/],
    ['  any   3 of [eu, us]', '        ^', /between 1 and 2/],
    ['any 99999999999999999999 of [eu]', '    ^', /between 1 and 1/],
  ])('%j', (text, caret, reason) => {
    expect(parseRule(text)).toEqual({
      kind: 'refused',
      at: caret.length - 1,
      reason: expect.stringMatching(reason),
    });
  });
});

describe('the regions that a rule counts', () => {
  test.each<[string, Rule, readonly RegionName[], number]>([
    ['a majority of three', { kind: 'majority' }, [EU, US, AP], 2],
    ['a majority of two is both', { kind: 'majority' }, [EU, US], 2],
    ['a majority of one', { kind: 'majority' }, [EU], 1],
    ['all', { kind: 'all' }, [EU, US, AP], 3],
  ])('%s', (_, rule, members, needed) => {
    expect(voters(rule, members, EU)).toEqual({ regions: members, needed });
  });

  test('the home alone, and nobody while there is none', () => {
    expect(voters({ kind: 'home' }, [EU, US], US)).toEqual({ regions: [US], needed: 1 });
    expect(voters({ kind: 'home' }, [EU, US], null)).toEqual({ regions: [], needed: 1 });
  });

  test('exactly those listed: the home only if listed', () => {
    expect(voters(any(1, US, AP), [EU, US, AP], EU)).toEqual({ regions: [US, AP], needed: 1 });
  });
});
