/**
 * What became of the transactions of services (design section 6): each that was committed has one effect in all regions, or
 * was undone and stands in the quarantine of its region; none that was rolled back has any; entries of one row stand in
 * the log in the order of their transactions; and every row is what the log says, at home too.
 */
import type { KeyHash, Sequence, Verdict } from '@lockstep/protocol';
import { FindingList } from './finding.js';
import type { LoggedEntry } from './refold.js';
import { expectedRows, judgeRow, type StoredRow } from './regional-state.js';

/** What a service was told. `rolled-back`: it never asked for a commit, or was refused. */
export interface ToldTransaction {
  readonly region: string;
  readonly fate: 'committed' | 'rolled-back' | 'unknown';
}

/** A transaction that a database has committed. */
export interface CommittedTransaction {
  readonly region: string;
  readonly key: KeyHash;
  readonly rows: readonly string[];
  /** The database went back to before it: where nothing of it was sent by then, nobody has it any more. */
  readonly isTakenBack: boolean;
}

/** An outbox when all has come to rest. */
export interface OutboxAtRest {
  readonly pending: readonly KeyHash[];
  /** Left out of what is compared. */
  readonly rowsPending: ReadonlySet<string>;
  readonly undone: readonly { readonly key: KeyHash; readonly reason: Verdict | 'undone-before' }[];
  /** Those that services write, by key. */
  readonly rows: ReadonlyMap<string, StoredRow>;
}

export interface OutboxHistory {
  readonly dataset: string;
  readonly told: ReadonlyMap<KeyHash, ToldTransaction>;
  /** Of each region in the order of its commits. */
  readonly committed: readonly CommittedTransaction[];
  readonly regions: ReadonlyMap<string, OutboxAtRest>;
  /** What the log has of them, in its order, whatever the verdicts. */
  readonly entries: readonly LoggedEntry[];
}

export const OUTBOX_FINDINGS = {
  'outbox-lost': {
    invariant: 'I7',
    sentence: 'A transaction that was committed has no effect, and does not stand in quarantine.',
  },
  'outbox-not-stored': {
    invariant: 'I7',
    sentence: 'A service was told that its transaction was committed, and no database has committed it.',
  },
  'outbox-twice': {
    invariant: 'I8',
    sentence: 'A transaction took effect more than once.',
  },
  'outbox-phantom': {
    invariant: 'I8',
    sentence: 'The log or a quarantine holds an entry of a transaction that was never committed.',
  },
  'quarantine-untrue': {
    invariant: 'I9',
    sentence: 'An entry stands in quarantine as undone, and the log says otherwise of it.',
  },
  'outbox-order': {
    invariant: 'I1',
    sentence: 'Two transactions changed one row, and the later one stands in the log before the earlier one.',
  },
  'outbox-rows-differ': {
    invariant: 'I4',
    sentence: 'A row upon which nothing is pending is not what the log says of it.',
  },
} as const satisfies { readonly [code: string]: { readonly invariant: string; readonly sentence: string } };

type Code = keyof typeof OUTBOX_FINDINGS;

export interface OutboxFinding {
  readonly code: Code;
  readonly invariant: string;
  readonly sentence: string;
  readonly count: number;
  /** The first ones. */
  readonly examples: readonly object[];
}

const EXAMPLES_MAX = 5;

export function judgeOutbox(history: OutboxHistory): readonly OutboxFinding[] {
  const found = new Map<Code, object[]>();
  const add: Add = (code, example) => found.set(code, [...(found.get(code) ?? []), example]);
  const logged = new Map<KeyHash, LoggedEntry[]>();
  for (const entry of history.entries) {
    if (entry.keyHash === null) continue;
    const known = logged.get(entry.keyHash);
    if (known === undefined) logged.set(entry.keyHash, [entry]);
    else known.push(entry);
  }
  judgeFates(history, logged, add);
  judgeOrder(history, logged, add);
  judgeRows(history, add);
  return [...found].map(([code, examples]) => ({
    code,
    ...OUTBOX_FINDINGS[code],
    count: examples.length,
    examples: examples.slice(0, EXAMPLES_MAX),
  }));
}

