/** The law of the effects hash: it is what the specification says, whatever the log says (I11). */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ColumnContent } from '../configuration/content.js';
import { Absorber, hashToHex, type Hash128 } from '../entry/digest.js';
import {
  ACCOUNT_COLUMNS,
  AGGREGATE,
  configured,
  event,
  FoldedRegion,
  LogBuilder,
  ROWS,
  ROWS_PROJECTION,
} from './fold.fixture.js';
import type { FoldedEntry } from './fold.js';
import { build, logs } from './random-log.fixture.js';
import { VERDICTS } from './verdict.js';

/** The effects hash as the specification describes it. */
function effectsHashAfter(
  before: Hash128,
  { verdict, operations }: FoldedEntry,
  columns: readonly ColumnContent[],
): Hash128 {
  const absorber = new Absorber(before);
  absorber.word(VERDICTS.indexOf(verdict));
  for (const operation of operations) {
    absorber.text(operation.key);
    if (operation.kind === 'delete') absorber.word(0);
    else {
      columns.forEach(({ name }, index) => {
        const column = operation.columns.get(name);
        if (column === undefined) return;
        const { kind, value } = column;
        absorber.word(index + 1);
        absorber.text(kind);
        absorber.text(value === null ? null : `${typeof value}:${value}`);
      });
    }
  }
  return absorber.finish();
}

test.each([
  ['an aggregate', AGGREGATE],
  ['rows', ROWS],
])(
  '%s: the effects hash takes one step per record, over its verdict and operations (I11)',
  (_, projection) => {
    fc.assert(
      fc.property(logs, (steps) => {
        const region = new FoldedRegion();
        for (const entry of build(steps, projection)) {
          const before = region.cursor;
          region.apply([entry]);
          const columns =
            before.configuration === ROWS.hash ? ROWS.content.projection.columns : ACCOUNT_COLUMNS;
          const expected = effectsHashAfter(before.effectsHash, region.folded.at(-1)!, columns);
          expect(hashToHex(region.cursor.effectsHash)).toBe(hashToHex(expected));
        }
      }),
      { numRuns: 30 },
    );
  },
);

test('a column that becomes null counts as null', () => {
  const schema = { type: 'object', required: [], properties: {}, additionalProperties: false } as const;
  const nameless = configured('9', {
    projection: {
      kind: 'rows',
      version: 1,
      table: 'accounts',
      columns: ROWS_PROJECTION.columns,
      reducer: { opened: { set: { owner: null } } },
    },
    events: [{ type: 'opened', version: 1, schema }],
  });
  const log = new LogBuilder().genesis(nameless).data([event('opened', {})]);
  const region = new FoldedRegion([nameless]).applyAll(log.entries().slice(0, 1));
  const before = region.cursor.effectsHash;
  region.applyAll(log.entries().slice(1));
  expect(region.folded[1]!.operations).toHaveLength(1);
  const expected = effectsHashAfter(before, region.folded[1]!, nameless.content.projection.columns);
  expect(hashToHex(region.cursor.effectsHash)).toBe(hashToHex(expected));
});
