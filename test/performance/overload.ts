/**
 * Overload: what three regions still do when ten times of what they can take is asked of them for a minute.
 *
 * The cluster has one processor, the client another one: what the client needs to ask is no part of what is measured.
 * A caller does not wait for the one before it (open loop), so that lateness cannot slow the demand down.
 */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { REGIONS, type LocalCluster } from '../e2e/local-cluster.ts';
import { spread, type Benchmark, type Context, type Figure } from './benchmark.ts';

const WARM_UP_S = 20;
const USUAL_S = 20;
const BEST_S = 12;
const CLIENTS = [8, 16, 32, 64] as const;
const OVERLOAD_S = 60;
const OVERLOAD_TIMES = 10;
/** What the caller of a critical entry usually asks, of what the cluster can take at best. */
const USUAL_SHARE = 0.2;
const TICK_MS = 10;
const TIMEOUT_MS = 5_000;
const SOCKETS_MAX = 256;
/** Callers who find so many before them hang up without having sent anything. */
const WAITING_MAX = 3_000;

export const overload: Benchmark = {
  name: 'overload',
  profile: `Three regions, one broker and three databases on one processor, the client on another one. Entries to random \
gateways: accounts (critical, ack quorum), orders (standard, ack accepted) and readings (bulk, 10 events, ack logged), \
one, two and seven of ten. Usual: a fifth of the best. Best: the highest rate of ${CLIENTS.join(', ')} callers who each \
wait for their answer. Overload: ${OVERLOAD_TIMES} times the best for ${OVERLOAD_S} s without waiting, accounts at their usual \
rate. Afterwards: the best load again. Goodput: entries answered with success, per second. Memory: resident, of broker, roles and postmasters.`,
  run: async ({ cluster, say }) => measure(say, await cluster()),
};

type Dataset = 'accounts' | 'orders' | 'readings';

interface Heard {
  readonly dataset: Dataset;
  readonly atMs: number;
  readonly tookMs: number;
  /** Null: no answer. */
  readonly status: number | null;
}

/** So many callers who each wait for their answer. */
interface Load {
  readonly clients: number;
  readonly heard: readonly Heard[];
  readonly rate: number;
}

