/**
 * `npx lockstep local load`: a seeded workload, written through all gateways of a local cluster at once, and its history.
 *
 * Exit 0 = it was carried out, whatever was answered; 1 = no gateway answers; 2 = it cannot be meant so. SIGINT and
 * SIGTERM end it early: what is under way gets a moment, then everything heard so far stands in the history.
 */
import { Chance, Reads, runName, Workload } from '@lockstep/testing/workload';
import { randomInt } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterFile } from '../cluster-file.js';
import { dataFolder } from '../data-folder.js';
import { LocalError } from '../local-error.js';
import { GatewayCalls } from './gateway-calls.js';
import { HistoryFile } from './history-file.js';
import { LoadClients } from './load-clients.js';
import { parseLoadOptions, SEED_MAX, type LoadOptions } from './load-options.js';
import { LoadStatistics, type Latency } from './load-statistics.js';

const PROGRESS_MS = 2_000;
/** For what is under way when a signal comes. */
const LAST_ANSWERS_MS_MAX = 3_000;

export async function runLoad(args: readonly string[]): Promise<number> {
  const options = parseLoadOptions(args, process.cwd());
  const { regions } = readCluster(options.data);
  const gateways = Object.entries(regions).map(
    ([region, { gateway }]) => new GatewayCalls(region, gateway, options.clients),
  );
  try {
    const answering = await Promise.all(gateways.map((gateway) => gateway.answers()));
    if (!answering.includes(true)) throw nobodyAnswers(options.data);
    return await loadThrough(gateways, options);
  } finally {
    for (const gateway of gateways) gateway.close();
  }
}

async function loadThrough(gateways: readonly GatewayCalls[], options: LoadOptions): Promise<number> {
  const startedAtMs = Date.now();
  const seed = options.seed ?? randomInt(SEED_MAX + 1);
  const run = runName(seed, startedAtMs);
  const history = await HistoryFile.create(options.history ?? join(options.data, 'history', `${run}.jsonl`), {
    run,
    seed,
    startedAt: new Date(startedAtMs).toISOString(),
    options: optionsAsTold(options),
  });
  const statistics = new LoadStatistics();
  const regions = gateways.map(({ region }) => region);
  const workload = new Workload({
    ...options,
    seed,
    run,
    // The sample's groups are named for the regions that are their homes.
    groups: regions,
  });
  const reads = new Reads(new Chance(seed).branch('reads'), options.readsPercent, regions);
  const clients = new LoadClients({ ...options, gateways, workload, reads, history, statistics });
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
    clients.stop(LAST_ANSWERS_MS_MAX);
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  console.error(`run ${run}, seed ${seed}, history ${history.path}`);
  const begunMs = performance.now();
  const secondsSoFar = (): number => (performance.now() - begunMs) / 1_000;
  const progress = setInterval(
    () => console.error(progressLine(options, workload, statistics, secondsSoFar())),
    PROGRESS_MS,
  );
  const end =
    options.secondsMax === null
      ? undefined
      : setTimeout(() => clients.stop(null), options.secondsMax * 1_000);
  try {
    await clients.run();
  } finally {
    clearInterval(progress);
    clearTimeout(end);
    await history.close();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
  const seconds = secondsSoFar();
  const summary = {
    run,
    seed,
    history: history.path,
    interrupted,
    seconds: rounded(seconds),
    operations: statistics.operations,
    operationsPerSecond: rounded(statistics.operations / seconds),
    eventsPerSecond: rounded(statistics.events / seconds),
    ...statistics.fates,
    answers: statistics.answerCounts(),
    latency: statistics.latencyByDataset(),
  };
  console.log(options.json ? JSON.stringify(summary) : summaryText(summary));
  if (statistics.operations === 0 || statistics.answered > 0) return 0;
  throw nobodyAnswers(options.data);
}

function readCluster(data: string): ClusterFile {
  const { cluster } = dataFolder(data);
  if (existsSync(cluster)) return JSON.parse(readFileSync(cluster, 'utf8')) as ClusterFile;
  throw new LocalError('not-running', `No local cluster runs on ${data}. Start one with npm start.`);
}

const nobodyAnswers = (data: string): LocalError =>
  new LocalError(
    'not-running',
    `No gateway of the cluster on ${data} answers. See npx lockstep local status, or start it with npm start.`,
  );

function optionsAsTold(options: LoadOptions): { readonly [name: string]: number | null } {
  const { amount } = options;
  return {
    seconds: options.secondsMax,
    accounts: amount.kind === 'endless' ? null : amount.accountEntries,
    orders: amount.kind === 'endless' ? null : amount.orderEvents,
    readings: amount.kind === 'endless' ? null : amount.readingEvents,
    rate: options.entriesPerSecond,
    clients: options.clients,
    reads: options.readsPercent,
    repeated: options.repeatedPercent,
    wrongVersions: options.wrongVersionsPercent,
    shortDeadlines: options.shortDeadlinesPercent,
  };
}

function progressLine(
  { amount, secondsMax }: LoadOptions,
  workload: Workload,
  statistics: LoadStatistics,
  seconds: number,
): string {
  const done =
    amount.kind === 'endless'
      ? `${Math.round(seconds)}/${secondsMax} s`
      : `${workload.drawn}/${amount.accountEntries + amount.orderEvents + amount.readingEvents}`;
  const { fates, latency, operations } = statistics.takeRecent();
  const rate = rounded(operations / (PROGRESS_MS / 1_000));
  const { accepted, refused, rejected, unknown } = fates;
  return (
    `${done}  ${rate}/s  accepted ${accepted}, rejected ${rejected}, refused ${refused}, unknown ${unknown}  ` +
    latencyText(latency)
  );
}

interface Summary {
  readonly run: string;
  readonly seed: number;
  readonly history: string;
  readonly interrupted: boolean;
  readonly seconds: number;
  readonly operations: number;
  readonly operationsPerSecond: number;
  readonly eventsPerSecond: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly refused: number;
  readonly unknown: number;
  readonly answers: { readonly [answer: string]: number };
  readonly latency: { readonly [dataset: string]: Latency };
}

function summaryText(summary: Summary): string {
  const { accepted, operations, refused, rejected, seconds, unknown } = summary;
  const rows = (values: { readonly [name: string]: number | string }): readonly string[] =>
    Object.entries(values).map(([name, value]) => `  ${name.padEnd(28)} ${String(value).padStart(8)}`);
  return [
    `${operations} operations in ${seconds} s (${summary.operationsPerSecond} operations/s, ${summary.eventsPerSecond} events/s)` +
      (summary.interrupted ? ', ended early by a signal' : ''),
    ...rows({ accepted, rejected, 'refused, nothing written': refused, unknown }),
    'answers',
    ...rows(summary.answers),
    'latency',
    ...Object.entries(summary.latency).map(
      ([dataset, latency]) => `  ${dataset.padEnd(12)} ${latencyText(latency)}`,
    ),
    `history: ${summary.history}`,
  ].join('\n');
}

const latencyText = (latency: Latency | null): string =>
  latency === null ? 'no answers' : `p50 ${rounded(latency.p50Ms)} ms, p99 ${rounded(latency.p99Ms)} ms`;

const rounded = (value: number): number => Math.round(value * 10) / 10;
