/**
 * What is no failed home moves nothing without a person, under load on real processes: processes that stand still for a moment,
 * busy processors, observers that stand still, a log that nobody reaches (I14). A link that goes up and down fails a home over
 * once at most, by the cool-down. LOCKSTEP_TEST_MINUTES says how long each lasts, a quarter of one by default.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { LocalCluster, REGIONS, type Region } from '../e2e/local-cluster.js';
import { expectAgreement } from './agreement.js';
import { BackgroundLoad } from './background-load.js';
import { failoversSeen } from './failed-home.js';
import { Operators } from './operators.js';

const LASTS_MS = Number(process.env['LOCKSTEP_TEST_MINUTES'] ?? '0.25') * 60_000;
const HELD_MS_MAX = 2 * LASTS_MS + 240_000;
const ROLES = ['gateway', 'replicator', 'coordinator', 'postgres'] as const;
const MOMENT_MS = 300;
const OBSERVER_PAUSED_MS = 10_000;
const BROKER_REGION = 'ap' satisfies Region;

let cluster: LocalCluster;
let load: BackgroundLoad;

beforeAll(async () => {
  cluster = await LocalCluster.start(['--wan', '0', '--brokers-in', BROKER_REGION]);
  await new Operators(cluster).allServe();
}, 240_000);

afterAll(() => cluster?.stop(), 60_000);

beforeEach(() => {
  load = new BackgroundLoad(cluster, { clients: 4, rate: 20 });
});

afterEach(() => load.stop());

/** Over and over while it lasts; answers how often. */
async function again(step: (round: number) => Promise<unknown>): Promise<number> {
  const untilMs = performance.now() + LASTS_MS;
  let rounds = 0;
  for (; performance.now() < untilMs; rounds += 1) await step(rounds);
  return rounds;
}

async function pauseFor(region: Region, process: (typeof ROLES)[number], ms: number): Promise<void> {
  await cluster.orderProcess('pause', region, process);
  await delay(ms);
  await cluster.orderProcess('continue', region, process);
}

async function expectNoFailover(what: string, rounds: number): Promise<void> {
  await new Operators(cluster).allServe();
  const failovers = await failoversSeen(cluster, 'us');
  console.log(`${what}: ${rounds} rounds in ${LASTS_MS / 1_000} s, ${failovers.length} failovers`);
  expect(rounds).toBeGreaterThan(0);
  expect(failovers).toEqual([]);
}

test(
  `processes that stand still for ${MOMENT_MS} ms, one after the other and a whole region at once, move nothing`,
  async () => {
    const rounds = await again(async (round) => {
      const region = REGIONS[round % 3]!;
      if (round % 5 === 4) await Promise.all(ROLES.map((role) => pauseFor(region, role, MOMENT_MS)));
      else await pauseFor(region, ROLES[round % 5]!, MOMENT_MS);
      await delay(MOMENT_MS);
    });
    await expectNoFailover('still for a moment', rounds);
  },
  HELD_MS_MAX,
);

test(
  'processors that others keep busy move nothing',
  async () => {
    const hogs = cpus().map(() => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
    await delay(LASTS_MS);
    for (const hog of hogs) hog.kill('SIGKILL');
    await Promise.all(hogs.map((hog) => once(hog, 'exit')));
    await expectNoFailover('busy processors', 1);
  },
  HELD_MS_MAX,
);

test(
  `single observers that stand still for ${OBSERVER_PAUSED_MS / 1_000} s move nothing`,
  async () => {
    const rounds = await again(async (round) => {
      await pauseFor(REGIONS[round % 3]!, 'coordinator', OBSERVER_PAUSED_MS);
      await delay(1_000);
    });
    await expectNoFailover('observers', rounds);
  },
  HELD_MS_MAX,
);

test(
  'a log that nobody reaches moves nothing',
  async () => {
    const target = { kind: 'kafka', node: null } as const;
    await cluster.order({ kind: 'process', order: 'pause', target, stayDown: false });
    await delay(LASTS_MS);
    await cluster.order({ kind: 'process', order: 'continue', target, stayDown: false });
    await expectNoFailover('no log', 1);
  },
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
    const failovers = await failoversSeen(cluster, 'us');
    console.log(`up and down: ${rounds} rounds in ${LASTS_MS / 1_000} s, ${failovers.length} failovers`);
    expect(failovers.length).toBeLessThanOrEqual(1);
    await load.stop();
    await expectAgreement(cluster, 60_000);
  },
  HELD_MS_MAX,
);
