/** A write as a client sends it: read, or refused with the problem that the contract names, before anything is written. */
import { describe, expect, test } from '@jest/globals';
import type { FoldConfiguration } from '../configuration/fold-configuration.js';
import { decodeEvents } from '../entry/body.js';
import { configured, EU } from '../fold/fold.fixture.js';
import type { GroupName } from '../identity/identity.js';
import type { Problem } from './problem.js';
import type { Read } from './request-body.js';
import {
  BATCH_ENTRIES_MAX,
  checkSchemas,
  isIdempotencyKey,
  readBatch,
  readWrite,
  type WriteRequest,
} from './write-request.js';

const GROUPS = [
  { name: 'eu' as GroupName, home: EU, firstShard: 0, shards: 2, regions: [EU] },
  { name: 'us' as GroupName, home: EU, firstShard: 2, shards: 1, regions: [EU] },
];
const CONFIGURATION: FoldConfiguration = configured('6', { groups: GROUPS });

const OPENED = { key: 'eu:ada', type: 'opened', data: { owner: 'Ada' } };
const write = (body: unknown): Read<WriteRequest> =>
  readWrite(typeof body === 'string' ? body : JSON.stringify(body), CONFIGURATION);

function accepted<T>(read: Read<T>): T {
  if (read.kind === 'refused') throw new Error(read.problem.detail);
  return read.value;
}

describe('a write that can be read', () => {
  test('its text is canonical, its shard and group are known, defaults are filled in', () => {
    const { entry, ack, timeoutMs } = accepted(write({ events: [OPENED] }));
    expect(entry).toEqual({
      events: [{ ...OPENED, v: 1, expectedVersion: null }],
      text: '[{"data":{"owner":"Ada"},"key":"eu:ada","type":"opened"}]',
      bytes: 57,
      partition: 1,
      group: GROUPS[0],
    });
    expect([ack, timeoutMs]).toEqual([null, 10_000]);
  });

  test('the same events in other words have the same text', () => {
    const one = accepted(write('{"events":[{"key":"eu:ada","type":"credited","data":{"amount":100}}]}'));
    const other = accepted(
      write('{ "events": [ {"data":{"amount":1e2},"v":1,"type":"credi\\u0074ed","key":"eu:ada"} ] }'),
    );
    expect(other.entry.text).toBe(one.entry.text);
  });

  test('the text decodes to the events that the fold will judge', () => {
    const { entry } = accepted(
      write({
        events: [
          { ...OPENED, expectedVersion: 0 },
          { ...OPENED, key: 'eu:ada/2', v: 2 },
        ],
      }),
    );
    expect(decodeEvents(entry.text)).toEqual(entry.events);
    expect(entry.events.map((event) => [event.expectedVersion, event.v])).toEqual([
      [0n, 1],
      [null, 2],
    ]);
  });

  test.each(['logged', 'accepted', 'quorum', 'everywhere'])(
    'a client may ask for %s, and name its time',
    (ack) => {
      expect(accepted(write({ events: [OPENED], ack, timeoutMs: 60_000 }))).toMatchObject({
        ack,
        timeoutMs: 60_000,
      });
    },
  );

  test('data that does not fit its schema is read: with a key only the fold may say so, because that binds the key', () => {
    const { entry } = accepted(write({ events: [OPENED, { ...OPENED, data: { owner: 1 } }] }));
    expect(checkSchemas(entry, CONFIGURATION)).toMatchObject({
      code: 'schema',
      status: 422,
      detail: 'events[1]: data.owner must be a string',
    });
    expect(checkSchemas(accepted(write({ events: [OPENED] })).entry, CONFIGURATION)).toBeNull();
  });
});

