/**
 * What is no failed home moves nothing without a person, under load on real processes: processes that stand still for a moment,
 * busy processors, observers that stand still, a log that nobody reaches (I14). A link that goes up and down fails a home over
 * once at most, by the cool-down. LOCKSTEP_TEST_MINUTES says how long each lasts, a quarter of one by default.
 *
 * A machine that holds everything up for long enough fails a home in earnest. So how long each moment really was and how late this
 * process' own timers were is measured, and a failover is judged only where both were short; otherwise a new cluster is asked.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { LocalCluster, REGIONS, type Region } from '../e2e/local-cluster.js';
import { expectAgreement, expectDecisionsReplay } from './agreement.js';
import { BackgroundLoad } from './background-load.js';
import { failoversSeen } from './failed-home.js';
import { Operators } from './operators.js';

const LASTS_MS = Number(process.env['LOCKSTEP_TEST_MINUTES'] ?? '0.25') * 60_000;
const HELD_MS_MAX = 6 * LASTS_MS + 900_000;
const ROLES = ['gateway', 'replicator', 'coordinator', 'postgres'] as const;
const MOMENT_MS = 300;
/** Longer ones are no moments. */
const MOMENT_MS_MAX = 800;
/** Where timers are later than this, processes may have stood still without our doing. */
const LAG_MS_MAX = 500;
const RUNS_MAX = 3;
const OBSERVER_PAUSED_MS = 10_000;
const BROKER_REGION = 'ap' satisfies Region;

let cluster: LocalCluster;
let load: BackgroundLoad;

async function startCluster(): Promise<void> {
  cluster = await LocalCluster.start(['--wan', '0', '--brokers-in', BROKER_REGION]);
  await new Operators(cluster).allServe();
}

beforeAll(startCluster, 240_000);

afterAll(() => cluster?.stop(), 60_000);

const beginLoad = (): void => {
  load = new BackgroundLoad(cluster, { clients: 4, rate: 20 });
};
beforeEach(beginLoad);

afterEach(() => load.stop());

/** Over and over while it lasts; answers how often. */
async function again(step: (round: number) => Promise<unknown>): Promise<number> {
  const untilMs = performance.now() + LASTS_MS;
  let rounds = 0;
  for (; performance.now() < untilMs; rounds += 1) await step(rounds);
  return rounds;
}

/** @returns how long it may have stood still, in milliseconds. */
async function pauseFor(region: Region, process: (typeof ROLES)[number], ms: number): Promise<number> {
  const fromMs = performance.now();
  await cluster.orderProcess('pause', region, process);
  await delay(ms);
  await cluster.orderProcess('continue', region, process);
  return performance.now() - fromMs;
}

interface Run {
  readonly rounds: number;
  /** The longest that was to be a moment. */
  readonly momentMs?: number;
}

/** Moved nothing, or, where the machine was too slow to judge that, does not in another run. */
async function expectNoFailover(what: string, run: () => Promise<Run>): Promise<void> {
  for (let runs = 1; runs <= RUNS_MAX; runs += 1) {
    const lag = monitorEventLoopDelay();
    lag.enable();
    const { momentMs = 0, rounds } = await run();
    lag.disable();
    await new Operators(cluster).allServe();
    const failovers = [...(await failoversSeen(cluster, 'us'))];
    const lagMs = lag.max / 1e6;
    console.log(
      `${what}: ${rounds} rounds in ${LASTS_MS / 1_000} s, ${failovers.length} failovers, ` +
        `moments of ${Math.round(momentMs)} ms and timers ${Math.round(lagMs)} ms late at most`,
    );
    expect(rounds).toBeGreaterThan(0);
    if (momentMs < MOMENT_MS_MAX && lagMs < LAG_MS_MAX) expect(failovers).toEqual([]);
    if (failovers.length === 0) return;
    await load.stop();
    await cluster.stop();
    await startCluster();
    beginLoad();
  }
  throw new Error(
    `${what}: the machine was too slow to judge any of ${RUNS_MAX} runs; try again on an idle one`,
  );
}

test(
  `processes that stand still for ${MOMENT_MS} ms, one after the other and a whole region at once, move nothing`,
  () =>
    expectNoFailover('still for a moment', async () => {
      let momentMs = 0;
      const rounds = await again(async (round) => {
        const region = REGIONS[round % 3]!;
        const paused = round % 5 === 4 ? ROLES : [ROLES[round % 5]!];
        momentMs = Math.max(
          momentMs,
          ...(await Promise.all(paused.map((role) => pauseFor(region, role, MOMENT_MS)))),
        );
        await delay(MOMENT_MS);
      });
      return { rounds, momentMs };
    }),
  HELD_MS_MAX,
);

test(
  'processors that others keep busy move nothing',
  () =>
    expectNoFailover('busy processors', async () => {
      const hogs = cpus().map(() => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
      await delay(LASTS_MS);
      for (const hog of hogs) hog.kill('SIGKILL');
      await Promise.all(hogs.map((hog) => once(hog, 'exit')));
      return { rounds: 1 };
    }),
  HELD_MS_MAX,
);

test(
  `single observers that stand still for ${OBSERVER_PAUSED_MS / 1_000} s move nothing`,
  () =>
    expectNoFailover('observers', async () => {
      const rounds = await again(async (round) => {
        await pauseFor(REGIONS[round % 3]!, 'coordinator', OBSERVER_PAUSED_MS);
        await delay(1_000);
      });
      return { rounds };
    }),
  HELD_MS_MAX,
);

test(
  'a log that nobody reaches moves nothing',
  () =>
    expectNoFailover('no log', async () => {
      const target = { kind: 'kafka', node: null } as const;
      await cluster.order({ kind: 'process', order: 'pause', target, stayDown: false });
      await delay(LASTS_MS);
      await cluster.order({ kind: 'process', order: 'continue', target, stayDown: false });
      return { rounds: 1 };
    }),
  HELD_MS_MAX,
);

test(
  'a link that goes up and down fails its home over once at most',
  async () => {
    const rounds = await again(async (round) => {
      const [downMs, upMs] = [400 + ((round * 700) % 2_100), 1_500];
      await cluster.order({ kind: 'cut', region: 'eu', lost: 'both' });
      await delay(downMs);
      await cluster.order({ kind: 'heal', region: 'eu' });
      await delay(upMs);
    });
    await new Operators(cluster).allServe();
    const { size } = await failoversSeen(cluster, 'us');
    console.log(`up and down: ${rounds} rounds in ${LASTS_MS / 1_000} s, ${size} failovers`);
    expect(size).toBeLessThanOrEqual(1);
    await load.stop();
    await expectAgreement(cluster, 60_000);
    await expectDecisionsReplay(cluster);
  },
  HELD_MS_MAX,
);
