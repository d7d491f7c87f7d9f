/**
 * Runs the benchmarks named, or all, each on servers of its own that end with it; prints figures and appends them to
 * `results.jsonl`, of which `RESULTS.md` is made. With `--json` the figures are printed as those lines, progress goes to the other stream.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { apply, applyAtLength, applyDatasets, applyHotKeys, applyOneShard, limit } from './apply.ts';
import { catchUp } from './catch-up.ts';
import { LocalCluster } from '../e2e/local-cluster.ts';
import type { Benchmark, Figure, Stoppable } from './benchmark.ts';
import { debezium } from './debezium.ts';
import { debeziumChain } from './debezium-chain.ts';
import { gateway } from './gateway.ts';
import { idle, idleProbed } from './idle.ts';
import { kafkaClients } from './kafka-clients.ts';
import { overload } from './overload.ts';
import { patroni } from './patroni.ts';
import { peers } from './peers.ts';
import { publish } from './publish.ts';
import { publishToCommit } from './publish-to-commit.ts';
import { quorum, quorumHome } from './quorum.ts';
import { quorumOneStopped } from './quorum-one-stopped.ts';
import { quorumSteps, quorumStepsHome } from './quorum-steps.ts';
import { isReached, RUNS_FILE, writePages } from './results-page.ts';
import { startServers, type Servers } from './servers.ts';
import { soak } from './soak.ts';
import { switchover, switchoverWithLeader } from './switchover.ts';
import { tracing } from './tracing.ts';
import { writing } from './writing.ts';

const benchmarks: readonly Benchmark[] = [
  ...[
    apply,
    applyOneShard,
    applyDatasets,
    applyAtLength,
    applyHotKeys,
    limit,
    peers,
    debezium,
    debeziumChain,
    publish,
    publishToCommit,
    kafkaClients,
    gateway,
    overload,
  ],
  ...[quorum, quorumHome, quorumOneStopped, quorumSteps, quorumStepsHome, switchover],
  ...[switchoverWithLeader, tracing, writing, idle, idleProbed, soak, catchUp, patroni],
];

const names = process.argv.slice(2).filter((argument) => argument !== '--json');
const asJson = process.argv.includes('--json');
const unknown = names.filter((name) => !benchmarks.some((benchmark) => benchmark.name === name));
if (unknown.length > 0) {
  const known = benchmarks.map(({ name }) => name).join(', ');
  console.error(
    `Unknown: ${unknown.join(', ')}. Usage: npm run bench [-- NAME... --json]; there are ${known}.`,
  );
  process.exit(2);
}

const begunMs = performance.now();
const say = (line: string): void =>
  console.error(`[${((performance.now() - begunMs) / 1_000).toFixed(1).padStart(6)} s] ${line}`);

let running: Promise<Servers> | null = null;
let others: readonly Promise<Stoppable>[] = [];
let stopping = Promise.resolve();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    say(`${signal}: stopping the servers`);
    void stopServers().finally(() => process.exit(1));
  });
}

function stopLater<T extends Stoppable>(starting: Promise<T>): Promise<T> {
  others = [...others, starting];
  return starting;
}

/** Who asks again waits for the stop under way: a benchmark that fails because of it must not end the process first. */
function stopServers(): Promise<void> {
  const ending = [...others, ...(running === null ? [] : [running])];
  running = null;
  others = [];
  stopping = stopping.then(async () => {
    for (const started of await Promise.allSettled(ending))
      if (started.status === 'fulfilled') await started.value.stop();
  });
  return stopping;
}

const git = (...args: readonly string[]): string =>
  execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim();
const changed = git('status', '--porcelain', '--', '../../libs', '../../apps') === '' ? '' : ' and changes';
const commit = git('rev-parse', '--short', 'HEAD') + changed;
const machine = `${cpus().length} x ${cpus()[0]!.model.trim()}, Node ${process.versions.node}`;

for (const benchmark of benchmarks) {
  if (names.length > 0 && !names.includes(benchmark.name)) continue;
  const { name, profile } = benchmark;
  const tell = (line: string): void => say(`${name}: ${line}`);
  let figures: readonly Figure[];
  try {
    figures = await benchmark.run({
      servers: () => {
        if (running === null) tell('starting Kafka and Postgres');
        return (running ??= startServers());
      },
      cluster: (options) => {
        tell('starting a cluster');
        return stopLater(LocalCluster.startAttended(options));
      },
      ends: stopLater,
      say: tell,
    });
  } finally {
    await stopServers();
  }
  const line = JSON.stringify({ date: new Date().toISOString(), commit, machine, name, profile, figures });
  appendFileSync(RUNS_FILE, `${line}\n`);
  writePages();
  console.log(asJson ? line : [`\n${name}`, ...figures.map(describe)].join('\n'));
}

function describe(figure: Figure): string {
  const { name, unit, median, min, max, goal, goalMost } = figure;
  const text = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
  const wanted = goal ?? goalMost;
  const verdict = wanted === undefined ? '' : `  goal ${wanted}: ${isReached(figure) ? 'reached' : 'MISSED'}`;
  return `${text(median).padStart(9)} ${unit.padEnd(9)} ${name}  [${text(min)} .. ${text(max)}]${verdict}`;
}