describe('a write that is refused', () => {
  const event = (changes: object): object => ({ events: [{ ...OPENED, ...changes }] });

  test.each<[string, unknown, string, number, RegExp]>([
    ['no JSON', '{"events":', 'malformed', 400, /not JSON/],
    ['a list', [], 'malformed', 400, /JSON object/],
    ['null', 'null', 'malformed', 400, /JSON object/],
    ['a name nobody knows', { events: [OPENED], acks: 'quorum' }, 'malformed', 400, /unknown name "acks"/],
    ['`__proto__`', '{"events":[],"__proto__":{}}', 'malformed', 400, /unknown name "__proto__"/],
    ['a name that stands twice', '{"events":[],"events":[]}', 'malformed', 400, /stands twice/],
    ['33 levels', `{"events":${'['.repeat(32)}${']'.repeat(32)}}`, 'malformed', 400, /32 levels/],
    [
      'a number that would be rounded',
      '{"events":[{"key":"eu:a","type":"credited","data":{"amount":9007199254740993}}]}',
      'malformed',
      400,
      /beyond 2\^53/,
    ],
    ['NUL in data', event({ data: { owner: '\u0000' } }), 'malformed', 400, /NUL/],
    ['no events', {}, 'malformed', 400, /"events" must be a list/],
    ['an empty list of events', { events: [] }, 'malformed', 400, /at least one event/],
    ['events that are no list', { events: OPENED }, 'malformed', 400, /"events" must be a list/],
    [
      'an event that is null',
      { events: [OPENED, null] },
      'malformed',
      400,
      /events\[1\]: an event must be an object/,
    ],
    [
      'an event with a name nobody knows',
      event({ version: 1 }),
      'malformed',
      400,
      /events\[0\]: unknown name "version"/,
    ],
    ['a key that is none', event({ key: 'ada' }), 'malformed', 400, /events\[0\]: "key" must be/],
    ['a key with a control character', event({ key: 'eu:a\n' }), 'malformed', 400, /"key" must be/],
    ['no data', event({ data: undefined }), 'malformed', 400, /"data" must be an object/],
    ['a type that is none', event({ type: 'Opened' }), 'malformed', 400, /"type" must be/],
    ['no type', event({ type: undefined }), 'malformed', 400, /"type" must be/],
    [
      'an expected version that is none',
      event({ expectedVersion: -1 }),
      'malformed',
      400,
      /"expectedVersion" must be/,
    ],
    [
      'an expected version of null',
      event({ expectedVersion: null }),
      'malformed',
      400,
      /"expectedVersion" must be/,
    ],
    ['a schema version that is none', event({ v: 0 }), 'malformed', 400, /"v" must be/],
    [
      'a stage that is none',
      { events: [OPENED], ack: 'done' },
      'malformed',
      400,
      /"ack" must be one of logged, accepted, quorum, everywhere/,
    ],
    [
      'stored, which only an outbox can give',
      { events: [OPENED], ack: 'stored' },
      'malformed',
      400,
      /"ack" must be/,
    ],
    ['no time', { events: [OPENED], timeoutMs: 0 }, 'malformed', 400, /between 1 and 60000/],
    ['too long a time', { events: [OPENED], timeoutMs: 60_001 }, 'malformed', 400, /between 1 and 60000/],
    ['a time with a fraction', { events: [OPENED], timeoutMs: 1.5 }, 'malformed', 400, /between 1 and 60000/],
    ['a time as text', { events: [OPENED], timeoutMs: '10' }, 'malformed', 400, /between 1 and 60000/],
    [
      'too many events',
      { events: Array.from({ length: 5 }, () => OPENED) },
      'too-large',
      413,
      /at most 4 events/,
    ],
    [
      'too many bytes, counted in UTF-8',
      event({ data: { owner: 'é'.repeat(2_048) } }),
      'too-large',
      413,
      /at most 4096 bytes/,
    ],
    [
      'a group that the dataset does not have',
      event({ key: 'ap:ada' }),
      'unknown-group',
      422,
      /"ap" is not a group; known are eu, us/,
    ],
    [
      'keys that live in two shards',
      { events: [OPENED, { ...OPENED, key: 'eu:foobar' }] },
      'several-shards',
      422,
      /accounts\/1 \(eu:ada\), accounts\/0 \(eu:foobar\)/,
    ],
    [
      'keys that live in three shards',
      { events: [OPENED, { ...OPENED, key: 'us:ada' }, { ...OPENED, key: 'eu:foobar' }] },
      'several-shards',
      422,
      /accounts\/1 \(eu:ada\), accounts\/2 \(us:ada\), accounts\/0 \(eu:foobar\)/,
    ],
  ])('%s', (_, body, code, status, detail) => {
    expect(write(body)).toEqual({
      kind: 'refused',
      problem: expect.objectContaining({ code, status, detail: expect.stringMatching(detail) }),
    });
  });

  test('exactly as many bytes as the limit are read', () => {
    const frame = '[{"data":{"owner":""},"key":"eu:ada","type":"opened"}]'.length;
    expect(write(event({ data: { owner: 'x'.repeat(4_096 - frame) } })).kind).toBe('read');
    expect(write(event({ data: { owner: 'x'.repeat(4_097 - frame) } })).kind).toBe('refused');
  });
});

