/**
 * What campaigns have met, in the words of the protocol: faults and the steps that they fell into, verdicts, halts and
 * refusals that were told, and what was under way in a process that was killed. Totals of one commit and profile stand in
 * `coverage.json` and grow with each slice, each counted once; `COVERAGE.md` is written from all of them.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HALT_CODES, PROBLEMS, VERDICTS, WITHHELD_CODES } from '@lockstep/protocol';
import {
  faultKinds,
  FAULTS,
  STEP_NAMES,
  STEPS,
  type FaultKind,
  type Step,
} from '@lockstep/testing/simulation';
import type { Campaign, Slice } from './campaign.ts';
import type { SeedSummary } from './seed-worker.ts';

const TOTALS = join(import.meta.dirname, 'coverage.json');
export const COVERAGE_PAGE = join(import.meta.dirname, 'COVERAGE.md');

const COUNTED = ['cells', 'crashPoints', 'verdicts', 'named', 'problems'] as const;
type Counts = { readonly [name: string]: number };
type Counted = { readonly [what in (typeof COUNTED)[number]]: Counts };

interface Covered extends Campaign, Counted {
  readonly seeds: number;
  /** `from..to`: none is counted twice. */
  readonly slices: readonly string[];
}

/** Seeds of changed sources are not counted: nobody could run them again. */
export function addCoverage(slice: Slice, results: readonly SeedSummary[]): void {
  const { commit, from, profile, to } = slice;
  const all = readTotals();
  const before = all.find((each) => each.commit === commit && each.profile === profile);
  const name = `${from}..${to}`;
  if (commit.endsWith('changes') || before?.slices.includes(name) === true) return;
  const counted = sumOf(before === undefined ? results : [before, ...results]);
  const seeds = (before?.seeds ?? 0) + results.length;
  const covered: Covered = { commit, profile, seeds, slices: [...(before?.slices ?? []), name], ...counted };
  const totals = [...all.filter((each) => each !== before), covered];
  writeFileSync(TOTALS, `${JSON.stringify(totals, null, 1)}\n`);
}

export function writeCoveragePage(): void {
  writeFileSync(COVERAGE_PAGE, pageOf(readTotals()));
}

const readTotals = (): readonly Covered[] =>
  existsSync(TOTALS) ? (JSON.parse(readFileSync(TOTALS, 'utf8')) as readonly Covered[]) : [];

function sumOf(parts: readonly Counted[]): Counted {
  const sum = (what: keyof Counted): Counts => {
    const total = new Map<string, number>();
    for (const part of parts)
      for (const [name, count] of Object.entries(part[what])) total.set(name, (total.get(name) ?? 0) + count);
    return Object.fromEntries([...total].sort(([x], [y]) => (x < y ? -1 : 1)));
  };
  return Object.fromEntries(COUNTED.map((what) => [what, sum(what)])) as Counted;
}

const stepsOf = (...ports: readonly (typeof STEPS)[Step]['of'][]): readonly Step[] =>
  STEP_NAMES.filter((step) => ports.includes(STEPS[step].of));
const IN_PROCESSES = STEP_NAMES.filter((step) => step !== 'ask');
const IN_STORE = stepsOf('store');
const IN_LOG = stepsOf('log');
const APPENDED: readonly Step[] = ['append', 'slow-copy'];
const FETCHED: readonly Step[] = ['fetch', 'slow-copy'];
/** Reads pass. */
const WRITTEN_IN_STORE = IN_STORE.filter((step) => step !== 'fold' && step !== 'look-up');

/** The steps that a fault can meet at all; the others are calls of ports that it leaves alone. */
const REACH: { readonly [kind in FaultKind]: readonly Step[] } = {
  crash: IN_PROCESSES,
  pause: IN_PROCESSES,
  'clock-jump': IN_PROCESSES,
  'cut-one-way': STEP_NAMES,
  'cut-both-ways': STEP_NAMES,
  isolation: [...stepsOf('gateway', 'stream'), ...IN_LOG],
  'frames-delayed': ['frames'],
  'frames-duplicated': ['frames'],
  'frames-reordered': ['frames'],
  'frames-verdicts-dropped': ['frames'],
  'frames-broken': ['frames'],
  'forward-refused': ['forward'],
  'forward-answer-lost': ['forward'],
  'append-refused': APPENDED,
  'append-answer-lost': APPENDED,
  'append-late': APPENDED,
  'append-lost': APPENDED,
  'append-unreplicated': APPENDED,
  'fetch-failed': FETCHED,
  'fetch-slow': FETCHED,
  'fetch-stuck': FETCHED,
  'offset-gaps': APPENDED,
  'leader-change': IN_LOG,
  'in-sync-shrinks': IN_LOG,
  'broker-clock': IN_LOG,
  retention: IN_LOG,
  'store-conflict': IN_STORE,
  'store-lost-before': IN_STORE,
  'store-lost-after': IN_STORE,
  'store-late': IN_STORE,
  'store-crash': IN_STORE,
  'disk-full': WRITTEN_IN_STORE,
  'slow-flush': ['commit'],
  'store-restored': IN_STORE,
  'unclean-election': IN_LOG,
  'topic-replaced': IN_LOG,
  'retention-overrun': IN_LOG,
  'restore-and-loss': IN_STORE,
  'flushing-off': IN_STORE,
};

