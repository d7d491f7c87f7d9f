/**
 * Does memory grow? The live heap of the nine roles of a cluster under a steady load, again and again behind a collection of
 * everything that is garbage; the slope says what each entry leaves behind.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { dataFolder } from '@lockstep/local';
import { residentMegabytes } from '../chaos/process-memory.ts';
import { LocalCluster, REGIONS } from '../e2e/local-cluster.ts';
import { spread, Stopwatch, type Benchmark, type Context, type Figure } from './benchmark.ts';
import { processesOf, ROLES } from './cluster-processes.ts';
import { HeapInspector, INSPECTED, type HeapContent } from './heap-inspector.ts';
import { READINGS_LOAD, ReadingsLoad } from './readings-load.ts';
import { EVENTS_PER_ENTRY } from './sample-writes.ts';

const EVENTS_PER_SECOND = 10_000;
/** Of the pace: less would be another load. */
const RATE_LEAST = 0.98;
/** Until structures are full that are bounded: the last 2,048 steps of each shard and stage (`LedgerFeed`) take seven minutes. */
const WARM_UP_MS = 480_000;
const WINDOW_MS = 600_000;
const SAMPLE_EVERY_MS = 10_000;
/** A pointer: who keeps anything of an entry keeps more. */
const BYTES_PER_ENTRY_MOST = 8;
const CONTENT_AFTER_MS = 60_000;
const CONTENT_REGION = 'eu';
const CONTENT_SHOWN = 5;

export const soak: Benchmark = {
  name: 'soak',
  profile: `Three regions, one broker, three databases and nine roles on one machine, ${EVENTS_PER_SECOND} events a second for \
${WINDOW_MS / 60_000} minutes behind ${WARM_UP_MS / 60_000} minutes that do not count. ${READINGS_LOAD} Live heap: of each role, with \
its buffers, every ${SAMPLE_EVERY_MS / 1_000} s behind a forced collection, by its inspector. Slope: of the straight line with the least \
squares. Kept of an entry: what the least live heap of the last half is beyond the least of the first half, over the entries logged in half \
of the time, as a structure that is full drops a part of itself from time to time and its heap goes up and down; zero is what is less \
than the ${BYTES_PER_ENTRY_MOST} bytes of a pointer, as who keeps anything of each entry keeps more. In the end every region has applied all that \
was logged, and has the same rows.`,
  run: async ({ ends, say }) => measure(await ends(LocalCluster.startAttended([], INSPECTED)), ends, say),
};

interface Inspected {
  readonly name: string;
  readonly role: (typeof ROLES)[number];
  readonly pid: number;
  readonly heap: HeapInspector;
  readonly samples: Sample[];
}

interface Sample {
  readonly minute: number;
  /** In MB, as the resident memory. */
  readonly live: number;
  readonly resident: number;
}

async function measure(
  cluster: LocalCluster,
  ends: Context['ends'],
  say: Context['say'],
): Promise<readonly Figure[]> {
  const processes = processesOf(cluster);
  const roles: Inspected[] = [];
  for (const region of REGIONS)
    for (const role of ROLES) {
      const name = `${region} ${role}`;
      const log = join(dataFolder(cluster.data).logs, `${region}-${role}.log`);
      const heap = await ends(HeapInspector.attach(log));
      roles.push({ name, role, pid: processes[name]!, heap, samples: [] });
    }
  const watch = new Stopwatch(processes);
  const load = await ReadingsLoad.start(cluster, EVENTS_PER_SECOND);
  say('warming up');
  await pause(WARM_UP_MS);
  const loggedBefore = load.logged;
  watch.start();
  const startMs = performance.now();
  for (let dueMs = startMs; dueMs <= startMs + WINDOW_MS; dueMs += SAMPLE_EVERY_MS) {
    await pause(Math.max(0, dueMs - performance.now()));
    for (const { heap, pid, samples } of roles) {
      const live = (await heap.liveBytes()) / 1e6;
      samples.push({
        minute: (performance.now() - startMs) / 60_000,
        live,
        resident: residentMegabytes(pid),
      });
    }
    say(
      `${load.logged} entries logged, ${load.failed} failed ${load.lastFailure}; live: ${roles
        .map(({ name, samples }) => `${name} ${samples.at(-1)!.live.toFixed(2)} MB`)
        .join(', ')}`,
    );
  }
  watch.stop();
  const entries = load.logged - loggedBefore;
  const shown = roles.filter(({ name }) => name.startsWith(CONTENT_REGION));
  await sayGrowth(shown, say);
  await load.stop();
  await load.settle();
  return [
    ...ROLES.flatMap((role) => heapFigures(role, roles, entries)),
    {
      name: 'events logged, and applied in every region',
      unit: 'events/s',
      ...spread([(entries * EVENTS_PER_ENTRY) / watch.seconds]),
      goal: RATE_LEAST * EVENTS_PER_SECOND,
    },
    { name: 'entries that were due and were not logged', unit: 'entries', ...spread([load.failed]) },
    ...Object.keys(watch.processor).map((process) => ({
      name: process === 'others' ? 'other programs on this machine' : `processor time of ${process}`,
      unit: '% of a core',
      ...spread([(100 * watch.processor[process]!) / watch.seconds]),
    })),
  ];
}

