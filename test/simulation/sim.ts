/**
 * Runs seeds of the simulated world:
 *
 *   npm run sim -- --seeds 1..1000 [--profile NAME] [--workers 2]   a campaign; what is done is skipped when it is begun again
 *   npm run sim -- --seed 17 [--profile NAME] [--trace]             one run, printed in full
 *   npm run sim -- --seeds 1..100 --twice                           each in two processes, their traces compared
 *   npm run sim -- --noise --seeds 1..120 [--days 30]               days of noise below every threshold; what is done is skipped
 *   npm run sim -- --regressions                                    the runs that once failed
 *   npm run sim -- --coverage                                       writes COVERAGE.md from what all campaigns counted
 *   npm run sim -- --planted [NAME] [--seeds A..B]                  planted bugs, each until it is caught
 *
 * Exit 0 = nothing was found; 1 = something was: failing seeds are made smaller and kept in `regressions`; 2 = usage.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import {
  drawProfile,
  PROFILE_NAMES,
  profileText,
  runSeed,
  shrink,
  type ProfileName,
  type SeedResult,
} from '@lockstep/testing/simulation';
import { appendSlice, doneSlices, sliceOf, totalsText, type Slice } from './campaign.ts';
import { runNoises } from './noise.ts';
import { addCoverage, COVERAGE_PAGE, writeCoveragePage } from './coverage.ts';
import { huntPlanted } from './planted/hunt-planted.ts';
import { keepRegression, readRegressions, REGRESSIONS } from './regressions.ts';
import { sampleDatasets } from './sample-datasets.ts';
import type { SeedSummary } from './seed-worker.ts';
import { SeedWorkers } from './seed-workers.ts';

/** What is recorded at once, and lost when a campaign is interrupted. */
const SLICE_SEEDS = 500;
/** Less is no campaign. */
const RECORDED_SEEDS_MIN = 100;
const PROGRESS_MS = 10_000;
/** Of one slice, how many failing seeds are made smaller. */
const SHRUNK_MAX = 3;
const WAITING_MAX = 16;
/** A planted bug that keeps every promise for so many seeds is not caught. */
const PLANTED_SEEDS_MAX = 10_000;

/** What a cluster wrote in so many days is kept in memory. */
const NOISE_DAYS_MAX = 90;

const USAGE = `Usage: npm run sim -- --seeds A..B [--profile NAME] [--workers N] [--twice]
       npm run sim -- --seed N [--profile NAME] [--trace]
       npm run sim -- --noise --seeds A..B [--days N]
       npm run sim -- --regressions
       npm run sim -- --coverage
       npm run sim -- --planted [NAME] [--seeds A..B] [--workers N]
Profiles: ${PROFILE_NAMES.join(', ')}`;

const say = (line: string): void => console.error(line);
const git = (...args: readonly string[]): string =>
  execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim();
const commit = (): string =>
  git('rev-parse', '--short', 'HEAD') +
  (git('status', '--porcelain', '--', '../../libs') === '' ? '' : ' and changes');

let isInterrupted = false;
process.on('SIGINT', () => (isInterrupted = true));
process.on('SIGTERM', () => (isInterrupted = true));

async function main(): Promise<number> {
  const options = readOptions();
  if (options === null) {
    console.error(USAGE);
    return 2;
  }
  const { profile, workers } = options;
  switch (options.kind) {
    case 'one':
      return runOne(profile, options.seed, options.trace);
    case 'regressions':
      return runRegressions();
    case 'coverage':
      writeCoveragePage();
      console.log(`written: ${COVERAGE_PAGE}`);
      return 0;
    case 'twice':
      return runTwice(profile, options.from, options.to);
    case 'noise':
      return runNoises({ ...options, commit: commit(), isInterrupted: () => isInterrupted });
    case 'planted':
      return huntPlanted({ ...options, commit: commit(), isInterrupted: () => isInterrupted });
    case 'campaign':
      return runCampaign(profile, options.from, options.to, workers);
  }
}

