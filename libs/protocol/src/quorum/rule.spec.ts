/** The words of quorum rules, and which regions they count. */
import { describe, expect, test } from '@jest/globals';
import type { RegionName } from '../identity/identity.js';
import { parseRule, type Rule } from './rule.js';

const [EU, US, AP] = ['eu', 'us', 'ap'] as readonly string[] as readonly [RegionName, RegionName, RegionName];
const each = (...shares: readonly (readonly [string, number])[]): Rule => ({
  kind: 'each',
  shares: shares.map(([label, count]) => ({ label, count })),
});
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
    ['each [aws: any 1]', each(['aws', 1])],
    ['each [aws: any 120]', each(['aws', 120])],
    [`majority${' '.repeat(1_024 - 'majority'.length)}`, { kind: 'majority' }],
    [' each[ aws:any 2 ,gcp : any  1 ] ', each(['aws', 2], ['gcp', 1])],
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
    ['each [aws: any 1', '                ^', /"\]" is missing/],
    ['each []', '      ^', /"" is not a label/],
    ['each [: any 1]', '      ^', /"" is not a label/],
    ['each [aws: any 1, a ws: any 1]', '                  ^', /"a ws" is not a label/],
    ['each [aws: any 1,  aws: any 2]', '                   ^', /"aws" is listed twice/],
    ['each [aws]', '         ^', /after "aws" stands ": any N"/],
    ['each [aws: any 0]', '         ^', /after "aws" stands/],
    ['each [aws: 1]', '         ^', /after "aws" stands/],
    ['each [aws: any 1 gcp: any 1]', '         ^', /after "aws" stands/],
    [`majority${' '.repeat(1_024)}`, `${' '.repeat(1_024)}^`, /at most 1024 characters/],
  ])('%j', (text, caret, reason) => {
    expect(parseRule(text)).toEqual({
      kind: 'refused',
      at: caret.length - 1,
      reason: expect.stringMatching(reason),
    });
  });
});
