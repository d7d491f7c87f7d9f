/** Bodies of records: what a writer prints is what every region reads, and everything else is null. */
import { describe, expect, test } from '@jest/globals';
import {
  epoch,
  sequence,
  type ConfigurationHash,
  type KeyHash,
  type LogIncarnation,
  type RegionName,
} from '../identity/identity.js';
import {
  controlText,
  decodeControl,
  decodeEvents,
  eventsText,
  recordObject,
  type ControlBody,
  type ControlKind,
  type EntryEvent,
} from './body.js';

const EVENT: EntryEvent = {
  key: 'eu:ada',
  type: 'opened',
  v: 1,
  data: { owner: 'Ada' },
  expectedVersion: null,
};

describe('events', () => {
  test('the text is canonical; version 1 and no expectation are not written', () => {
    expect(eventsText([EVENT])).toBe('[{"data":{"owner":"Ada"},"key":"eu:ada","type":"opened"}]');
    expect(eventsText([{ ...EVENT, v: 2, expectedVersion: sequence(0n) }])).toBe(
      '[{"data":{"owner":"Ada"},"expectedVersion":0,"key":"eu:ada","type":"opened","v":2}]',
    );
  });

  test('what is printed is read again', () => {
    const events = [EVENT, { ...EVENT, v: 3, expectedVersion: sequence(9_007_199_254_740_991n) }];
    expect(decodeEvents(eventsText(events))).toEqual(events);
  });

  test('`data` is handed on as it stands: its schema judges it later', () => {
    const [event] = decodeEvents('[{"key":"eu:a","type":"t","data":{"__proto__":1,"n":1.5}}]')!;
    expect(Object.keys(event!.data as object)).toEqual(['__proto__', 'n']);
  });

  test.each<[string, string]>([
    ['no JSON', '[{'],
    ['nothing', ''],
    ['an object', '{}'],
    ['null', 'null'],
    ['no event', '[]'],
    ['a list in a list', '[[]]'],
    ['an event that is null', '[null]'],
    ['one bad event among good ones', '[{"key":"eu:a","type":"t","data":{}},{}]'],
    ['no key', '[{"type":"t","data":{}}]'],
    ['a key without a group', '[{"key":"a","type":"t","data":{}}]'],
    ['a key that is a number', '[{"key":1,"type":"t","data":{}}]'],
    ['no type', '[{"key":"eu:a","data":{}}]'],
    ['a type in capitals', '[{"key":"eu:a","type":"T","data":{}}]'],
    ['a type of 65 characters', `[{"key":"eu:a","type":"${'t'.repeat(65)}","data":{}}]`],
    ['a type with a line end', '[{"key":"eu:a","type":"t\\n","data":{}}]'],
    ['version 0', '[{"key":"eu:a","type":"t","v":0,"data":{}}]'],
    ['a version that is null', '[{"key":"eu:a","type":"t","v":null,"data":{}}]'],
    ['a version with a fraction', '[{"key":"eu:a","type":"t","v":1.5,"data":{}}]'],
    ['a version that is text', '[{"key":"eu:a","type":"t","v":"1","data":{}}]'],
    ['no data', '[{"key":"eu:a","type":"t"}]'],
    ['data that is null', '[{"key":"eu:a","type":"t","data":null}]'],
    ['data that is a list', '[{"key":"eu:a","type":"t","data":[]}]'],
    ['an expected version below 0', '[{"key":"eu:a","type":"t","data":{},"expectedVersion":-1}]'],
    ['an expected version that is null', '[{"key":"eu:a","type":"t","data":{},"expectedVersion":null}]'],
    [
      'an expected version beyond 2^53 - 1',
      '[{"key":"eu:a","type":"t","data":{},"expectedVersion":9007199254740992}]',
    ],
    ['a name that nobody knows', '[{"key":"eu:a","type":"t","data":{},"extra":1}]'],
    ['`__proto__`, which hides no missing part', '[{"type":"t","data":{},"__proto__":{"key":"eu:a"}}]'],
  ])('not events: %s', (_, text) => {
    expect(decodeEvents(text)).toBeNull();
  });
});