async function runOne(name: ProfileName, seed: number, isTraced: boolean): Promise<number> {
  const result = await runSeed(drawProfile(name, seed), await sampleDatasets(), isTraced ? 'trace' : 'hash');
  if (isTraced) for (const line of result.trace) console.log(line);
  for (const line of profileText(result.profile)) console.log(line);
  const { cells, counts, crashPoints, failoverMs, judged, named, problems, traceHash, verdicts } = result;
  console.log(
    JSON.stringify({ counts, judged, failoverMs, verdicts, named, problems, crashPoints, cells }, null, 1),
  );
  console.log(`trace ${traceHash}`);
  tellViolations(result);
  return result.violations.length === 0 ? 0 : 1;
}

async function runRegressions(): Promise<number> {
  const sample = await sampleDatasets();
  let failed = 0;
  for (const { file, profile, state } of readRegressions()) {
    const result = await runSeed(profile, sample);
    const holds = result.violations.length === 0;
    if (holds !== (state === 'mended')) failed += 1;
    console.log(`${file}: ${state}, ${holds ? 'holds' : 'fails'}`);
    if (state === 'mended') tellViolations(result);
  }
  return failed === 0 ? 0 : 1;
}

async function runTwice(name: ProfileName, from: number, to: number): Promise<number> {
  const here = new SeedWorkers(1);
  const there = new SeedWorkers(1);
  const differing: number[] = [];
  for (let seed = from; seed <= to && !isInterrupted; seed += 1) {
    const profile = drawProfile(name, seed);
    const [one, other] = await Promise.all([here.run(profile), there.run(profile)]);
    if (one.traceHash !== other.traceHash) differing.push(seed);
  }
  here.close();
  there.close();
  console.log(`${to - from + 1} seeds in two processes: ${differing.length} traces differ`);
  for (const seed of differing) console.log(`seed ${seed}`);
  return differing.length === 0 && !isInterrupted ? 0 : 1;
}

async function runCampaign(name: ProfileName, from: number, to: number, count: number): Promise<number> {
  const at = { commit: commit(), profile: name };
  const machine = `${cpus().length} x ${cpus()[0]!.model.trim()}, Node ${process.versions.node}`;
  const done = [...doneSlices(at)];
  const workers = new SeedWorkers(count);
  try {
    for (let first = from; first <= to && !isInterrupted; first += SLICE_SEEDS) {
      const last = Math.min(to, first + SLICE_SEEDS - 1);
      if (done.some((slice) => slice.from === first && slice.to === last)) continue;
      const begunMs = performance.now();
      const results = await runSlice(workers, name, first, last);
      if (results === null) break;
      const slice: Slice = sliceOf(
        { ...at, machine, from: first, to: last },
        results,
        performance.now() - begunMs,
      );
      done.push(slice);
      if (slice.seeds >= RECORDED_SEEDS_MIN) {
        addCoverage(slice, results);
        appendSlice(slice);
      }
      for (const result of results.filter(({ violations }) => violations.length > 0).slice(0, SHRUNK_MAX))
        await keepSmaller(workers, result, at.commit);
    }
  } finally {
    workers.close();
  }
  console.log(totalsText(at, done));
  if (isInterrupted) say('interrupted: the same command goes on where it stopped');
  return done.every((slice) => slice.failed.length === 0) && !isInterrupted ? 0 : 1;
}

/** Null when it was interrupted. */
async function runSlice(
  workers: SeedWorkers,
  name: ProfileName,
  from: number,
  to: number,
): Promise<readonly SeedSummary[] | null> {
  const results: SeedSummary[] = [];
  const begunMs = performance.now();
  let saidMs = begunMs;
  const running = new Set<Promise<void>>();
  for (let seed = from; seed <= to && !isInterrupted; seed += 1) {
    const run = workers.run(drawProfile(name, seed)).then((result) => {
      results.push(result);
      running.delete(run);
      if (result.violations.length > 0) tellViolations(result);
    });
    running.add(run);
    // A few wait for a worker, so that none idles.
    if (running.size >= WAITING_MAX) await Promise.race(running);
    if (performance.now() - saidMs < PROGRESS_MS) continue;
    saidMs = performance.now();
    const rate = (1_000 * results.length) / (saidMs - begunMs);
    say(`  ${name} ${from}..${to}: ${results.length} run, ${rate.toFixed(1)} seeds/s`);
  }
  await Promise.all(running);
  return isInterrupted ? null : results.sort((x, y) => x.seed - y.seed);
}

