/**
 * What is mutated, in parts that are counted apart, each with the specs that must notice: those beside the code, not any
 * that use it further up.
 *
 * A part is run piece by piece, so that an interrupted run loses a few minutes at most. The rules for publishers stand
 * in the fold: by function, that part and `fold` share the file between them.
 */
const source = 'libs/protocol/src';

/** Session numbers, epochs and deadlines: what decides whether an appender is still heard. */
const publisher = ['judgeControl', 'count', 'sessionOf', 'sessionsAfter', 'isExpired'];
const judging = ['judge', 'fits', 'missingConfiguration'];
const folding = ['foldKnown', 'project', 'bind'];

/**
 * The specs of the fold but for its two slowest laws, which would take seconds for each of hundreds of changes: what
 * they alone would notice counts as not noticed.
 */
const foldSpecs = [
  `${source}/fold/fold.spec.ts`,
  `${source}/fold/fold-rules.spec.ts`,
  `${source}/fold/signed-entries.spec.ts`,
  `${source}/fold/effects-hash.prop.spec.ts`,
];
const fold = (functions) => ({ file: `${source}/fold/fold.ts`, specs: foldSpecs, ...functions });

/** A file and the specs of its name. */
const file = (folder, name) => ({
  file: `${source}/${folder}/${name}.ts`,
  specs: [`${source}/${folder}/${name}*.spec.ts`],
});

export const parts = {
  fold: [
    fold({ only: judging }),
    fold({ only: folding }),
    fold({ without: [...judging, ...folding, ...publisher] }),
    file('fold', 'row-operation'),
    file('fold', 'decoded-entry'),
    file('fold', 'plan'),
  ],
  record: [
    file('entry', 'header'),
    file('entry', 'body'),
    file('entry', 'canonical-json'),
    file('entry', 'digest'),
    file('entry', 'utf8'),
  ],
  ledger: [file('quorum', 'ledger'), file('quorum', 'rule')],
  publisher: [fold({ only: publisher }), file('fold', 'verdict')],
  control: [
    {
      file: `${source}/control/fold-control.ts`,
      specs: ['fold-control', 'snapshot', 'replay'].map((name) => `${source}/control/${name}*.spec.ts`),
    },
  ],
  moves: [file('promotion', 'decide-move'), file('promotion', 'preflight'), file('promotion', 'evacuation')],
};
