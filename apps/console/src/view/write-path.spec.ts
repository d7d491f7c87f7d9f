/** A write's path tells rejected, unknown, unseen and unanswered apart. */
import { describe, expect, test } from '@jest/globals';
import type { Problem, Receipt } from '../facts.js';
import { at } from './facts.fixture.js';
import { holderWords, readSought, traceLink, writePath, type Asked } from './write-path.js';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const receipt = (changes: Partial<Receipt> = {}): Asked => ({
  kind: 'receipt',
  receipt: {
    id: 'k1',
    dataset: 'accounts',
    shard: 'accounts/0',
    epoch: 1,
    sequence: 7,
    outcome: 'accepted',
    stage: 'quorum',
    stages: {
      logged: { at: at(1) },
      accepted: { at: at(2), region: 'eu' },
      quorum: { at: at(3), regions: ['eu', 'us'] },
    },
    traceId: TRACE,
    ...changes,
  },
});
const refused = (code: string): Asked => ({
  kind: 'refused',
  problem: { code, title: `title of ${code}`, detail: 'detail', next: 'next' } satisfies Problem,
});
const textsOf = (told: ReadonlyMap<string, Asked>) =>
  writePath(told).stages.map(({ cells }) => cells.map(({ text }) => text));

describe('a path', () => {
  test('shows for each stage what each region tells of it', () => {
    const told = new Map([
      ['eu', receipt()],
      ['ap', refused('region-silent')],
    ]);
    expect(writePath(told)).toMatchObject({
      tone: 'well',
      text: 'Accepted in accounts/0, sequence 7, epoch 1; reached quorum.',
    });
    expect(textsOf(told)).toEqual([
      ['12:00:01', 'did not answer'],
      ['12:00:02 (eu)', 'did not answer'],
      ['12:00:03 (eu, us)', 'did not answer'],
      ['not yet', 'did not answer'],
    ]);
  });

  test('of a rejected write says why and what to do, and that it never takes effect', () => {
    const told = new Map([
      ['eu', receipt({ outcome: 'rejected', code: 'guard', stages: { logged: { at: at(1) } } })],
    ]);
    expect(writePath(told)).toMatchObject({
      tone: 'bad',
      text: 'Rejected as guard in accounts/0, sequence 7, epoch 1.',
      why: expect.stringContaining('balance'),
    });
    expect(textsOf(told).flat()).toEqual(['12:00:01', 'never', 'never', 'never']);
  });

  test('of a code that is new here still says that every region decided the same', () => {
    const told = new Map([['eu', receipt({ outcome: 'rejected', code: 'brand-new' })]]);
    expect(writePath(told).why).toContain('every region decided the same');
  });

  test('is definite as soon as one region knows', () => {
    const told = new Map([
      ['eu', receipt({ outcome: 'unknown', stage: null })],
      ['us', receipt({ outcome: 'rejected', code: 'expired' })],
    ]);
    expect(writePath(told)).toMatchObject({ tone: 'bad', text: expect.stringContaining('expired') });
  });

  test('of a write that is open says that unknown is not failed', () => {
    expect(writePath(new Map([['eu', receipt({ outcome: 'unknown' })]]))).toMatchObject({
      tone: 'unknown',
      why: expect.stringContaining('Unknown is not failed'),
    });
  });

  test('of a key that nobody has seen is unknown, and told apart from regions that did not answer', () => {
    const unseen = new Map([['eu', refused('not-seen')]]);
    expect(writePath(unseen)).toMatchObject({ tone: 'unknown', text: 'No region has seen this key.' });
    const silent = new Map([
      ['eu', refused('region-silent')],
      ['us', refused('not-seen')],
    ]);
    expect(writePath(silent).text).toBe('Nothing is known: title of region-silent.');
  });

  test('tells of a degraded acknowledgement, and who holds it', () => {
    expect(writePath(new Map([['eu', receipt({ degraded: true, holders: ['eu'] })]]))).toMatchObject({
      why: expect.stringContaining('not met in time'),
      holders: ['eu'],
    });
    expect(holderWords(['eu', 'us'])).toBe('2 regions hold it now: eu, us.');
    expect(holderWords(null)).toContain('unknown');
  });
});

describe('what a person gives', () => {
  const { receipt: told } = receipt() as Extract<Asked, { kind: 'receipt' }>;

  test.each([
    ['a key', '  k1 ', { key: 'k1', dataset: null, traceId: null }],
    ['a receipt', JSON.stringify(told), { key: 'k1', dataset: 'accounts', traceId: TRACE }],
    [
      'a problem',
      JSON.stringify({ code: 'guard', receipt: told }),
      { key: 'k1', dataset: 'accounts', traceId: TRACE },
    ],
    ['nothing', ' ', null],
    ['JSON of something else', '{"a":1}', null],
    ['half an answer', '{"id":"k', null],
  ])('%s', (_, text, sought) => {
    expect(readSought(text)).toEqual(sought);
  });
});

test('a trace is led to only where both are known', () => {
  expect(traceLink('http://127.0.0.1:16686/', TRACE)).toBe(`http://127.0.0.1:16686/trace/${TRACE}`);
  expect(traceLink(null, TRACE)).toBeNull();
  expect(traceLink('http://127.0.0.1:16686', '../evil')).toBeNull();
});
