import { describe, expect, test } from '@jest/globals';
import { sequence, shardName, type DatasetName, type KeyHash, type Verdict } from '@lockstep/protocol';
import {
  judgeOutbox,
  OUTBOX_FINDINGS,
  type CommittedTransaction,
  type OutboxHistory,
  type ToldTransaction,
} from './outbox-audit.js';
import type { LoggedEntry } from './refold.js';
import type { StoredRow } from './regional-state.js';

const DATASET = 'orders';
const SHARD = shardName(DATASET as DatasetName, 0);
const ROW = 'eu:served-1/0';
const OTHER = 'eu:served-1/1';

const keyOf = (name: string): KeyHash => name as KeyHash;

const logged = (at: number, name: string, row: string, verdict: Verdict = 'accepted'): LoggedEntry => ({
  shard: SHARD,
  sequence: sequence(BigInt(at)),
  verdict,
  keyHash: keyOf(name),
  id: `p:${at}`,
  events: [{ key: row, type: 'placed', v: 1, data: { customer: name, total: at }, expectedVersion: null }],
});

const stored = (at: number, name: string): StoredRow => ({
  version: sequence(BigInt(at)),
  columns: { customer: name, total: at, status: 'placed', carrier: null, reason: null },
});

const committed = (name: string, row: string, isTakenBack = false): CommittedTransaction => ({
  region: 'eu',
  key: keyOf(name),
  rows: [row],
  isTakenBack,
});

interface Run extends OutboxHistory {
  readonly told: Map<KeyHash, ToldTransaction>;
  readonly committed: CommittedTransaction[];
  readonly entries: LoggedEntry[];
  readonly regions: Map<
    string,
    {
      pending: KeyHash[];
      rowsPending: Set<string>;
      undone: { key: KeyHash; reason: Verdict | 'undone-before' }[];
      rows: Map<string, StoredRow>;
    }
  >;
}

/** Two transactions upon one row were accepted, one upon another was refused, and one was undone by a fence. */
function correctRun(): Run {
  const rows = (): Map<string, StoredRow> => new Map([[ROW, stored(3, 'second')]]);
  const none = { pending: [], rowsPending: new Set<string>(), undone: [] };
  return {
    dataset: DATASET,
    told: new Map(
      ['first', 'second', 'refused'].map(
        (name) => [keyOf(name), { region: 'eu', fate: 'committed' }] as const,
      ),
    ),
    committed: [
      committed('first', ROW),
      committed('second', ROW),
      committed('refused', OTHER),
      committed('fenced', OTHER),
    ],
    entries: [
      logged(1, 'first', ROW),
      logged(2, 'first', ROW, 'repeated'),
      logged(3, 'second', ROW),
      logged(4, 'refused', OTHER, 'schema'),
      logged(5, 'fenced', OTHER, 'fenced'),
    ],
    regions: new Map([
      [
        'eu',
        {
          pending: [],
          rowsPending: new Set(),
          undone: [
            { key: keyOf('refused'), reason: 'schema' },
            { key: keyOf('fenced'), reason: 'fenced' },
          ],
          rows: rows(),
        },
      ],
      ['us', { ...none, rows: rows() }],
    ]),
  };
}

const codesOf = (run: Run): readonly string[] => judgeOutbox(run).map(({ code }) => code);

describe('a run that kept every promise', () => {
  test('is accused of nothing', () => {
    expect(judgeOutbox(correctRun())).toEqual([]);
  });

  test('may have lost what its database lost, and have the log take it whenever it arrives', () => {
    const run = correctRun();
    run.committed.unshift(committed('gone', ROW, true), committed('late', ROW, true));
    run.entries.push(logged(6, 'late', ROW));
    for (const { rows } of run.regions.values()) rows.set(ROW, stored(6, 'late'));
    expect(codesOf(run)).toEqual([]);
  });

  test('may have in its log what was undone because of an entry before it', () => {
    const run = correctRun();
    run.committed.push(committed('upon', OTHER));
    run.regions.get('eu')!.undone.push({ key: keyOf('upon'), reason: 'undone-before' });
    run.entries.push(logged(6, 'upon', OTHER));
    for (const { rows } of run.regions.values()) rows.set(OTHER, stored(6, 'upon'));
    expect(codesOf(run)).toEqual([]);
  });

  test('may have rows that differ where something is pending', () => {
    const run = correctRun();
    run.committed.push(committed('waiting', ROW));
    const eu = run.regions.get('eu')!;
    eu.pending.push(keyOf('waiting'));
    eu.rowsPending.add(ROW);
    eu.rows.set(ROW, stored(3, 'waiting'));
    expect(codesOf(run)).toEqual([]);
  });
});

const defects: readonly (readonly [keyof typeof OUTBOX_FINDINGS, string, (run: Run) => void])[] = [
  ['outbox-lost', 'nobody has it', (run) => run.committed.push(committed('lost', OTHER))],
  [
    'outbox-lost',
    'only an attempt stands in the log',
    (run) => {
      run.committed.push(committed('lost', OTHER));
      run.entries.push(logged(6, 'lost', OTHER, 'hole'));
    },
  ],
  [
    'outbox-not-stored',
    'told, and not there',
    (run) => run.told.set(keyOf('nowhere'), { region: 'eu', fate: 'committed' }),
  ],
  ['outbox-twice', 'accepted again', (run) => run.entries.push(logged(6, 'second', ROW))],
  [
    'outbox-phantom',
    'rolled back, and in the log',
    (run) => {
      run.told.set(keyOf('rolled back'), { region: 'eu', fate: 'rolled-back' });
      run.entries.push(logged(6, 'rolled back', OTHER, 'schema'));
    },
  ],
  [
    'outbox-phantom',
    'in the quarantine of another region',
    (run) => run.regions.get('us')!.undone.push({ key: keyOf('fenced'), reason: 'fenced' }),
  ],
  [
    'quarantine-untrue',
    'undone by a fence, and accepted',
    (run) => run.regions.get('eu')!.undone.push({ key: keyOf('first'), reason: 'fenced' }),
  ],
  [
    'quarantine-untrue',
    'undone by a verdict that nobody gave',
    (run) => (run.regions.get('eu')!.undone[0]!.reason = 'expired'),
  ],
  ['outbox-order', 'the later one stands first', (run) => run.committed.reverse()],
  [
    'outbox-rows-differ',
    'a row was left tentative',
    (run) => run.regions.get('eu')!.rows.set(ROW, stored(3, 'x')),
  ],
  ['outbox-rows-differ', 'a row is missing', (run) => run.regions.get('us')!.rows.delete(ROW)],
  [
    'outbox-rows-differ',
    'what was undone is still there',
    (run) => run.regions.get('eu')!.rows.set(OTHER, stored(0, 'fenced')),
  ],
];

describe('a planted defect is found and named', () => {
  test.each(defects)('%s: %s', (code, _title, plant) => {
    const run = correctRun();
    plant(run);
    const found = judgeOutbox(run).find((finding) => finding.code === code);
    expect(found).toMatchObject(OUTBOX_FINDINGS[code]);
    expect(found!.count).toBeGreaterThanOrEqual(found!.examples.length);
  });

  test('every code has a defect here', () => {
    expect(new Set(defects.map(([code]) => code))).toEqual(new Set(Object.keys(OUTBOX_FINDINGS)));
  });
});
