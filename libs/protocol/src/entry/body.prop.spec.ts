/** Laws of bodies: printing and reading are inverse, and no text makes a decoder throw. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { sequence } from '../identity/identity.js';
import {
  controlText,
  decodeControl,
  decodeEvents,
  eventsText,
  type ControlKind,
  type EntryEvent,
} from './body.js';

const CONTROL_KINDS: readonly ControlKind[] = [
  'genesis',
  'fence',
  'configuration',
  'rule',
  'term',
  'probe',
  'settle',
  'degrade',
];

const events: fc.Arbitrary<readonly EntryEvent[]> = fc.array(
  fc.record({
    key: fc.constantFrom('eu:a', 'eu:book/😀', `us-west:${'x'.repeat(200)}`),
    type: fc.stringMatching(/^[a-z][a-z0-9-]{0,63}$/),
    v: fc.oneof(
      fc.constant(1),
      fc.maxSafeNat().filter((v) => v > 0),
    ),
    data: fc
      .dictionary(fc.string(), fc.jsonValue())
      .map((data) => JSON.parse(JSON.stringify(data)) as object),
    expectedVersion: fc.option(fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }).map(sequence)),
  }),
  { minLength: 1, maxLength: 4 },
);

/** JSON with our names in it, so that it comes near. */
const part = fc.oneof(
  fc.constantFrom<unknown>(
    'eu:a',
    'opened',
    'eu',
    'a'.repeat(32),
    'c'.repeat(64),
    0,
    1,
    2,
    -1,
    0.5,
    null,
    {},
    [],
    true,
  ),
  fc.jsonValue({ maxDepth: 1 }),
);
const NAMES = [
  'key',
  'type',
  'v',
  'data',
  'expectedVersion',
  'logIncarnation',
  'home',
  'configuration',
  'expectedEpoch',
  'epoch',
  'term',
  'decision',
  'expected',
  'deadlineMs',
  '__proto__',
];
const near = fc
  .dictionary(fc.constantFrom(...NAMES), part, { maxKeys: 6 })
  .map((object) => JSON.stringify(object));
const texts = fc.oneof(
  fc.string(),
  near,
  fc.array(near, { maxLength: 3 }).map((all) => `[${all.join(',')}]`),
);

test('events are read as they were printed', () => {
  fc.assert(
    fc.property(events, (written) => {
      expect(decodeEvents(eventsText(written))).toEqual(written);
    }),
    { numRuns: 300 },
  );
});

test('any text is events that print and read as the same events, or null', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const read = decodeEvents(text);
      if (read !== null) expect(decodeEvents(eventsText(read))).toEqual(read);
    }),
    { numRuns: 500 },
  );
});

test('any text is a control body that prints and reads as the same body, or null', () => {
  fc.assert(
    fc.property(texts, fc.constantFrom(...CONTROL_KINDS), (text, kind) => {
      const read = decodeControl(kind, text);
      if (read !== null) expect(decodeControl(kind, controlText(read))).toEqual(read);
    }),
    { numRuns: 500 },
  );
});

test('10^5 levels of nesting are an answer, not an overflow', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  expect(decodeEvents(deep)).toBeNull();
  expect(decodeEvents(`[{"key":"eu:a","type":"t","data":{"x":${deep}}}]`)).toHaveLength(1);
  for (const kind of CONTROL_KINDS) expect(decodeControl(kind, deep)).toBeNull();
});