/** Why something is not met, where that is known. */
const REASONS: { readonly [name: string]: string } = {};

function pageOf(totals: readonly Covered[]): string {
  const { cells, crashPoints, named, problems, verdicts } = sumOf(totals);
  const seeds = totals.reduce((sum, each) => sum + each.seeds, 0);
  const cellOf = (kind: FaultKind, step: Step): number => cells[`${kind} x ${step}`] ?? 0;
  const reachable = faultKinds().flatMap((kind) => REACH[kind].map((step) => ({ kind, step })));
  const missing = reachable.filter(({ kind, step }) => cellOf(kind, step) === 0);
  return [
    '# Coverage of the simulation',
    '',
    'Written by `npm run sim -- --coverage` from `coverage.json`, which every campaign of 100 seeds or more on committed sources',
    `(\`npm run sim -- --seeds A..B --profile NAME\`) adds to. Not edited by hand. ${seeds} seeds:`,
    '',
    ...table(
      ['commit', 'profile', 'seeds', 'from'],
      totals.map(({ commit, profile, seeds: count, slices }) => [commit, profile, count, slices.join(' ')]),
    ),
    '',
    '## Faults and steps',
    '',
    'How often a fault struck while a step was under way: calls that were hit, by faults that hit calls while they last; by faults that come at a moment,',
    'processes that had the step under way then in what was struck. `·`: the fault leaves these calls alone. **0**: not met yet.',
    `${reachable.length - missing.length} of ${reachable.length} cells are covered.`,
    '',
    ...table(
      ['step', 'what is under way'],
      STEP_NAMES.map((step) => [step, STEPS[step].sentence]),
    ),
    '',
    ...table(
      ['fault', ...STEP_NAMES],
      faultKinds().map((kind) => [
        kind,
        ...STEP_NAMES.map((step) => (REACH[kind].includes(step) ? bold(cellOf(kind, step)) : '·')),
      ]),
    ),
    '',
    ...missing.map(
      ({ kind, step }) =>
        `* ${kind} x ${step}: ${FAULTS[kind].sentence}, while ${STEPS[step].sentence}.${reason(`${kind} x ${step}`)}`,
    ),
    '',
    '## Crash points',
    '',
    'How often a process was killed while a step was under way: sent or begun, or done and not yet answered. What was sent may still take effect.',
    '',
    ...crashTable(crashPoints),
    '',
    '## Verdicts',
    '',
    'Of all entries, by the fold of the whole log.',
    '',
    ...codeTable(VERDICTS, verdicts),
    '',
    '## Halts and withheld votes',
    '',
    ...codeTable([...HALT_CODES, ...WITHHELD_CODES], named),
    '',
    '## Refusals told to clients',
    '',
    ...codeTable(Object.keys(PROBLEMS), problems),
    '',
  ].join('\n');
}

function crashTable(points: Counts): readonly string[] {
  const roles = ['gateway', 'coordinator', 'replicator'];
  const states = [...IN_PROCESSES.flatMap((step) => [step, `${step} unanswered`]), 'nothing'];
  const rows = states.map((point) => [point, ...roles.map((role) => points[`${role} x ${point}`] ?? 0)]);
  return table(
    ['under way', ...roles],
    rows.filter(([, ...counts]) => counts.some((count) => count !== 0)),
  );
}

const codeTable = (codes: readonly string[], counts: Counts): readonly string[] =>
  table(
    ['code', 'told', ''],
    codes.map((code) => [code, bold(counts[code] ?? 0), (counts[code] ?? 0) > 0 ? '' : reason(code)]),
  );

const bold = (count: number): string => (count === 0 ? '**0**' : String(count));

const reason = (name: string): string => (REASONS[name] === undefined ? '' : ` ${REASONS[name]}`);

const table = (
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): readonly string[] => [row(head), row(head.map(() => '---')), ...rows.map(row)];

const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