describe('a batch', () => {
  const batch = (body: object): ReturnType<typeof readBatch> =>
    readBatch(JSON.stringify(body), CONFIGURATION);

  test('one bad entry does not refuse its neighbours: its place holds the problem', () => {
    const entries = [
      { events: [OPENED], idempotencyKey: 'k1' },
      { events: [] },
      null,
      { events: [OPENED], key: 'k' },
      { events: [OPENED], idempotencyKey: '' },
      { events: [{ ...OPENED, key: 'ap:x' }] },
      { events: [OPENED] },
    ];
    const { items, ack, timeoutMs } = accepted(batch({ entries, ack: 'logged', timeoutMs: 5 }));
    expect([ack, timeoutMs]).toEqual(['logged', 5]);
    expect(items[0]).toMatchObject({ idempotencyKey: 'k1', entry: { partition: 1 } });
    expect((items.slice(1, 6) as Problem[]).map(({ code, status }) => `${status} ${code}`)).toEqual([
      '400 malformed',
      '400 malformed',
      '400 malformed',
      '400 malformed',
      '422 unknown-group',
    ]);
    expect((items[4] as Problem).detail).toBe(
      'entries[4].idempotencyKey must be 1-128 printable ASCII characters',
    );
    expect(items[6]).toMatchObject({ idempotencyKey: null, entry: { partition: 1 } });
  });

  test('holds at most 1,000 entries', () => {
    const entries = Array.from({ length: BATCH_ENTRIES_MAX }, () => ({ events: [OPENED] }));
    expect(accepted(batch({ entries })).items).toHaveLength(1_000);
    expect(batch({ entries: [...entries, {}] })).toMatchObject({
      problem: { code: 'too-large', status: 413 },
    });
  });

  test.each<[string, object, RegExp]>([
    ['no entries', {}, /"entries" must be a list/],
    ['an empty list', { entries: [] }, /at least one entry/],
    ['a name nobody knows', { entries: [], events: [] }, /unknown name "events"/],
    ['a stage that is none', { entries: [{ events: [OPENED] }], ack: 'x' }, /"ack" must be/],
  ])('is refused as a whole: %s', (_, body, detail) => {
    expect(batch(body)).toMatchObject({
      kind: 'refused',
      problem: { code: 'malformed', detail: expect.stringMatching(detail) },
    });
  });
});

test.each<[unknown, boolean]>([
  ['k', true],
  [' ~', true],
  ['x'.repeat(128), true],
  ['x'.repeat(129), false],
  ['', false],
  ['a\n', false],
  ['a\u007f', false],
  ['ä', false],
  [null, false],
  [17, false],
])('an idempotency key is 1-128 printable ASCII characters: %j is one: %s', (value, is) => {
  expect(isIdempotencyKey(value)).toBe(is);
});
