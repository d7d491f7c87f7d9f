/**
 * `RESULTS.md` and its chart: the last run of every benchmark in `results.jsonl`, nothing else. A test compares both with
 * what stands in the folder.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Figure } from './benchmark.ts';
import { BOUNDS } from './bounds.ts';

/** One line of `results.jsonl`. */
export interface Run {
  readonly date: string;
  readonly commit: string;
  readonly machine: string;
  readonly name: string;
  readonly profile: string;
  readonly figures: readonly Figure[];
}

const FOLDER = import.meta.dirname;
export const RUNS_FILE = join(FOLDER, 'results.jsonl');
const PAGE_FILE = 'RESULTS.md';
const CHART_FILE = 'results.svg';

/** The last one of each benchmark, in the order of their names. */
export function lastRuns(lines: string): readonly Run[] {
  const runs = new Map<string, Run>();
  for (const line of lines.split('\n').filter((text) => text !== '')) {
    const run = JSON.parse(line) as Run;
    runs.set(run.name, run);
  }
  return [...runs.values()].sort((x, y) => (x.name < y.name ? -1 : 1));
}

/** By file name. */
export function pagesOf(runs: readonly Run[]): ReadonlyMap<string, string> {
  return new Map([
    [PAGE_FILE, page(runs)],
    [CHART_FILE, chart(goalsOf(runs))],
  ]);
}

export function writePages(): void {
  for (const [name, text] of pagesOf(lastRuns(readFileSync(RUNS_FILE, 'utf8'))))
    writeFileSync(join(FOLDER, name), text);
}

interface Goal {
  readonly run: string;
  readonly figure: Figure;
  /** Times the goal; one is just reached, and more is better, also where the figure shall be small. */
  readonly reached: Readonly<Record<'median' | 'worst' | 'best', number>>;
}

function goalsOf(runs: readonly Run[]): readonly Goal[] {
  return runs.flatMap(({ name, figures }) =>
    figures.flatMap((figure): readonly Goal[] => {
      const { goal, goalMost, median, min, max } = figure;
      if (goal !== undefined)
        return [
          { run: name, figure, reached: { median: median / goal, worst: min / goal, best: max / goal } },
        ];
      if (goalMost === undefined) return [];
      const reached = { median: goalMost / median, worst: goalMost / max, best: goalMost / min };
      return [{ run: name, figure, reached }];
    }),
  );
}

export const isReached = ({ goal, goalMost, median }: Figure): boolean =>
  (goal === undefined || median >= goal) && (goalMost === undefined || median <= goalMost);

const number = (value: number): string =>
  value >= 1_000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));

const goalText = ({ goal, goalMost }: Figure): string => {
  if (goal !== undefined) return `at least ${number(goal)}`;
  return goalMost === undefined ? '' : `at most ${number(goalMost)}`;
};

function page(runs: readonly Run[]): string {
  const goals = goalsOf(runs);
  const missed = goals.filter(({ figure }) => !isReached(figure));
  return `# Results

The last run of every benchmark that stands in \`results.jsonl\`; \`npm run bench\` writes this page, nobody edits it. How to read it, and
older runs: [README.md](README.md). A figure is the median of its rounds with the least and the greatest; a ratio is formed within
each round.

![How far every goal is reached](${CHART_FILE})

${goals.length - missed.length} of ${goals.length} goals are reached. Missed:

${missed.map(({ run, figure }) => `- \`${run}\`: ${figure.name} is ${number(figure.median)}, ${goalText(figure)} wanted`).join('\n')}
${runs.map(section).join('')}`;
}

function section({ name, date, commit, machine, profile, figures }: Run): string {
  const rows = figures.map((figure) => {
    const { name: figureName, unit, median, min, max } = figure;
    const goal = goalText(figure);
    const verdict = goal === '' ? '' : `${goal}: ${isReached(figure) ? 'reached' : '**missed**'}`;
    return `| ${figureName} | ${number(median)} | ${number(min)} - ${number(max)} | ${unit} | ${verdict} |`;
  });
  const bound = BOUNDS[name];
  return `
## ${name}

\`npm run bench -- ${name}\` at ${commit} on ${date.slice(0, 10)}; ${machine}.

${profile}

| figure | median | least - most | unit | goal |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
${bound === undefined ? '' : `\nWhat bounds it: ${bound}\n`}`;
}

const ROW_HEIGHT = 26;
const LABEL_WIDTH = 520;
const BAR_WIDTH = 440;
const TOP = 44;
/** Beyond this many times the goal a bar is cut off. */
const REACHED_MAX = 2.5;

function chart(goals: readonly Goal[]): string {
  const height = TOP + goals.length * ROW_HEIGHT + 12;
  const width = LABEL_WIDTH + BAR_WIDTH + 80;
  const x = (reached: number): number =>
    Math.round(LABEL_WIDTH + (Math.min(reached, REACHED_MAX) / REACHED_MAX) * BAR_WIDTH);
  const rows = goals.map(({ run, figure, reached }, index) => {
    const y = TOP + index * ROW_HEIGHT;
    const middle = y + 9;
    const color = isReached(figure) ? '#2f7d4f' : '#b3541e';
    return `<text x="${LABEL_WIDTH - 8}" y="${y + 13}" text-anchor="end">${escaped(`${run}: ${figure.name}`)}</text>
<rect x="${LABEL_WIDTH}" y="${y}" width="${x(reached.median) - LABEL_WIDTH}" height="18" fill="${color}"/>
<line x1="${x(reached.worst)}" y1="${middle}" x2="${x(reached.best)}" y2="${middle}" stroke="#222" stroke-width="2"/>
<text x="${x(Math.max(reached.median, reached.best)) + 6}" y="${y + 13}">${number(figure.median)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="${LABEL_WIDTH}" y="16">Times the goal: median, with least and greatest; the figure itself beside it</text>
${rows.join('\n')}
<line x1="${x(1)}" y1="24" x2="${x(1)}" y2="${height}" stroke="#222" stroke-dasharray="4 3"/>
<text x="${x(1)}" y="36" text-anchor="middle">goal</text>
</svg>
`;
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