async function keepSmaller(
  workers: SeedWorkers,
  { profile, violations }: SeedSummary,
  at: string,
): Promise<void> {
  const [violation] = violations;
  say(`  seed ${profile.seed}: making it smaller`);
  const fails = async (smaller: SeedResult['profile']): Promise<boolean> =>
    (await workers.run(smaller)).violations.some(({ code }) => code === violation!.code);
  const smallest = await shrink(profile, fails);
  const again = (await workers.run(smallest)).violations.find(({ code }) => code === violation!.code)!;
  mkdirSync(REGRESSIONS, { recursive: true });
  say(`  kept in ${keepRegression(smallest, again, at)}`);
}

function tellViolations({
  profile,
  seed,
  violations,
}: Pick<SeedResult, 'profile' | 'seed' | 'violations'>): void {
  for (const { code, count, examples, invariant, sentence } of violations) {
    console.log(`${profile.name} ${seed}: ${code} (${invariant ?? '-'}) x${count}: ${sentence}`);
    for (const example of examples.slice(0, 2)) console.log(`    ${JSON.stringify(example).slice(0, 400)}`);
  }
}

type Options = { readonly profile: ProfileName; readonly workers: number } & (
  | { readonly kind: 'one'; readonly seed: number; readonly trace: boolean }
  | { readonly kind: 'campaign' | 'twice'; readonly from: number; readonly to: number }
  | { readonly kind: 'noise'; readonly from: number; readonly to: number; readonly days: number }
  | { readonly kind: 'regressions' | 'coverage' }
  | { readonly kind: 'planted'; readonly name: string | null; readonly from: number; readonly to: number }
);

function readOptions(): Options | null {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        seeds: { type: 'string' },
        seed: { type: 'string' },
        profile: { type: 'string', default: 'mixed' },
        workers: { type: 'string', default: '2' },
        trace: { type: 'boolean', default: false },
        twice: { type: 'boolean', default: false },
        regressions: { type: 'boolean', default: false },
        coverage: { type: 'boolean', default: false },
        planted: { type: 'boolean', default: false },
        noise: { type: 'boolean', default: false },
        days: { type: 'string', default: '30' },
      },
    });
    const profile = PROFILE_NAMES.find((name) => name === values.profile);
    const workers = Number(values.workers);
    if (profile === undefined || !(workers >= 1 && workers <= 64)) return null;
    const common = { profile, workers };
    if (values.coverage) return { ...common, kind: 'coverage' };
    const [name = null, ...others] = positionals;
    if ((name !== null && !values.planted) || others.length > 0) return null;
    if (values.regressions) return { ...common, kind: 'regressions' };
    if (values.seed !== undefined && /^\d{1,9}$/.test(values.seed))
      return { ...common, kind: 'one', seed: Number(values.seed), trace: values.trace };
    const seeds = values.seeds ?? (values.planted ? `1..${PLANTED_SEEDS_MAX}` : '');
    const range = /^(\d{1,9})\.\.(\d{1,9})$/.exec(seeds);
    if (range === null || Number(range[1]) > Number(range[2])) return null;
    const between = { from: Number(range[1]), to: Number(range[2]) };
    const days = Number(values.days);
    if (values.noise)
      return Number.isInteger(days) && days >= 1 && days <= NOISE_DAYS_MAX
        ? { ...common, kind: 'noise', days, ...between }
        : null;
    if (values.planted) return { ...common, kind: 'planted', name, ...between };
    return { ...common, kind: values.twice ? 'twice' : 'campaign', ...between };
  } catch {
    return null;
  }
}

process.exitCode = await main();
