/** What campaigns have done so far: one line per slice of seeds in `results.jsonl`, never rewritten, so that they add up. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SeedSummary } from './seed-worker.ts';

const RESULTS = join(import.meta.dirname, 'results.jsonl');

export interface Campaign {
  readonly commit: string;
  readonly profile: string;
}

export interface Slice extends Campaign {
  readonly date: string;
  readonly machine: string;
  readonly from: number;
  readonly to: number;
  readonly seeds: number;
  readonly seconds: number;
  readonly seedsPerSecond: number;
  /** Of one seed. */
  readonly median: { readonly [count: string]: number };
  readonly least: { readonly protocolEvents: number; readonly faults: number; readonly faultKinds: number };
  readonly totals: { readonly [count: string]: number };
  /** Cells of (fault x step) that were covered, and verdicts that were given. */
  readonly cells: number;
  readonly verdicts: readonly string[];
  /** How often checkers that seldom have something to judge had it, and what they passed over. */
  readonly judged: { readonly [what: string]: number };
  /** Of shards whose home was gone alone, until their writes were open elsewhere. */
  readonly failoverMs: { readonly median: number; readonly most: number };
  readonly failed: readonly { readonly seed: number; readonly codes: readonly string[] }[];
}

export function sliceOf(
  slice: Campaign & Pick<Slice, 'machine' | 'from' | 'to'>,
  results: readonly SeedSummary[],
  ms: number,
): Slice {
  const of = (count: keyof SeedSummary['counts']): readonly number[] =>
    results.map(({ counts }) => counts[count]);
  const sum = (values: readonly number[]): number => Math.round(values.reduce((all, one) => all + one, 0));
  const failoverMs = results.flatMap((result) => result.failoverMs);
  return {
    date: new Date().toISOString(),
    ...slice,
    seeds: results.length,
    seconds: Math.round(ms / 100) / 10,
    seedsPerSecond: Math.round((10_000 * results.length) / ms) / 10,
    median: {
      entries: median(of('entries')),
      faults: median(of('faults')),
      restarts: median(of('restarts')),
      protocolEvents: median(of('protocolEvents')),
    },
    least: {
      protocolEvents: Math.min(...of('protocolEvents')),
      faults: Math.min(...of('faults')),
      faultKinds: Math.min(...of('faultKinds')),
    },
    totals: {
      entries: sum(of('entries')),
      faults: sum(of('faults')),
      restarts: sum(of('restarts')),
      protocolEvents: sum(of('protocolEvents')),
      virtualSeconds: Math.round(sum(of('virtualMs')) / 1_000),
    },
    cells: new Set(results.flatMap(({ cells }) => Object.keys(cells))).size,
    verdicts: [...new Set(results.flatMap(({ verdicts }) => Object.keys(verdicts)))].sort(),
    judged: summed(results.map(({ judged }) => judged)),
    failoverMs: { median: median(failoverMs), most: Math.max(0, ...failoverMs) },
    failed: results
      .filter(({ violations }) => violations.length > 0)
      .map(({ seed, violations }) => ({ seed, codes: violations.map(({ code }) => code) })),
  };
}

function summed(counts: readonly SeedSummary['judged'][]): SeedSummary['judged'] {
  const sums = new Map<string, number>();
  for (const count of counts)
    for (const [what, times] of Object.entries(count)) sums.set(what, (sums.get(what) ?? 0) + times);
  return Object.fromEntries([...sums].sort(([x], [y]) => (x < y ? -1 : 1)));
}

export const median = (values: readonly number[]): number =>
  values.toSorted((x, y) => x - y)[Math.floor(values.length / 2)] ?? 0;

export const appendSlice = (slice: Slice): void => appendFileSync(RESULTS, `${JSON.stringify(slice)}\n`);

/** Those of the same commit and profile. What ran on changed sources is never taken for done. */
export function doneSlices({ commit, profile }: Campaign): readonly Slice[] {
  if (!existsSync(RESULTS)) return [];
  return readFileSync(RESULTS, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Slice)
    .filter((slice) => slice.profile === profile && slice.commit === commit && !commit.endsWith('changes'));
}

export function totalsText({ commit, profile }: Campaign, slices: readonly Slice[]): string {
  const seeds = slices.reduce((sum, slice) => sum + slice.seeds, 0);
  const failed = slices.flatMap((slice) => slice.failed.map(({ seed }) => seed));
  const seconds = slices.reduce((sum, slice) => sum + slice.seconds, 0);
  const rate = seconds === 0 ? 0 : seeds / seconds;
  const medians = slices.at(-1)?.median ?? {};
  const judged = summed(slices.map((slice) => slice.judged));
  return [
    `${profile} at ${commit}: ${seeds} seeds, ${failed.length} failed${failed.length > 0 ? ` (${failed.slice(0, 20).join(' ')})` : ''}, ${rate.toFixed(1)} seeds/s`,
    `of one seed in the last slice, median: ${Object.entries(medians)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}`,
    `judged: ${Object.entries(judged)
      .map(([what, times]) => `${what} ${times}`)
      .join(', ')}`,
  ].join('\n');
}