const HASH = 'c'.repeat(64) as ConfigurationHash;
const BODIES: readonly { readonly body: ControlBody; readonly text: string }[] = [
  {
    body: {
      kind: 'genesis',
      logIncarnation: 'a'.repeat(32) as LogIncarnation,
      home: 'eu' as RegionName,
      configuration: HASH,
    },
    text: `{"configuration":"${HASH}","home":"eu","logIncarnation":"${'a'.repeat(32)}"}`,
  },
  {
    body: {
      kind: 'fence',
      expectedEpoch: epoch(1n),
      epoch: epoch(2n),
      home: 'us' as RegionName,
      term: 3n,
      decision: 4n,
    },
    text: '{"decision":4,"epoch":2,"expectedEpoch":1,"home":"us","term":3}',
  },
  {
    body: { kind: 'configuration', expected: HASH, configuration: 'd'.repeat(64) as ConfigurationHash },
    text: `{"configuration":"${'d'.repeat(64)}","expected":"${HASH}"}`,
  },
  {
    body: {
      kind: 'rule',
      expected: sequence(0n),
      rule: 'all',
      withdrawn: ['ap', 'us'] as RegionName[],
      reason: 'r'.repeat(512),
      actor: 'a'.repeat(256),
    },
    text: `{"actor":"${'a'.repeat(256)}","expected":0,"reason":"${'r'.repeat(512)}","rule":"all","withdrawn":["ap","us"]}`,
  },
  { body: { kind: 'term', term: 3n, decision: 4n }, text: '{"decision":4,"term":3}' },
  { body: { kind: 'probe' }, text: '{}' },
  {
    body: { kind: 'settle', key: 'e'.repeat(32) as KeyHash, deadlineMs: 1_800_000_000_000 },
    text: `{"deadlineMs":1800000000000,"key":"${'e'.repeat(32)}"}`,
  },
  {
    body: { kind: 'degrade', key: 'e'.repeat(32) as KeyHash, sequence: sequence(5n) },
    text: `{"key":"${'e'.repeat(32)}","sequence":5}`,
  },
];
const RULE = { expected: 1, rule: 'all', withdrawn: [], reason: 'why', actor: 'ada' };

