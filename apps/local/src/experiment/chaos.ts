/**
 * `npx lockstep local chaos`: carries a plan of disturbances out through the supervisor's control socket, records what it
 * did as a history, and leaves a whole cluster behind, also when it is interrupted.
 */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RegionProcess } from '../cluster-file.js';
import { askOrder, askStatus, type ClusterStatus, type Order, type Target } from '../control.js';
import { dataFolder, type DataFolder } from '../data-folder.js';
import { isLocalError, LocalError } from '../local-error.js';
import { CHAOS_PREFIX, parseChaosOptions, type ChaosOptions } from './chaos-options.js';
import { onProcess, planChaos, targetText, type ChaosStep } from './chaos-plan.js';
import { HistoryFile } from './history-file.js';
import { SEED_MAX } from './load-options.js';

/** How long a process that shall be killed may take to be there: it may just be starting after another one's death. */
const TARGET_MS_MAX = 15_000;
const LOOK_AGAIN_MS = 200;
/** For everything to be ready at the end. */
const READY_MS_MAX = 180_000;

export async function runChaos(args: readonly string[]): Promise<number> {
  const options = parseChaosOptions(args, process.cwd());
  const data = dataFolder(options.data);
  const status = await askStatus(data);
  if (status.cluster === null)
    throw new LocalError('not-possible-now', `The cluster is ${status.state}; chaos is for a running one.`);
  const seed = options.seed ?? randomInt(SEED_MAX + 1);
  const plan = planFor(options, seed, status);
  const chaos = new Chaos(
    data,
    await openHistory(options, seed, data),
    options.json ? console.error : console.log,
  );
  const interrupt = (): void => chaos.interrupt();
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    return await chaos.run(plan, seed, options);
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

function planFor(
  { kills, minutes }: ChaosOptions,
  seed: number,
  status: ClusterStatus,
): readonly ChaosStep[] {
  const regions = Object.entries(status.cluster?.regions ?? {});
  const standbys = regions.some(([, { standby }]) => standby !== undefined);
  if (kills?.standby !== undefined && !standbys)
    throw new LocalError('invalid-option', '--kills: this cluster has no standby.');
  const plan = planChaos({
    seed,
    lengthMs: minutes * 60_000,
    regions: regions.map(([name]) => name),
    standbys,
    brokers: status.cluster?.kafka.brokers.length ?? 0,
    links: status.wideArea !== null,
    kills,
  });
  if (plan !== null) return plan;
  throw new LocalError(
    'invalid-option',
    `So many --kills do not fit into ${minutes} minutes. Give more --minutes.`,
  );
}

function openHistory(
  { kills, log, minutes }: ChaosOptions,
  seed: number,
  data: DataFolder,
): Promise<HistoryFile> {
  const run = `${CHAOS_PREFIX}${seed}`;
  const killsText = Object.entries(kills ?? {}).map(([name, times]) => `${name}=${times}`);
  return HistoryFile.create(log ?? join(data.folder, 'history', `${run}.jsonl`), {
    run,
    seed,
    startedAt: new Date().toISOString(),
    options: { minutes, kills: kills === null ? null : killsText.join(',') },
  });
}

class Chaos {
  readonly #data: DataFolder;
  readonly #history: HistoryFile;
  readonly #show: (line: string) => void;
  readonly #over = new AbortController();
  readonly #begunMs = performance.now();
  readonly #done = new Map<string, number>();
  #refused = 0;
  /** Nobody is there any more to give orders to. */
  #failure: Error | undefined;

  constructor(data: DataFolder, history: HistoryFile, show: (line: string) => void) {
    this.#data = data;
    this.#history = history;
    this.#show = show;
  }

  interrupt(): void {
    this.#over.abort();
  }

  async run(plan: readonly ChaosStep[], seed: number, { json, minutes }: ChaosOptions): Promise<number> {
    this.#show(`seed ${seed}, ${minutes} minutes, ${plan.length} orders, log ${this.#history.path}`);
    let notReady: readonly string[];
    try {
      await this.#carryOut(plan, minutes * 60_000);
      const interrupted = this.#over.signal.aborted;
      this.#say(interrupted ? 'interrupted; making the cluster whole' : 'over; making the cluster whole');
      notReady = await this.#makeWhole();
      this.#say(notReady.length === 0 ? 'all processes are ready' : `not ready: ${notReady.join(', ')}`);
      if (json) {
        const [done, log] = [Object.fromEntries(this.#done), this.#history.path];
        const ready = notReady.length === 0;
        console.log(
          JSON.stringify({ seed, minutes, log, interrupted, done, refused: this.#refused, ready, notReady }),
        );
      }
    } finally {
      await this.#history.close();
    }
    return notReady.length === 0 ? 0 : 1;
  }

  async #carryOut(plan: readonly ChaosStep[], lengthMs: number): Promise<void> {
    const underWay: Promise<void>[] = [];
    for (const { atMs, order } of plan) {
      if (!(await this.#sleepUntil(atMs))) break;
      // Not awaited: a kill may have to wait for its process, and nobody else waits for that.
      underWay.push(this.#order(order));
    }
    await this.#sleepUntil(lengthMs);
    await Promise.all(underWay);
  }

  /** @returns what is not ready after a bounded time. */
  async #makeWhole(): Promise<readonly string[]> {
    const { processes, wideArea } = await askStatus(this.#data);
    for (const { region } of wideArea?.cuts ?? []) await this.#order({ kind: 'heal', region });
    for (const { due, region } of wideArea?.swallowing ?? [])
      if (due > 0) await this.#order({ kind: 'swallow', region, responses: 0 });
    for (const { name, state } of processes) {
      if (state === 'paused') await this.#order(onProcess('continue', targetOf(name)));
      if (state === 'down') await this.#order(onProcess('start', targetOf(name)));
    }
    for (const until = performance.now() + READY_MS_MAX; ; await sleep(LOOK_AGAIN_MS)) {
      if (this.#failure !== undefined) throw this.#failure;
      const left = (await askStatus(this.#data)).processes.filter(({ state }) => state !== 'ready');
      if (left.length === 0 || performance.now() > until)
        return left.map(({ name, state }) => `${name} (${state})`);
    }
  }

  /** Never rejects: what was refused is recorded, and a cluster that is gone ends the run. */
  async #order(order: Order): Promise<void> {
    const [word, object] = orderWords(order);
    try {
      const done = await this.#askPatiently(order);
      this.#done.set(word, (this.#done.get(word) ?? 0) + 1);
      this.#history.add({ type: 'fault', f: word, value: object });
      this.#say(`${word} ${object}: ${done.join('; ')}`);
    } catch (error) {
      if (!isLocalError(error) || error.code === 'not-running') {
        this.#failure ??= error as Error;
        this.#over.abort();
        return;
      }
      this.#refused += 1;
      this.#history.add({ type: 'fault', f: 'refused', value: `${word} ${object}: ${error.message}` });
      this.#say(`${word} ${object} was refused: ${error.message}`);
    }
  }

  /** A process that shall be killed may be down for a moment, for example because its database was killed. */
  async #askPatiently(order: Order): Promise<readonly string[]> {
    const until = performance.now() + TARGET_MS_MAX;
    for (;;) {
      try {
        return await askOrder(this.#data, order);
      } catch (error) {
        const mayComeBack =
          order.kind === 'process' &&
          order.order === 'kill' &&
          isLocalError(error) &&
          error.code === 'not-possible-now' &&
          performance.now() < until;
        if (!mayComeBack || this.#over.signal.aborted) throw error;
        await sleep(LOOK_AGAIN_MS);
      }
    }
  }

  /** @returns false when the run is over before. */
  async #sleepUntil(atMs: number): Promise<boolean> {
    const waitMs = Math.max(0, this.#begunMs + atMs - performance.now());
    return sleep(waitMs, true, { signal: this.#over.signal }).catch(() => false);
  }

  #say(line: string): void {
    this.#show(`${((performance.now() - this.#begunMs) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  }
}

/** An order as the command line says it: the word, and what it is about. */
function orderWords(order: Order): readonly [word: string, object: string] {
  switch (order.kind) {
    case 'process':
      return [order.order, targetText(order.target)];
    case 'cut':
      return [order.kind, order.lost === 'both' ? order.region : `${order.region} ${order.lost}`];
    case 'heal':
      return [order.kind, order.region];
    case 'swallow':
      return [order.kind, `${order.region} ${order.responses}`];
  }
}

/** From the name of a process in the status. */
function targetOf(name: string): Target {
  const dash = name.lastIndexOf('-');
  const [first, last] = [name.slice(0, dash), name.slice(dash + 1)];
  return first === 'kafka' && /^\d+$/.test(last)
    ? { kind: 'kafka', node: Number(last) }
    : { kind: 'region', region: first, process: last as RegionProcess };
}
