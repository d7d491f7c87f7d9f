/**
 * Judges a run: its history against the log, folded again, and the databases of all regions. Pure and linear; it awaits
 * nothing and knows no product code but the words of the protocol.
 *
 * A history in which little happened is no finding: the summary says how much was accepted, ambiguous and disturbed, and
 * whoever reads it decides whether that was worth something. Only a run without one accepted operation is a finding.
 */
import { FindingList, type Finding } from './finding.js';
import type { HistoryLine } from './history.js';
import { isDefinite, openWrites, readRun, type RunHistory } from './operations.js';
import { judgeExpectedVersions, judgeRealTime } from './order-in-shards.js';
import type { RefoldedLog } from './refold.js';
import { judgeCursors, judgeRows, tookEffect, type RegionalState } from './regional-state.js';
import { standingOf, type AskedAgain, type Standing } from './standing.js';
import { judgeTold } from './told-answers.js';

export interface JudgedRun {
  readonly lines: readonly HistoryLine[];
  /** By the ordinal of the write's first operation: what the gateways said when they were asked once more. */
  readonly asked: ReadonlyMap<number, AskedAgain>;
  readonly log: RefoldedLog;
  readonly regions: ReadonlyMap<string, RegionalState>;
  /** What kept the cluster from coming to rest; empty when it did. */
  readonly unrest: readonly string[];
  /** The hash under which the log carries an idempotency key. */
  readonly keyHash: (key: string) => string;
}

export interface Judgement {
  readonly summary: RunSummary;
  readonly findings: readonly Finding[];
}

type Counts = { readonly [name: string]: number };

export interface RunSummary {
  readonly run: string | null;
  readonly seed: number | null;
  readonly operations: {
    readonly asked: number;
    readonly accepted: number;
    readonly logged: number;
    readonly failed: number;
    readonly open: number;
  };
  /** By the code that was told. */
  readonly failures: Counts;
  readonly repeats: number;
  /** Repeats that the gateway itself recognised. */
  readonly replayed: number;
  readonly wrongVersions: number;
  readonly faults: Counts;
  /** Writes whose end no answer told, and what became of them. */
  readonly unknown: {
    readonly tookEffect: number;
    readonly withoutEffect: number;
    /** Of all of them: nobody knows a key to ask by, so that only the log could tell. */
    readonly keyless: number;
  };
  /** Entries and events of the run that the fold accepted. */
  readonly entries: number;
  readonly events: number;
  /** Verdicts over the whole log, by dataset; copies are `duplicate` and `repeated`. */
  readonly verdicts: { readonly [dataset: string]: Counts };
  readonly rows: Counts;
  readonly shards: number;
  readonly regions: readonly string[];
  /** What a reader should not take for shown. */
  readonly remarks: readonly string[];
}

export function judge({ lines, asked, log, regions, unrest, keyHash }: JudgedRun): Judgement {
  const history = readRun(lines);
  const standing = standingOf(history, log, asked, keyHash);
  const found = new FindingList();
  for (const op of history.broken) found.add('history-broken', { operations: [op] });
  if (history.run === null) found.add('history-broken', { detail: 'the first line is missing' });
  const accepted = log.entries.filter(({ verdict }) => verdict === 'accepted');
  if (accepted.length === 0 || !standing.writes.some(tookEffect)) {
    found.add('nothing-accepted', { detail: `${history.operations.size} operations` });
  }
  for (const detail of unrest) found.add('not-quiet', { detail });
  judgeTold(history, standing, found);
  judgeRealTime(history, standing, found);
  judgeExpectedVersions(log, found);
  judgeRows(log, standing, regions, found);
  const shards = judgeCursors(log, regions, found);
  const summary = {
    ...summaryOf(history, standing, log),
    entries: accepted.length,
    events: accepted.reduce((sum, { events }) => sum + events.length, 0),
    rows: Object.fromEntries([...regions].map(([region, { rows }]) => [region, rowCount(rows)])),
    shards,
    regions: [...regions.keys()],
  };
  return { summary, findings: found.all() };
}

const rowCount = (rows: RegionalState['rows']): number =>
  [...rows.values()].reduce((sum, { size }) => sum + size, 0);

function summaryOf(
  history: RunHistory,
  standing: Standing,
  log: RefoldedLog,
): Omit<RunSummary, 'entries' | 'events' | 'rows' | 'shards' | 'regions'> {
  const operations = [...history.operations.values()];
  const ended = (type: 'ok' | 'fail'): typeof operations =>
    operations.filter(({ end }) => end?.type === type);
  const accepted = ended('ok').filter(({ end }) => isDefinite(end?.receipt)).length;
  const failed = ended('fail');
  const unknown = openWrites(history.writes);
  const effective = unknown.filter(({ operations: [first] }) =>
    tookEffect(standing.byOperation.get(first!.invoke.op)!),
  );
  const faults = counted(history.faults.map(({ f }) => f));
  const verdicts: Record<string, Record<string, number>> = {};
  for (const [shard, refolded] of log.shards) {
    const counts = (verdicts[shard.slice(0, shard.indexOf('/'))] ??= {});
    for (const [verdict, count] of refolded.verdicts) counts[verdict] = (counts[verdict] ?? 0) + count;
  }
  const open = operations.length - ended('ok').length - failed.length;
  return {
    run: history.run?.run ?? null,
    seed: history.run?.seed ?? null,
    operations: {
      asked: operations.length,
      accepted,
      logged: ended('ok').length - accepted,
      failed: failed.length,
      open,
    },
    failures: counted(failed.map(({ end }) => end?.code ?? 'no-code')),
    repeats: operations.filter(({ invoke }) => invoke.repeats !== null).length,
    replayed: operations.filter(({ end }) => end?.replayed === true).length,
    wrongVersions: operations.filter(({ invoke }) => invoke.wrongVersion).length,
    faults,
    unknown: {
      tookEffect: effective.length,
      withoutEffect: unknown.length - effective.length,
      keyless: unknown.filter(({ key }) => key === null).length,
    },
    verdicts,
    remarks: [
      ...(history.faults.length === 0 ? ['The history names no fault: nothing is shown about faults.'] : []),
      ...(open === 0 ? ['No operation was ambiguous: nothing is shown about unknown ends.'] : []),
    ],
  };
}

function counted(names: readonly string[]): Counts {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
