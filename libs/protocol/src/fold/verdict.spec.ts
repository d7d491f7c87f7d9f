/** What a verdict means for a key and for an appender, as the verdict table says (I9, I10). */
import { expect, test } from '@jest/globals';
import { binds, judgesAttempt, VERDICTS, type Verdict } from './verdict.js';

test.each<[Verdict, 'the entry' | 'the attempt' | 'the write']>([
  ['malformed', 'the entry'],
  ['forged', 'the attempt'],
  ['superseded', 'the attempt'],
  ['duplicate', 'the attempt'],
  ['hole', 'the attempt'],
  ['repeated', 'the entry'],
  ['key-reused', 'the entry'],
  ['fenced', 'the attempt'],
  ['not-owner', 'the attempt'],
  ['expired', 'the write'],
  ['schema', 'the write'],
  ['policy', 'the write'],
  ['version-conflict', 'the write'],
  ['guard', 'the write'],
  ['accepted', 'the write'],
])('%s judges %s', (verdict, judged) => {
  expect(binds(verdict)).toBe(judged === 'the write');
  expect(judgesAttempt(verdict)).toBe(judged === 'the attempt');
});

test('whatever binds a key comes later in the order of judgement than whatever leaves it free', () => {
  expect(VERDICTS.findIndex(binds)).toBe(VERDICTS.findLastIndex((verdict) => !binds(verdict)) + 1);
});
