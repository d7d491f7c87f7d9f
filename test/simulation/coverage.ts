/**
 * What campaigns have met, in the words of the protocol: faults and the steps that they fell into, verdicts, halts and
 * refusals that were told, and what was under way in a process that was killed. Totals of one commit and profile stand in
 * `coverage.json` and grow with each slice, each counted once; `COVERAGE.md` is written from all of them.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HALT_CODES, PROBLEMS, VERDICTS, WITHHELD_CODES } from '@lockstep/protocol';
import { faultKinds, STEP_NAMES, STEPS, type FaultKind, type Step } from '@lockstep/testing/simulation';
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
  'broker-cut': IN_LOG,
  bridge: [...stepsOf('gateway', 'stream'), ...IN_LOG],
  'frames-delayed': ['frames'],
  'frames-duplicated': ['frames'],
  'frames-reordered': ['frames'],
  'frames-verdicts-dropped': ['frames'],
  'frames-broken': ['frames'],
  'forward-refused': ['forward'],
  'forward-answer-lost': ['forward'],
  'append-refused': APPENDED,
  'append-answer-lost': APPENDED,
  'append-silent': APPENDED,
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
  'commit-late': ['commit'],
  'store-slow': IN_STORE,
  'store-restored': IN_STORE,
  'unclean-election': IN_LOG,
  'topic-replaced': IN_LOG,
  'retention-overrun': IN_LOG,
  'restore-and-loss': IN_STORE,
  'flushing-off': IN_STORE,
};

const NOT_BEFORE_THIS =
  'A call before it on the same connection fails first, unless the cut begins between the two.';
const NOT_ASKED = 'The load asks for nothing that a gateway refuses by itself.';
const NOT_OF_A_WRITE = 'What is counted are answers to writes; coordinators alone refuse so.';

interface Cell {
  readonly kind: FaultKind;
  readonly step: Step;
}

/** Why a step is seldom met, by whichever fault. */
const RARE_STEPS: { readonly [step in Step]?: string } = {
  topics: 'It takes some milliseconds, at a start or after a failure.',
  'take-over': 'It takes some milliseconds, where a lease is free or has expired.',
  recovery: 'It takes some milliseconds, at a start or after a failure.',
  'new-life': 'It is one call of some milliseconds, once after a store went back.',
  'look-up':
    'It takes some milliseconds, a few times in a seed, when a client asks again for what is unknown.',
  deploy: 'It takes some milliseconds, at the start of a process.',
};

/** Why something else is not met, where that is known: cells (`fault x step`) and codes. */
const REASONS: { readonly [name: string]: string } = {
  'cut-one-way x take-over': NOT_BEFORE_THIS,
  'cut-one-way x new-life': NOT_BEFORE_THIS,
  'cut-one-way x deploy': NOT_BEFORE_THIS,
  'cut-both-ways x take-over': NOT_BEFORE_THIS,
  'cut-both-ways x new-life': NOT_BEFORE_THIS,
  'cut-both-ways x deploy': NOT_BEFORE_THIS,
  forged: 'Gateways alone append in a seed, each under its own name.',
  fenced: 'No shard changes its home in a seed.',
  'not-owner': 'No shard changes its home in a seed, and callers let gateways forward.',
  'configuration-missing': 'All regions know all configurations from the start.',
  'effects-refused': 'The simulated database takes whatever the fold gives.',
  'fold-failed': 'It would be a defect.',
  internal: 'It would be a defect.',
  malformed: 'Gateways check before they append, and the load sends what is well formed.',
  schema: 'Gateways check before they append, and the load sends what fits.',
  policy: 'Every region holds every group, and may write it.',
  'bad-token': NOT_ASKED,
  'unknown-dataset': NOT_ASKED,
  'not-found': NOT_ASKED,
  'too-large': NOT_ASKED,
  'unknown-group': NOT_ASKED,
  'several-shards': NOT_ASKED,
  'several-shards-hit': 'Whoever asks again names the shard.',
  'not-seen': 'Whoever asks again does so after the deadline, and is told `never-or-expired`.',
  'too-many-requests': 'No gateway of a seed has as many requests at hand as every class of datasets admits.',
  'store-unavailable': 'What is counted are answers to writes, which read no store.',
  'not-yet': 'It is not part of this version.',
  'move-refused': NOT_OF_A_WRITE,
  'move-ended': NOT_OF_A_WRITE,
  'not-paused': NOT_OF_A_WRITE,
  'control-unavailable': NOT_OF_A_WRITE,
  'no-leader': NOT_OF_A_WRITE,
};

function pageOf(totals: readonly Covered[]): string {
  const { cells, crashPoints, named, problems, verdicts } = sumOf(totals);
  const seeds = totals.reduce((sum, each) => sum + each.seeds, 0);
  const cellOf = (kind: FaultKind, step: Step): number => cells[`${kind} x ${step}`] ?? 0;
  const reachable: readonly Cell[] = faultKinds().flatMap((kind) =>
    REACH[kind].map((step) => ({ kind, step })),
  );
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
    ...missingLines(missing),
    '',
    '## Crash points',
    '',
    'How often a process was killed while a step was under way: sent or begun, or done and not yet answered. What was sent still takes effect unless it is cut',
    'off; the answer of a call comes at the moment of its effect unless it is lost or the process stands still, so that few crashes fall between the two.',
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

/** Faults that lack a step for one reason share a line. */
function missingLines(missing: readonly Cell[]): readonly string[] {
  const lines = new Map<string, FaultKind[]>();
  for (const { kind, step } of missing) {
    const line = `${step}: ${REASONS[`${kind} x ${step}`] ?? RARE_STEPS[step] ?? 'not known why.'}`;
    lines.set(line, [...(lines.get(line) ?? []), kind]);
  }
  return [...lines].map(([line, kinds]) => `* ${kinds.join(', ')} x ${line}`);
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
    codes.map((code) => [
      code,
      bold(counts[code] ?? 0),
      (counts[code] ?? 0) > 0 ? '' : (REASONS[code] ?? ''),
    ]),
  );

const bold = (count: number): string => (count === 0 ? '**0**' : String(count));

const table = (
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): readonly string[] => [row(head), row(head.map(() => '---')), ...rows.map(row)];

const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