describe('control bodies', () => {
  test.each(BODIES)('$body.kind is printed as pinned, and read again', ({ body, text }) => {
    expect(controlText(body)).toBe(text);
    expect(decodeControl(body.kind, text)).toEqual(body);
  });

  test.each(BODIES)('$body.kind is no other kind', ({ body, text }) => {
    for (const { body: other } of BODIES)
      if (other.kind !== body.kind) expect(decodeControl(other.kind, text)).toBeNull();
  });

  test.each(BODIES)(
    '$body.kind with a part more, a part less, or a part that is null is nothing',
    ({ body, text }) => {
      const parts = JSON.parse(text) as Record<string, unknown>;
      expect(decodeControl(body.kind, JSON.stringify({ ...parts, extra: 1 }))).toBeNull();
      expect(decodeControl(body.kind, `[${text}]`)).toBeNull();
      for (const name of Object.keys(parts)) {
        const { [name]: _, ...less } = parts;
        expect(decodeControl(body.kind, JSON.stringify(less))).toBeNull();
        expect(decodeControl(body.kind, JSON.stringify({ ...less, other: 1 }))).toBeNull();
        expect(decodeControl(body.kind, JSON.stringify({ ...parts, [name]: null }))).toBeNull();
      }
    },
  );

  test('a rule that leaves no region out is one', () => {
    expect(decodeControl('rule', JSON.stringify(RULE))).toMatchObject({ rule: 'all', withdrawn: [] });
  });

  test('ordinals begin with 0', () => {
    const fence: ControlBody = {
      kind: 'fence',
      expectedEpoch: epoch(0n),
      epoch: epoch(1n),
      home: 'us' as RegionName,
      term: 0n,
      decision: 0n,
    };
    expect(decodeControl('fence', controlText(fence))).toEqual(fence);
  });

  test.each<[string, ControlKind, object]>([
    [
      'a genesis with a home that is no name',
      'genesis',
      { configuration: HASH, home: 'EU', logIncarnation: 'a'.repeat(32) },
    ],
    [
      'a genesis with a short incarnation',
      'genesis',
      { configuration: HASH, home: 'eu', logIncarnation: 'a'.repeat(31) },
    ],
    [
      'a genesis with a hash in capitals',
      'genesis',
      { configuration: 'C'.repeat(64), home: 'eu', logIncarnation: 'a'.repeat(32) },
    ],
    [
      'a fence that raises by two (I5)',
      'fence',
      { decision: 4, epoch: 3, expectedEpoch: 1, home: 'us', term: 3 },
    ],
    [
      'a fence that raises nothing (I5)',
      'fence',
      { decision: 4, epoch: 1, expectedEpoch: 1, home: 'us', term: 3 },
    ],
    [
      'a fence of a negative term',
      'fence',
      { decision: 4, epoch: 2, expectedEpoch: 1, home: 'us', term: -1 },
    ],
    [
      'a fence of a decision that is text',
      'fence',
      { decision: '4', epoch: 2, expectedEpoch: 1, home: 'us', term: 1 },
    ],
    [
      'a fence of an epoch beyond 2^53 - 1',
      'fence',
      { decision: 1, epoch: 2 ** 53, expectedEpoch: 2 ** 53 - 1, home: 'us', term: 1 },
    ],
    ['a term that is negative', 'term', { decision: 0, term: -1 }],
    ['a term of a decision beyond 2^53 - 1', 'term', { decision: 2 ** 53, term: 1 }],
    ['a settle with a fraction of a millisecond', 'settle', { key: 'e'.repeat(32), deadlineMs: 1.5 }],
    ['a settle of a key that is no hash', 'settle', { key: 'k', deadlineMs: 1 }],
    ['a degrade of a key that is no hash', 'degrade', { key: 'k', sequence: 1 }],
    ['a degrade at no place', 'degrade', { key: 'e'.repeat(32), sequence: -1 }],
    ['a rule that expects a text', 'rule', { ...RULE, expected: '1' }],
    ['a rule that is none', 'rule', { ...RULE, rule: 'most' }],
    ['a rule that is a number', 'rule', { ...RULE, rule: 1 }],
    ['a rule without regions that are none', 'rule', { ...RULE, withdrawn: ['AP'] }],
    ['a rule without a region that is a number', 'rule', { ...RULE, withdrawn: ['ap', 1] }],
    ['a rule without a region that is a list', 'rule', { ...RULE, withdrawn: [['ap']] }],
    ['a rule without a text of regions', 'rule', { ...RULE, withdrawn: 'ap' }],
    ['a rule without regions out of order', 'rule', { ...RULE, withdrawn: ['us', 'ap'] }],
    ['a rule without a region twice', 'rule', { ...RULE, withdrawn: ['us', 'us'] }],
    ['a rule for an endless reason', 'rule', { ...RULE, reason: 'x'.repeat(513) }],
    ['a rule for a reason that is a list', 'rule', { ...RULE, reason: ['why'] }],
    ['a rule of an endless actor', 'rule', { ...RULE, actor: 'x'.repeat(257) }],
    ['a rule of half a character', 'rule', { ...RULE, actor: '\ud800' }],
  ])('%s is nothing', (_, kind, parts) => {
    expect(decodeControl(kind, JSON.stringify(parts))).toBeNull();
  });
});

test('a record of another topic is an object, or nothing: an empty one, a list, a number and what does not parse', () => {
  expect(recordObject('{"at":1}')).toEqual({ at: 1 });
  for (const text of [null, '', '[]', '1', 'null', '{']) expect(recordObject(text)).toBeNull();
});