type Add = (code: Code, example: object) => void;
type Logged = ReadonlyMap<KeyHash, readonly LoggedEntry[]>;

const acceptedOf = (logged: Logged, key: KeyHash): readonly LoggedEntry[] =>
  (logged.get(key) ?? []).filter(({ verdict }) => verdict === 'accepted');

const places = (entries: readonly LoggedEntry[]): readonly string[] =>
  entries.map(({ sequence, shard, verdict }) => `${shard} ${sequence} ${verdict}`);

function judgeFates({ committed, regions, told }: OutboxHistory, logged: Logged, add: Add): void {
  const stored = new Map(committed.map((one) => [one.key, one]));
  for (const [key, { fate, region }] of told)
    if (fate === 'committed' && !stored.has(key)) add('outbox-not-stored', { region, key });
  for (const [key, entries] of logged) {
    if (!stored.has(key)) add('outbox-phantom', { key, entries: places(entries) });
    const accepted = acceptedOf(logged, key);
    if (accepted.length > 1) add('outbox-twice', { key, entries: places(accepted) });
  }
  for (const [key, { isTakenBack, region }] of stored) {
    const { pending, undone } = regions.get(region)!;
    const isKept = undone.some((one) => one.key === key) || pending.includes(key);
    if (!isTakenBack && !isKept && acceptedOf(logged, key).length === 0)
      add('outbox-lost', { region, key, entries: places(logged.get(key) ?? []) });
  }
  for (const [region, { undone }] of regions) {
    for (const { key, reason } of undone) {
      if (stored.get(key)?.region !== region) add('outbox-phantom', { region, key, reason });
      // Of what was made on rows of an entry that was undone the log may have taken some: those stand as another region's do.
      if (reason !== 'undone-before' && acceptedOf(logged, key).length > 0)
        add('quarantine-untrue', { region, key, reason, entries: places(acceptedOf(logged, key)) });
      const isJudged = reason === 'undone-before' || reason === 'fenced';
      if (!isJudged && !(logged.get(key) ?? []).some(({ verdict }) => verdict === reason))
        add('quarantine-untrue', { region, key, reason, entries: places(logged.get(key) ?? []) });
    }
  }
}

/** Of those that a database lost the order is lost as well: what was sent of them may arrive at any time. */
function judgeOrder({ committed }: OutboxHistory, logged: Logged, add: Add): void {
  const last = new Map<string, { readonly key: KeyHash; readonly sequence: Sequence }>();
  for (const { isTakenBack, key, region, rows } of committed) {
    const [accepted] = acceptedOf(logged, key);
    if (isTakenBack || accepted === undefined) continue;
    const { sequence } = accepted;
    for (const row of rows) {
      const before = last.get(`${region} ${row}`);
      if (before !== undefined && before.sequence >= sequence)
        add('outbox-order', {
          region,
          row,
          earlier: `${before.key} at ${before.sequence}`,
          later: `${key} at ${sequence}`,
        });
      else last.set(`${region} ${row}`, { key, sequence });
    }
  }
}

function judgeRows({ dataset, entries, regions }: OutboxHistory, add: Add): void {
  const accepted = entries.filter(({ verdict }) => verdict === 'accepted');
  const expected = expectedRows(accepted, new FindingList()).get(dataset) ?? new Map();
  for (const [region, { rows, rowsPending }] of regions) {
    const found = new FindingList();
    for (const [key, row] of expected)
      if (!rowsPending.has(key)) judgeRow(region, dataset, key, row, rows.get(key), found);
    for (const { code, examples } of found.all())
      for (const example of examples) add('outbox-rows-differ', { code, ...example });
    for (const [key, { version }] of rows)
      if (!expected.has(key) && !rowsPending.has(key))
        add('outbox-rows-differ', { code: 'row-phantom', region, keys: [key], sequence: Number(version) });
  }
}