async function measure(say: Context['say'], cluster: LocalCluster): Promise<readonly Figure[]> {
  const pids = processesOf(cluster);
  keepOn(0, pids);
  keepOn(1, [process.pid]);
  const callers = new Callers(REGIONS.map((region) => cluster.gateway(region)));
  await callers.open();
  try {
    say('warming up');
    await callers.closedLoop(16, WARM_UP_S);
    const loads: Load[] = [];
    for (const clients of CLIENTS) {
      const atBest = await callers.closedLoop(clients, BEST_S);
      const rate = goodput(atBest, BEST_S);
      say(`${clients} callers: ${rate.toFixed(0)}/s, ${told(atBest)}`);
      loads.push({ clients, heard: atBest, rate });
    }
    const bestLoad = loads.reduce((most, load) => (load.rate > most.rate ? load : most));
    const best = bestLoad.rate;
    const usualRate = best * USUAL_SHARE;
    const accountsRate = usualRate / 10;
    const usual = await callers.openLoop(usualRate - accountsRate, USUAL_S, accountsRate);
    say(`usual, ${usualRate.toFixed(0)}/s: ${told(usual.heard)}`);
    const before = residentBytes(pids);
    const memory: number[] = [];
    const watch = setInterval(() => memory.push(residentBytes(pids)), 1_000);
    const { heard, asked, sent } = await callers.openLoop(best * OVERLOAD_TIMES, OVERLOAD_S, accountsRate);
    clearInterval(watch);
    say(
      `overload: asked ${(asked / OVERLOAD_S).toFixed(0)}/s, sent ${(sent / OVERLOAD_S).toFixed(0)}/s, ${told(heard)}`,
    );
    const again = await callers.closedLoop(bestLoad.clients, BEST_S);
    say(`afterwards, ${bestLoad.clients} callers: ${goodput(again, BEST_S).toFixed(0)}/s, ${told(again)}`);
    const critical = (all: readonly Heard[], share: number): number =>
      quantile(
        all.filter(({ dataset, status }) => dataset === 'accounts' && status === 200),
        share,
      );
    const refused = heard.filter(({ status }) => status === 429);
    const thirds = memory.length / 3;
    const accounts = heard.filter(({ dataset }) => dataset === 'accounts');
    const served = accounts.filter(({ status }) => status === 200).length / accounts.length;
    const single = (name: string, unit: string, value: number, goal?: number): Figure => ({
      name,
      unit,
      ...spread([value]),
      ...(goal === undefined ? {} : { goal }),
    });
    return [
      single('goodput at overload / best', 'ratio', goodput(heard, OVERLOAD_S) / best, 0.8),
      single(
        'usual p50 of accounts / p50 at overload',
        'ratio',
        critical(usual.heard, 0.5) / critical(heard, 0.5),
        1 / 3,
      ),
      single(
        'usual p99 of accounts / p99 at overload',
        'ratio',
        critical(usual.heard, 0.99) / critical(heard, 0.99),
        1 / 3,
      ),
      single(
        'best p50 of accounts / p50 at overload',
        'ratio',
        critical(bestLoad.heard, 0.5) / critical(heard, 0.5),
        1 / 3,
      ),
      single('accounts that succeed at overload', 'ratio', served, 0.95),
      single(
        'memory of the second third / of the last',
        'ratio',
        Math.max(...memory.slice(thirds, 2 * thirds)) / Math.max(...memory.slice(2 * thirds)),
        0.95,
      ),
      single('goodput after overload / best', 'ratio', goodput(again, BEST_S) / best, 0.9),
      single('best goodput', 'entries/s', best),
      single('sent at overload / best', 'ratio', sent / OVERLOAD_S / best),
      single('memory before', 'MB', before / 1e6),
      single('memory at the end', 'MB', memory.at(-1)! / 1e6),
      single('p50 of accounts, usual', 'ms', critical(usual.heard, 0.5)),
      single('p99 of accounts, usual', 'ms', critical(usual.heard, 0.99)),
      single('p50 of accounts, best', 'ms', critical(bestLoad.heard, 0.5)),
      single('p50 of accounts, overload', 'ms', critical(heard, 0.5)),
      single('p99 of accounts, overload', 'ms', critical(heard, 0.99)),
      single('p50 of refusals, overload', 'ms', quantile(refused, 0.5)),
      single('p99 of refusals, overload', 'ms', quantile(refused, 0.99)),
    ];
  } finally {
    callers.close();
  }
}

/** Asks entries through all gateways; remembers every answer. */
class Callers {
  private readonly agents: readonly { readonly url: string; readonly agent: Agent }[];
  private waiting = 0;

  constructor(gateways: readonly string[]) {
    this.agents = gateways.map((url) => ({
      url,
      agent: new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX }),
    }));
  }

  /** The accounts that are credited later. */
  async open(): Promise<void> {
    for (const key of ACCOUNTS) {
      const event = { key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } };
      const { status } = await this.ask({
        dataset: 'accounts',
        body: { events: [event], ack: 'everywhere' },
      });
      if (status !== 200) throw new Error(`the account ${key} was not opened: ${status}`);
    }
  }

  async closedLoop(clients: number, seconds: number): Promise<readonly Heard[]> {
    const untilMs = performance.now() + seconds * 1_000;
    const heard: Heard[] = [];
    await Promise.all(
      Array.from({ length: clients }, async () => {
        while (performance.now() < untilMs)
          heard.push(await this.ask(Math.random() < 0.1 ? accountEntry() : withoutAccounts()));
      }),
    );
    return heard;
  }

  async openLoop(
    perSecond: number,
    seconds: number,
    accountsPerSecond: number,
  ): Promise<{ readonly heard: readonly Heard[]; readonly asked: number; readonly sent: number }> {
    const heard: Heard[] = [];
    const running = new Set<Promise<void>>();
    let asked = 0;
    let sent = 0;
    const send = (entry: Entry): void => {
      asked += 1;
      if (this.waiting >= WAITING_MAX) return;
      sent += 1;
      const asking: Promise<void> = this.ask(entry).then((answer) => {
        heard.push(answer);
        running.delete(asking);
      });
      running.add(asking);
    };
    const startMs = performance.now();
    let others = 0;
    let accounts = 0;
    for (;;) {
      const passedS = Math.min((performance.now() - startMs) / 1_000, seconds);
      for (; accounts < passedS * accountsPerSecond; accounts += 1) send(accountEntry());
      for (; others < passedS * perSecond; others += 1) send(withoutAccounts());
      if (passedS === seconds) break;
      await delay(TICK_MS);
    }
    await Promise.all(running);
    return { heard, asked, sent };
  }

  close(): void {
    for (const { agent } of this.agents) agent.destroy();
  }

  private ask({ dataset, body }: Entry): Promise<Heard> {
    const { agent, url } = this.agents[Math.floor(Math.random() * this.agents.length)]!;
    const text = JSON.stringify({ timeoutMs: TIMEOUT_MS, ...body });
    const atMs = performance.now();
    this.waiting += 1;
    return new Promise<Heard>((resolve) => {
      const end = (status: number | null): void => {
        this.waiting -= 1;
        resolve({ dataset, atMs, tookMs: performance.now() - atMs, status });
      };
      const outgoing = request(`${url}/v1/datasets/${dataset}/entries`, {
        agent,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
          'idempotency-key': randomUUID(),
        },
      });
      outgoing.on('error', () => end(null));
      outgoing.on('response', (response) => {
        response.resume();
        response.on('end', () => end(response.statusCode!));
      });
      outgoing.end(text);
    });
  }
}

