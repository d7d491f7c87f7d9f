/**
 * What a cluster costs while nobody writes: processor time of its nine roles, without Kafka and Postgres, and the memory that they hold.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { residentMegabytes } from '../chaos/process-memory.ts';
import { LocalCluster, REGIONS } from '../e2e/local-cluster.ts';
import { spread, type Benchmark, type Context, type Figure } from './benchmark.ts';
import { processorTime, timeBetween, type WatchedProcesses } from './processor-time.ts';

const ROLES = ['gateway', 'replicator', 'coordinator'] as const;
const SETTLING_MS = 30_000;
const WINDOWS = 8;
const WINDOW_MS = 15_000;

const profile = (probes: string): string =>
  `Three regions, one broker, three databases and nine roles on one machine; nobody writes. ${probes} \
${WINDOWS} windows of ${WINDOW_MS / 1_000} s, ${SETTLING_MS / 1_000} s behind the start.`;

export const idle: Benchmark = {
  name: 'idle',
  profile: profile('People alone decide failovers, so that regions are not probed.'),
  run: async ({ cluster, say }) => measure(await cluster(), 6, say),
};

export const idleProbed: Benchmark = {
  name: 'idle-probed',
  profile: profile(
    'Failovers need no person: each coordinator sends each region a canary write every 500 ms, which is folded everywhere.',
  ),
  run: async ({ ends, say }) => measure(await ends(LocalCluster.start()), 12, say),
};

async function measure(
  cluster: LocalCluster,
  goalMost: number,
  say: Context['say'],
): Promise<readonly Figure[]> {
  const watched: Record<string, number> = {};
  for (const region of REGIONS)
    for (const role of ROLES) watched[`${region} ${role}`] = cluster.file.regions[region]!.pids[role]!;
  await pause(SETTLING_MS);
  const shares: Readonly<Record<string, number>>[] = [];
  for (let window = 1; window <= WINDOWS; window += 1) {
    const share = await shareOfWindow(watched);
    shares.push(share);
    say(`window ${window}/${WINDOWS}: nine roles ${all(share).toFixed(1)} % of a core`);
  }
  const isRole = (role: string) => (name: string) => name.endsWith(` ${role}`);
  return [
    { name: 'nine roles', unit: '% of a core', ...spread(shares.map((share) => all(share))), goalMost },
    ...ROLES.map((role) => ({
      name: `three ${role}s`,
      unit: '% of a core',
      ...spread(shares.map((share) => sum(share, isRole(role)))),
    })),
    ...ROLES.map((role) => ({
      name: `a ${role}: resident memory`,
      unit: 'MB',
      ...spread(
        Object.keys(watched)
          .filter(isRole(role))
          .map((name) => residentMegabytes(watched[name]!)),
      ),
    })),
    {
      name: 'other programs on this machine, Kafka and Postgres among them',
      unit: '% of a core',
      ...spread(shares.map(({ others }) => others!)),
    },
  ];
}

async function shareOfWindow(watched: WatchedProcesses): Promise<Readonly<Record<string, number>>> {
  const startMs = performance.now();
  const before = processorTime(watched);
  await pause(WINDOW_MS);
  const spent = timeBetween(before, processorTime(watched));
  const seconds = (performance.now() - startMs) / 1_000;
  return Object.fromEntries(Object.entries(spent).map(([name, used]) => [name, (100 * used) / seconds]));
}

const sum = (share: Readonly<Record<string, number>>, of: (name: string) => boolean): number =>
  Object.entries(share).reduce((total, [name, part]) => (of(name) ? total + part : total), 0);

const all = (share: Readonly<Record<string, number>>): number =>
  sum(share, (name) => ROLES.some((role) => name.endsWith(` ${role}`)));
