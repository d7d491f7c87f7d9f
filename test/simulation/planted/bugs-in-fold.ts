/** Planted in the fold. The judge folds the log by the same code: what it knows besides must find them. */
import type { PlantedBug } from './planted-bug.ts';

const FOLD = 'protocol/fold/fold';

export const BUGS_IN_FOLD: readonly PlantedBug[] = [
  {
    listed: 12,
    name: 'keys-known-to-gateways-only',
    defect: 'Each gateway remembers the keys that it has answered, and the fold none.',
    breaks: 'I8',
    profile: 'mixed',
    edits: [
      { module: FOLD, text: 'if (header.idempotency !== null) {', becomes: 'if (false) {' },
      {
        module: 'engine/gateway/writes',
        text: 'return this.pursue(attempt);',
        becomes: `const answers = (this.answers ??= new Map());
        const known = attempt.key === null ? undefined : answers.get(attempt.key.hash);
        if (known !== undefined) return known;
        const answer = this.pursue(attempt);
        if (attempt.key !== null) answers.set(attempt.key.hash, answer);
        return answer;`,
      },
    ],
  },
  {
    listed: 13,
    name: 'key-without-fingerprint',
    defect: 'A key is looked up without what was written under it.',
    breaks: 'I10',
    profile: 'calm',
    edits: [
      {
        module: FOLD,
        text: 'const same = outcome.fingerprint === null || outcome.fingerprint === header.idempotency.fingerprint;',
        becomes: 'const same = true;',
      },
    ],
  },
  {
    listed: 15,
    name: 'rows-in-order-of-reading',
    defect: 'The rows of an entry are folded in the order in which the database returned them.',
    breaks: 'I11',
    profile: 'mixed',
    edits: [
      {
        module: FOLD,
        text: 'for (const [key, state] of states) {',
        becomes: `const returned = [...this.answers.rows.keys()];
            const inOrder = [...states].sort(([x], [y]) => returned.indexOf(x) - returned.indexOf(y));
            for (const [key, state] of inOrder) {`,
      },
    ],
  },
  {
    listed: null,
    name: 'copies-taken-for-new',
    defect: 'An entry that stands in the log twice is folded twice.',
    breaks: 'I8',
    profile: 'log',
    edits: [{ module: FOLD, text: "return 'duplicate';", becomes: "return 'next';" }],
  },
  {
    listed: null,
    name: 'holes-passed-over',
    defect: 'A publisher goes on in a session that it gave up a batch of, and the fold passes over the hole.',
    breaks: 'I8',
    profile: 'log',
    edits: [
      { module: FOLD, text: "return next ? 'next' : 'hole';", becomes: "return 'next';" },
      { module: FOLD, text: 'last: next ? header.number : last,', becomes: 'last: header.number,' },
      { module: FOLD, text: 'holed: !next,', becomes: 'holed: false,' },
      {
        module: 'engine/publish/shard-publisher',
        text: '        }\n        this.beginSession();',
        becomes: '        }',
      },
    ],
  },
  {
    listed: 'B8',
    name: 'expected-version-ignored',
    defect: 'A write is accepted whatever version it expected.',
    breaks: 'I3',
    profile: 'calm',
    edits: [
      {
        module: FOLD,
        text: 'if (event.expectedVersion !== null && event.expectedVersion !== this.versionOf(event.key)) {',
        becomes: 'if (false) {',
      },
    ],
  },
  {
    listed: null,
    name: 'versions-from-before-the-batch',
    defect: 'Versions are compared with those of the store, not with what the same batch has made of them.',
    breaks: 'I3',
    profile: 'mixed',
    edits: [{ module: FOLD, text: 'this.versions.get(key) ?? ', becomes: '' }],
  },
  {
    listed: null,
    name: 'aggregates-from-before-the-batch',
    defect: 'An aggregate goes on from its row in the store, not from what the same batch has made of it.',
    breaks: 'I4',
    profile: 'mixed',
    edits: [{ module: FOLD, text: 'this.aggregates.get(key) ?? ', becomes: '' }],
  },
  {
    listed: null,
    name: 'half-an-entry',
    defect: 'Where one event of an entry is refused, the others take effect.',
    breaks: 'I4',
    profile: 'calm',
    edits: [
      {
        module: FOLD,
        text: 'if (state === null)\n                    return null;',
        becomes: 'if (state === null)\n                    continue;',
      },
    ],
  },
  {
    listed: null,
    name: 'last-change-only',
    defect: 'Of several changes to a row in one batch, only the last one is written.',
    breaks: 'I4',
    profile: 'mixed',
    edits: [
      {
        module: 'protocol/fold/row-operation',
        text: 'before === undefined ? operation : combine(before, operation)',
        becomes: 'operation',
      },
    ],
  },
  {
    listed: null,
    name: 'begun-twice',
    defect: 'A coordinator that does not see that its shard has begun begins it again, and the fold lets it.',
    breaks: 'I6',
    profile: 'calm',
    edits: [
      {
        module: FOLD,
        text: 'if (cursor.logIncarnation !== null)\n                return superseded;',
        becomes: '',
      },
      {
        module: 'protocol/position/establish',
        text: 'if (cursor.logIncarnation === null) {',
        becomes: 'if (cursor.sequence < 5n) {',
      },
    ],
  },
];
