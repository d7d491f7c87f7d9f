/**
 * What is mutated, in parts that are counted apart. A mutant must be noticed by the specs of its own folder, not by luck
 * further up.
 *
 * A part is run piece by piece, so that an interrupted run loses a few minutes at most. The rules for publishers stand
 * in the fold: by function, that part and `fold` share the file between them.
 */
const source = 'libs/protocol/src';

/** Session numbers, epochs and deadlines: what decides whether an appender is still heard. */
const publisher = ['judgeControl', 'count', 'sessionOf', 'sessionsAfter', 'isExpired'];
/**
 * The specs of the fold but for its two slowest, which would take seconds for each of hundreds of changes: what they
 * alone would notice counts as not noticed.
 */
const foldSpecs = [`${source}/fold/**/!(fold.prop|redelivery.prop).spec.ts`];

const judging = ['judge', 'project', 'fits', 'missingConfiguration'];

export const parts = {
  fold: {
    specs: foldSpecs,
    pieces: [
      { file: `${source}/fold/fold.ts`, only: judging },
      { file: `${source}/fold/fold.ts`, without: [...judging, ...publisher] },
      { file: `${source}/fold/row-operation.ts` },
      { file: `${source}/fold/decoded-entry.ts` },
      { file: `${source}/fold/plan.ts` },
    ],
  },
  record: {
    specs: [`${source}/entry/**/*.spec.ts`],
    pieces: [
      { file: `${source}/entry/header.ts` },
      { file: `${source}/entry/body.ts` },
      { file: `${source}/entry/canonical-json.ts` },
      { file: `${source}/entry/digest.ts` },
      { file: `${source}/entry/utf8.ts` },
    ],
  },
  ledger: {
    specs: [`${source}/quorum/**/*.spec.ts`],
    pieces: [{ file: `${source}/quorum/ledger.ts` }, { file: `${source}/quorum/rule.ts` }],
  },
  publisher: {
    specs: foldSpecs,
    pieces: [{ file: `${source}/fold/fold.ts`, only: publisher }, { file: `${source}/fold/verdict.ts` }],
  },
};
