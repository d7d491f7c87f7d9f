import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AGGREGATE, content, credited, LogBuilder, opened } from '../fold/fold.fixture.js';
import { offset, type DatasetName } from '../identity/identity.js';
import {
  decodeFeedPosition,
  encodeFeedPosition,
  feedShard,
  foldedPart,
  isHeld,
  touchedKeys,
  type FeedPosition,
} from './feed-position.js';

const positions: fc.Arbitrary<FeedPosition> = fc.record({
  dataset: fc.stringMatching(/^[a-z][a-z0-9_]{0,39}$/).map((name) => name as DatasetName),
  logId: fc.stringMatching(/^[0-9a-f]{32}$/),
  shards: fc.array(
    fc
      .tuple(fc.bigInt({ min: 0n, max: 10n ** 17n }), fc.bigInt({ min: 0n, max: 10n ** 6n }))
      .map(([next, ahead]) => feedShard(offset(next), ahead)),
    { minLength: 1, maxLength: 12, size: 'max' },
  ),
});

describe('a position of a feed', () => {
  test('reads back as it was', () => {
    fc.assert(
      fc.property(positions, (position) => {
        expect(decodeFeedPosition(encodeFeedPosition(position))).toEqual(position);
      }),
      { numRuns: 300 },
    );
  });

  test('with one character changed, lost or added is none', () => {
    fc.assert(
      fc.property(
        positions,
        fc.nat(),
        fc.constantFrom('change', 'lose', 'add'),
        fc.constantFrom(...'0123456789abcdef~;@+/z'),
        (position, where, how, character) => {
          const text = encodeFeedPosition(position);
          const at = where % text.length;
          const damaged =
            text.slice(0, at) + (how === 'lose' ? '' : character) + text.slice(how === 'add' ? at : at + 1);
          if (damaged !== text) expect(decodeFeedPosition(damaged)).toBeNull();
        },
      ),
      { numRuns: 500, seed: 1 },
    );
  });

  test('of any text is a position or null', () => {
    const near = fc.array(
      fc.constantFrom('1~', '~', 'a', '@', 'f'.repeat(32), '+', '5', '00', ';', '49ce5bbd'),
      { maxLength: 12, size: 'max' },
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          near.map((parts) => parts.join('')),
        ),
        (text) => {
          const position = decodeFeedPosition(text);
          expect(position === null || position.shards.length > 0).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test.each([
    [2n, false],
    [3n, true],
    [9n, true],
    [10n, false],
  ])('at offset %s of a log that holds 3 to 8: held is %s', (next, expected) => {
    const bounds = { startOffset: offset(3n), endOffset: offset(9n) };
    expect(isHeld(feedShard(offset(next)), bounds)).toBe(expected);
  });
});

describe('a chunk', () => {
  const log = new LogBuilder()
    .genesis(AGGREGATE)
    .data([opened('eu:ada'), credited(1, 'eu:ada')])
    .control({ kind: 'probe' })
    .data([credited(1, 'eu:bob'), credited(2, 'eu:ada')])
    .data([], { text: 'no JSON' })
    .record(null, null)
    .data([credited(1, 'us:eve'), credited(1, 'nowhere:1')]);
  const { groups } = content();

  test('names each key that its entries touch once, in their order; whatever else stands in a log names none', () => {
    expect(touchedKeys(log.records, 0, groups)).toEqual(['eu:ada', 'eu:bob']);
    expect(touchedKeys(log.records, 1, groups)).toEqual(['us:eve']);
    expect(touchedKeys(log.records.slice(2, 3), 0, groups)).toEqual([]);
  });

  test.each([
    [3n, 7n, 4, 4n],
    [6n, 7n, 7, 7n],
    [-1n, 7n, 0, 0n],
    // Markers behind the last record: the fold is not there, and nobody knows when it will be.
    [6n, 9n, 7, 7n],
    [20n, 9n, 7, 9n],
  ])(
    'folded through %s of a fetch that ends before %s: %s records, on from %s',
    (folded, next, count, on) => {
      const part = foldedPart({ records: log.records, nextOffset: offset(next) }, offset(folded));
      expect([part.records.length, part.nextOffset]).toEqual([count, on]);
    },
  );
});