function heapFigures(
  role: Inspected['role'],
  roles: readonly Inspected[],
  entries: number,
): readonly Figure[] {
  const samples = roles.filter((one) => one.role === role).map((one) => one.samples);
  const lines = samples.map(lineThrough);
  const half = Math.floor(samples[0]!.length / 2);
  const third = Math.floor(samples[0]!.length / 3);
  const least = (values: readonly Sample[]): number => Math.min(...values.map(({ live }) => live));
  const kept = samples.map((own) =>
    Math.max(0, (1e6 * (least(own.slice(-half)) - least(own.slice(0, half)))) / (entries / 2)),
  );
  const figure = (name: string, unit: string, values: readonly number[]): Figure => ({
    name: `a ${role}: ${name}`,
    unit,
    ...spread(values),
  });
  const thirds = (name: string, of: (sample: Sample) => number): readonly Figure[] => [
    figure(
      `${name}, first third`,
      'MB',
      samples.map((own) => mean(own.slice(0, third), of)),
    ),
    figure(
      `${name}, last third`,
      'MB',
      samples.map((own) => mean(own.slice(-third), of)),
    ),
  ];
  return [
    {
      ...figure('kept of an entry, the most of three', 'bytes', kept),
      median: Math.max(...kept),
      goalMost: BYTES_PER_ENTRY_MOST,
    },
    figure(
      'slope of the live heap',
      'kB/min',
      lines.map(({ slope }) => 1e3 * slope),
    ),
    figure(
      'standard error of the slope',
      'kB/min',
      lines.map(({ error }) => 1e3 * error),
    ),
    ...thirds('live heap', ({ live }) => live),
    ...thirds('resident memory', ({ resident }) => resident),
  ];
}

/** With the least squares: megabytes a minute, and how sure that is. */
function lineThrough(samples: readonly Sample[]): { readonly slope: number; readonly error: number } {
  const minute = mean(samples, (sample) => sample.minute);
  const live = mean(samples, (sample) => sample.live);
  const sum = (of: (sample: Sample) => number): number => samples.length * mean(samples, of);
  const width = sum((sample) => (sample.minute - minute) ** 2);
  const slope = sum((sample) => (sample.minute - minute) * (sample.live - live)) / width;
  const rest = sum((sample) => (sample.live - live - slope * (sample.minute - minute)) ** 2);
  return { slope, error: Math.sqrt(rest / (samples.length - 2) / width) };
}

const mean = (samples: readonly Sample[], of: (sample: Sample) => number): number =>
  samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;

/** What there was more of a minute later: behind the window, as a snapshot stops its process for seconds. */
async function sayGrowth(roles: readonly Inspected[], say: Context['say']): Promise<void> {
  const before: HeapContent[] = [];
  for (const { heap } of roles) before.push(await heap.content());
  await pause(CONTENT_AFTER_MS);
  for (const [index, { name, heap }] of roles.entries()) {
    const after = await heap.content();
    const grown = [...after]
      .map(([kind, { objects, bytes }]) => {
        const { objects: objectsBefore, bytes: bytesBefore } = before[index]!.get(kind) ?? {
          objects: 0,
          bytes: 0,
        };
        return { kind, objects: objects - objectsBefore, bytes: bytes - bytesBefore };
      })
      .sort((x, y) => y.bytes - x.bytes)
      .slice(0, CONTENT_SHOWN);
    say(
      `${name}, grew most in a minute: ${grown
        .map(({ kind, objects, bytes }) => `${kind} ${objects} objects, ${(bytes / 1e3).toFixed(1)} kB`)
        .join('; ')}`,
    );
  }
}
