/**
 * Judges a run: its history against the log, folded again, and the databases of all regions. Pure and linear; it awaits
 * nothing and knows no product code but the words of the protocol.
 *
 * A history in which little happened is no finding: the summary says how much was accepted, ambiguous and disturbed, and
 * whoever reads it decides whether that was worth something. Only a run without one accepted operation is a finding.
 */
import { judgeControl } from './control-audit.js';
import { FindingList, type Finding } from './finding.js';
import { faultName } from './fault-name.js';
import type { FaultLine, HistoryLine } from './history.js';
import { judgeGovernor } from './governor-audit.js';
import { judgeHolders, judgeLives } from './heard-lives.js';
import { judgeKept } from './kept-answers.js';
import { isDefinite, openWrites, readRun, type RunHistory } from './operations.js';
import { judgeExpectedVersions, judgeRealTime } from './order-in-shards.js';
import { judgeReads } from './reads.js';
import type { RefoldedLog } from './refold.js';
import { judgeCursors, judgeRows, tookEffect, type RegionalState } from './regional-state.js';
import { judgeRegisters, type JudgedRegisters } from './registers.js';
import { judgeStages, stagesToldLower, type MembersOf } from './stage-truth.js';
import { standingOf, type AskedAgain, type Standing } from './standing.js';
import { judgeTold } from './told-answers.js';
import { judgeWitnessed, type Witnessed } from './witnessed.js';

export interface JudgedRun {
  readonly lines: readonly HistoryLine[];
  /** By the ordinal of the write's first operation: what the gateways said when they were asked once more. */
  readonly asked: ReadonlyMap<number, AskedAgain>;
  readonly log: RefoldedLog;
  readonly regions: ReadonlyMap<string, RegionalState>;
  /** What kept the cluster from coming to rest; empty when it did. */
  readonly unrest: readonly string[];
  /**
   * By shard, the sequence at which the run had come to rest: what a live cluster appends behind it by itself (canaries) need not have
   * been folded everywhere. Left out of a shard, or as a whole: where the furthest region stands.
   */
  readonly restedAt?: ReadonlyMap<string, bigint>;
  /** The hash under which the log carries an idempotency key. */
  readonly keyHash: (key: string) => string;
  /** Who votes on a shard; null where nobody knows. */
  readonly members: MembersOf;
  readonly witnessed: Witnessed;
  /** Disturbances that another recorder wrote down, as chaos does. */
  readonly disturbances: readonly FaultLine[];
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
  /** Reads that were answered. */
  readonly reads: number;
  /** What the run went through, by what it was and whom it struck; repairs are left out. */
  readonly faults: Counts;
  /** Answers with a lower stage than the same write had been told before: a gateway that knows less, which is no lie. */
  readonly stagesToldLower: number;
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
  /** Rows whose strong reads and conditional writes were put in order, and those where the search was given up. */
  readonly registers: JudgedRegisters;
  /** Watermarks that regions told during the run and that were compared. */
  readonly told: number;
  readonly regions: readonly string[];
  /** What a reader should not take for shown. */
  readonly remarks: readonly string[];
}

export function judge(run: JudgedRun): Judgement {
  const { log, regions } = run;
  const history = readRun(run.lines);
  const standing = standingOf(history, log, run.asked, run.keyHash);
  const found = new FindingList();
  for (const { detail, op } of history.malformations) {
    found.add('history-broken', { ...(op === null ? {} : { operations: [op] }), detail });
  }
  // A history that cannot have been accuses nobody.
  const compared =
    history.malformations.length > 0 ? NOTHING_COMPARED : judgeAll(run, history, standing, found);
  const accepted = log.entries.filter(({ verdict }) => verdict === 'accepted');
  const summary = {
    ...summaryOf(run, history, standing, compared),
    ...compared,
    entries: accepted.length,
    events: accepted.reduce((sum, { events }) => sum + events.length, 0),
    rows: Object.fromEntries([...regions].map(([region, { rows }]) => [region, rowCount(rows)])),
    regions: [...regions.keys()],
  };
  return { summary, findings: found.all() };
}

const NOTHING_COMPARED = { shards: 0, registers: { judged: 0, undecided: 0 }, told: 0 };
type Compared = Pick<RunSummary, keyof typeof NOTHING_COMPARED>;

function judgeAll(run: JudgedRun, history: RunHistory, standing: Standing, found: FindingList): Compared {
  const { log, members, regions, unrest, witnessed } = run;
  const isAccepted = log.entries.some(({ verdict }) => verdict === 'accepted');
  if (!isAccepted || !standing.writes.some(tookEffect)) {
    found.add('nothing-accepted', { detail: `${history.operations.size} operations` });
  }
  for (const detail of unrest) found.add('not-quiet', { detail });
  found.include(log.audit.found);
  judgeTold(history, standing, found);
  judgeStages(history, log, witnessed.commits, members, found);
  judgeRealTime(history, standing, found);
  judgeExpectedVersions(log, found);
  judgeReads(history, log, found);
  judgeRows(log, standing, regions, found);
  judgeKept(log, regions, found);
  judgeWitnessed(witnessed, log, found);
  judgeLives(history, witnessed.heard, log, members, found);
  judgeHolders(witnessed.toldHolders, witnessed.heard, found);
  if (witnessed.control !== null) {
    judgeControl(witnessed.control, log, witnessed.commits, found);
    judgeGovernor(witnessed.control.commands, members, found);
  }
  return {
    shards: judgeCursors(log, regions, run.restedAt ?? new Map(), found),
    registers: judgeRegisters(history, standing, found),
    told: witnessed.watermarks.length,
  };
}

const rowCount = (rows: RegionalState['rows']): number =>
  [...rows.values()].reduce((sum, { size }) => sum + size, 0);

function summaryOf(
  { disturbances, log }: JudgedRun,
  history: RunHistory,
  standing: Standing,
  { registers }: Compared,
): Omit<RunSummary, 'entries' | 'events' | 'rows' | 'regions' | keyof Compared> {
  const operations = [...history.operations.values()];
  const ended = (type: 'ok' | 'fail'): typeof operations =>
    operations.filter(({ end }) => end?.type === type);
  const accepted = ended('ok').filter(({ end }) => isDefinite(end?.receipt)).length;
  const failed = ended('fail');
  const unknown = openWrites(history.writes);
  const effective = unknown.filter(({ operations: [first] }) =>
    tookEffect(standing.byOperation.get(first!.invoke.op)!),
  );
  const faults = counted([...history.faults, ...disturbances].flatMap(faultName));
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
    reads: history.reads.filter(({ end }) => end?.type === 'ok').length,
    faults,
    stagesToldLower: stagesToldLower(history, standing),
    unknown: {
      tookEffect: effective.length,
      withoutEffect: unknown.length - effective.length,
      keyless: unknown.filter(({ key }) => key === null).length,
    },
    verdicts,
    remarks: [
      ...(Object.keys(faults).length === 0
        ? ['The history names no fault: nothing is shown about faults.']
        : []),
      ...(registers.undecided === 0
        ? []
        : [`For ${registers.undecided} rows no order was found or excluded: the search was given up.`]),
      ...(open === 0 ? ['No operation was ambiguous: nothing is shown about unknown ends.'] : []),
    ],
  };
}

function counted(names: readonly string[]): Counts {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