interface Entry {
  readonly dataset: Dataset;
  readonly body: object;
}

const ACCOUNTS = REGIONS.flatMap((region) => Array.from({ length: 20 }, (_, i) => `${region}:overload-${i}`));
const pick = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)]!;

function accountEntry(): Entry {
  const event = { key: pick(ACCOUNTS), type: 'credited', data: { amount: 1 } };
  return { dataset: 'accounts', body: { events: [event], ack: 'quorum' } };
}

function withoutAccounts(): Entry {
  const group = pick(REGIONS);
  if (Math.random() < 2 / 9) {
    const event = { key: `${group}:${randomUUID()}`, type: 'placed', data: { customer: 'c', total: 5 } };
    return { dataset: 'orders', body: { events: [event], ack: 'accepted' } };
  }
  const station = `${group}:station-${Math.floor(Math.random() * 500)}`;
  const events = Array.from({ length: 10 }, (_, i) => ({
    key: `${station}/${i}`,
    type: 'recorded',
    data: { sensor: `s${i}`, value: 1.5, at: '2026-11-21T08:00:00Z' },
  }));
  return { dataset: 'readings', body: { events, ack: 'logged' } };
}

/** Entries that were answered with success, per second. */
const goodput = (heard: readonly Heard[], seconds: number): number =>
  heard.filter(({ status }) => status === 200).length / seconds;

function quantile(heard: readonly Heard[], share: number): number {
  const sorted = heard.map(({ tookMs }) => tookMs).sort((x, y) => x - y);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Infinity;
}

function told(heard: readonly Heard[]): string {
  const statuses = Object.entries(
    Object.groupBy(heard, ({ dataset, status }) => `${dataset} ${status ?? 'no answer'}`),
  );
  return statuses
    .sort()
    .map(
      ([name, some]) =>
        `${name}: ${some!.length} (p50 ${quantile(some!, 0.5).toFixed(0)} ms, p99 ${quantile(some!, 0.99).toFixed(0)} ms)`,
    )
    .join(', ');
}

/** Broker, databases and roles; of a database its postmaster. */
function processesOf(cluster: LocalCluster): readonly number[] {
  const { kafka, regions } = cluster.file;
  const parents = [...kafka.pids, ...Object.values(regions).flatMap(({ pids }) => Object.values(pids))];
  return parents.filter((pid): pid is number => typeof pid === 'number');
}

/** With all threads; what they start later stays there too. */
function keepOn(processor: number, pids: readonly number[]): void {
  const families = pids.flatMap((pid) => [pid, ...childrenOf(pid)]);
  for (const pid of families) execFileSync('taskset', ['-acp', String(processor), String(pid)]);
}

const childrenOf = (pid: number): readonly number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);

function residentBytes(pids: readonly number[]): number {
  const bytesOf = (pid: number): number => {
    const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line === null ? 0 : Number(line[1]) * 1_024;
  };
  return pids.reduce((sum, pid) => sum + bytesOf(pid), 0);
}
