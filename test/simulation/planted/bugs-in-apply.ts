/** Planted where a region applies the log: cursor, commit, what is told of it, leases, and taking up again. */
import type { PlantedBug } from './planted-bug.ts';

const LANE = 'engine/apply/lane';
const BATCH = 'engine/apply/batch';

export const BUGS_IN_APPLY: readonly PlantedBug[] = [
  {
    listed: 1,
    name: 'told-before-commit',
    defect: 'Verdicts and watermarks are told before the store has committed.',
    breaks: 'I7',
    profile: 'store',
    edits: [
      {
        module: LANE,
        text: 'const committing = this.commit(store, works);',
        becomes: `for (const { line, batch, folded } of works)
          this.tell({ ...line, state: batch.state }, folded.filter(isTold).map((one) => toTold(one, clock.nowMs())));
        const committing = this.commit(store, works);`,
      },
    ],
  },
  {
    listed: 4,
    name: 'lost-commit-taken-for-done',
    defect: 'Nobody looks at whether the compare-and-set of a commit found its row.',
    breaks: 'I7',
    profile: 'process',
    edits: [{ module: LANE, text: "if (result.kind === 'committed')", becomes: 'if (true)' }],
  },
  {
    listed: 6,
    name: 'place-before-effects',
    defect: 'The place in the log is committed by itself, before the effects.',
    breaks: 'I4',
    profile: 'store',
    edits: [
      {
        module: LANE,
        text: 'const result = await store.commit({',
        becomes: `const place = await store.commit({ table, rows: [], shards: works.map(({ line, before, batch }) => ({
          shard: line.shard, lease: line.lease.number, cursor: batch.state.cursor,
          expectedOffset: before.cursor.offset, expectedSequence: before.cursor.sequence,
          sessions: batch.sessions, outcomes: batch.outcomes, fenced: [] })) });
        const result = place.kind === 'lost' ? place : await store.commit({`,
      },
      {
        module: LANE,
        text: 'expectedOffset: before.cursor.offset,',
        becomes: 'expectedOffset: batch.state.cursor.offset,',
      },
      {
        module: LANE,
        text: 'expectedSequence: before.cursor.sequence,',
        becomes: 'expectedSequence: batch.state.cursor.sequence,',
      },
    ],
  },
  {
    listed: null,
    name: 'effects-before-place',
    defect: 'The effects are committed by themselves, before the place in the log.',
    breaks: 'I11',
    profile: 'store',
    edits: [
      {
        module: LANE,
        text: 'const result = await store.commit({',
        becomes: `const effects = await store.commit({ table, rows: mergeRows(works.map(({ batch }) => batch.rows)),
          shards: works.map(({ line, before }) => ({
          shard: line.shard, lease: line.lease.number, cursor: before.cursor,
          expectedOffset: before.cursor.offset, expectedSequence: before.cursor.sequence,
          sessions: [], outcomes: [], fenced: [] })) });
        const result = effects.kind === 'lost' ? effects : await store.commit({`,
      },
    ],
  },
  {
    listed: 7,
    name: 'seek-ignored',
    defect: 'After a failure reading goes on from where it was, not from the place that the store has.',
    breaks: 'I2',
    profile: 'store',
    edits: [
      {
        module: LANE,
        text: 'line.nextOffset = resume.from;',
        becomes: 'if (line.nextOffset === 0n) line.nextOffset = resume.from;',
      },
    ],
  },
  {
    listed: 14,
    name: 'wall-clock-in-fold',
    defect: 'Entries are judged by the clock of the process that folds them.',
    breaks: 'I3',
    profile: 'process',
    edits: [
      {
        module: LANE,
        text: 'foldEntries(fold, entries);',
        becomes: `foldEntries(fold, entries.map((entry) => ({
          ...entry,
          record: { ...entry.record, appendTimeMs: clock.nowMs() },
          header: entry.header && { ...entry.header, publisherClockMs: clock.nowMs() },
        })));`,
      },
    ],
  },
  {
    listed: 16,
    name: 'poison-skipped-here',
    defect: 'A region whose database refuses the effects of a batch goes on without them.',
    breaks: 'I4',
    profile: 'store',
    edits: [
      {
        module: LANE,
        text: "if (error.code !== 'effects-refused')",
        becomes: `if (error.disposition === 'retryable' && works.some(({ batch }) => batch.rows.length > 0))
          return this.commit(store, works.map((work) => ({ ...work, batch: { ...work.batch, rows: [] } })));
        if (error.code !== 'effects-refused')`,
      },
    ],
  },
  {
    listed: 17,
    name: 'memory-before-commit',
    defect: 'What is known of a shard in memory moves on before the commit, and stays when it fails.',
    breaks: 'I7',
    profile: 'store',
    edits: [
      {
        module: LANE,
        text: 'const committing = this.commit(store, works);',
        becomes: `for (const work of works) {
          const { line, batch, folded } = work;
          line.standing = this.standingAfter(work);
          line.state = batch.state;
          line.pending -= folded.length;
        }
        const committing = this.commit(store, works);`,
      },
      { module: LANE, text: '            line.pending -= folded.length;', becomes: '' },
      {
        module: LANE,
        text: "            if (line.phase.kind === 'applying')\n                this.restart(line);",
        becomes: 'void line;',
      },
    ],
  },
  {
    listed: 18,
    name: 'resumed-one-too-far',
    defect: 'A shard is taken up again one record behind the next one.',
    breaks: 'I2',
    profile: 'store',
    edits: [
      {
        module: 'protocol/position/resume',
        text: 'if (same)',
        becomes: "if (same) return { kind: 'resume', from: offset(next + 1n) };\n    if (same)",
      },
    ],
  },
  {
    listed: 23,
    name: 'unknown-commit-repeated',
    defect: 'A commit whose answer was lost is taken for rolled back, and is sent once more as it was.',
    breaks: 'I4',
    profile: 'store',
    heldBy: 'the compare-and-set: the second one is lost, and cursors are read again',
    edits: [
      {
        module: LANE,
        text: "if (error.disposition === 'unknown') {",
        becomes: `if (error.disposition === 'unknown') {
          return this.commit(await this.options.openStore(), works);`,
      },
    ],
  },
  {
    listed: 'B37',
    name: 'unknown-commit-taken-for-done',
    defect: 'A commit whose answer was lost is taken for done.',
    breaks: 'I7',
    profile: 'store',
    edits: [
      {
        module: LANE,
        text: "if (error.disposition === 'unknown') {",
        becomes: "if (error.disposition === 'unknown') {\n                return true;",
      },
    ],
  },
  {
    listed: null,
    name: 'rows-of-one-shard-only',
    defect:
      'Of the shards that one transaction commits together, only the rows of the first one are written.',
    breaks: 'I4',
    profile: 'calm',
    edits: [{ module: BATCH, text: 'return parts.flat().sort(', becomes: 'return parts[0].slice().sort(' }],
  },
  {
    listed: null,
    name: 'shard-in-two-batches',
    defect: 'A helper takes entries of shards that the applier has under way.',
    breaks: 'I20',
    profile: 'mixed',
    edits: [{ module: LANE, text: 'return (shard) => !shards.has(shard);', becomes: 'return () => true;' }],
  },
  {
    listed: null,
    name: 'helper-not-awaited',
    defect: 'Cursors are read again while a batch of the helper is still on its way to the store.',
    breaks: 'I4',
    profile: 'store',
    edits: [{ module: LANE, text: 'await this.helperRests.opened();', becomes: '' }],
  },
  {
    listed: null,
    name: 'sessions-not-stored',
    defect: 'What the fold knows of publishers is not committed with the rest.',
    breaks: 'I8',
    profile: 'calm',
    edits: [{ module: LANE, text: 'sessions: batch.sessions,', becomes: 'sessions: [],' }],
  },
  {
    listed: null,
    name: 'outcomes-not-stored',
    defect: 'The outcomes of keys are not committed with the rest.',
    breaks: 'I10',
    profile: 'calm',
    edits: [{ module: LANE, text: 'outcomes: batch.outcomes,', becomes: 'outcomes: [],' }],
  },
  {
    listed: null,
    name: 'copy-told',
    defect: 'The verdict of a copy is told as if it were the answer of its entry, which is sent once more.',
    breaks: 'I8',
    profile: 'mixed',
    edits: [{ module: 'engine/apply/fold-entries', text: "one.verdict !== 'duplicate' && ", becomes: '' }],
  },
  {
    listed: 'B25',
    name: 'dead-reader',
    defect: 'After a failed fetch the reader that failed is kept.',
    breaks: 'I20',
    profile: 'log',
    edits: [
      {
        module: LANE,
        text: 'await reader?.close().catch(() => undefined);\n                reader = null;',
        becomes: '',
      },
    ],
  },
  {
    listed: null,
    name: 'new-life-unnoticed',
    defect: 'Of two lanes, one does not notice that the other one began a new life of the store.',
    breaks: 'I20',
    profile: 'store',
    needs: ({ datasets, faults }) =>
      datasets.length > 1 && faults.some(({ kind }) => kind === 'store-restored'),
    heldBy:
      'the copy of what was told: a lane that is at work learns there that its life is over, and begins one that is later still',
    edits: [{ module: 'engine/apply/lease-keeper', text: 'if (isNew)', becomes: 'if (false)' }],
  },
  {
    listed: 'B42',
    name: 'restored-store-votes',
    defect: 'A store that was put back to an earlier copy goes on as if nothing had been.',
    breaks: 'I12',
    profile: 'store',
    edits: [
      {
        module: 'protocol/position/standing',
        text: 'return { standing: standingAt(cursor, incarnation, told), wentBack };',
        becomes: 'return { standing: COUNTS, wentBack: false };',
      },
    ],
  },
  {
    listed: 'B21',
    name: 'silent-reset',
    defect: 'Where retention has passed the place of a region, it goes on from the start of the log.',
    breaks: 'I11',
    profile: 'beyond',
    edits: [
      {
        module: 'protocol/position/resume',
        text: "return { kind: 'halt', halt: { code: 'retention-overrun', detail } };",
        becomes: "return { kind: 'resume', from: log.startOffset };",
      },
    ],
  },
  {
    listed: null,
    name: 'another-log-read-on',
    defect: 'A region reads on in a log that is not the one that it has folded.',
    breaks: 'I11',
    profile: 'beyond',
    edits: [
      {
        module: 'protocol/position/resume',
        text: "return { kind: 'halt', halt: { code: 'log-replaced', detail } };",
        becomes: "return { kind: 'resume', from: next };",
      },
    ],
  },
];
