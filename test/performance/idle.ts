/**
 * What a cluster costs while nobody writes: processor time of its nine roles, without Kafka and Postgres, and the memory that they hold.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { residentMegabytes } from '../chaos/process-memory.ts';
import { LocalCluster, REGIONS } from '../e2e/local-cluster.ts';
import { spread, Stopwatch, type Benchmark, type Context, type Figure } from './benchmark.ts';
import { processesOf, ROLES } from './cluster-processes.ts';

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
    'Failovers need no person: each coordinator asks each other region for a canary every 500 ms, a strong read whose barrier every region folds.',
  ),
  run: async ({ ends, say }) => measure(await ends(LocalCluster.start()), 12, say),
};

async function measure(
  cluster: LocalCluster,
  goalMost: number,
  say: Context['say'],
): Promise<readonly Figure[]> {
  const pids = processesOf(cluster);
  const roles = ROLES.map((role) => ({
    role,
    processes: REGIONS.map((region) => ({ name: `${region} ${role}`, pid: pids[`${region} ${role}`]! })),
  }));
  const nine = roles.flatMap(({ processes }) => processes);
  const watched = Object.fromEntries(nine.map(({ name, pid }) => [name, pid]));
  await pause(SETTLING_MS);
  const watches: Stopwatch[] = [];
  for (let window = 1; window <= WINDOWS; window += 1) {
    const watch = new Stopwatch(watched);
    watch.start();
    await pause(WINDOW_MS);
    watch.stop();
    watches.push(watch);
    say(`window ${window}/${WINDOWS}: nine roles ${shareOf(watch, nine).toFixed(1)} % of a core`);
  }
  const share = (name: string, processes: readonly Named[]): Figure => ({
    name,
    unit: '% of a core',
    ...spread(watches.map((watch) => shareOf(watch, processes))),
  });
  return [
    { ...share('nine roles', nine), goalMost },
    ...roles.map(({ processes, role }) => share(`three ${role}s`, processes)),
    ...roles.map(({ processes, role }) => ({
      name: `a ${role}: resident memory`,
      unit: 'MB',
      ...spread(processes.map(({ pid }) => residentMegabytes(pid))),
    })),
    share('other programs on this machine, Kafka and Postgres among them', [{ name: 'others' }]),
  ];
}

/** As the processor time tells it. */
interface Named {
  readonly name: string;
}

/** Of a core, in per cent. */
const shareOf = ({ processor, seconds }: Stopwatch, processes: readonly Named[]): number =>
  processes.reduce((sum, { name }) => sum + (100 * processor[name]!) / seconds, 0);
