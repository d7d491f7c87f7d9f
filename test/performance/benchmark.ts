/**
 * What a benchmark is: a name, what is measured under which conditions, and figures.
 *
 * The machine is small and shared, so a rate says little alone. The sides of a benchmark are measured in turns (A, B, A,
 * B, ...) on the same servers, a ratio is formed within each round, and a figure is the median of its rounds with the
 * least and the greatest.
 */
import type { LocalCluster } from '../e2e/local-cluster.ts';
import type { Servers } from './servers.ts';
import { processorTime, timeBetween, type ProcessorTime, type WatchedProcesses } from './processor-time.ts';

export interface Benchmark {
  readonly name: string;
  /** Sizes, durability and placement: what someone must know to repeat it. */
  readonly profile: string;
  run(context: Context): Promise<readonly Figure[]>;
}

export interface Context {
  /** Starts the servers of this run at the first call. */
  readonly servers: () => Promise<Servers>;
  /** A local cluster, started as a user starts it; it ends with the run. */
  readonly cluster: (options?: readonly string[]) => Promise<LocalCluster>;
  /** Whatever else a benchmark starts; it ends with the run too. */
  readonly ends: <T extends Stoppable>(starting: Promise<T>) => Promise<T>;
  readonly say: (line: string) => void;
}

export interface Stoppable {
  stop(): Promise<void>;
}

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** What the median shall reach; absent where there is no goal. */
  readonly goal?: number;
  /** What the median shall not exceed. */
  readonly goalMost?: number;
}

export interface Side {
  readonly name: string;
  /** Prepares, starts the watch, works, stops the watch, cleans up; answers how much was done in between. */
  measure(watch: Stopwatch): Promise<number>;
}

export class Stopwatch {
  readonly #processes: WatchedProcesses;
  #startedMs = 0;
  #before: ProcessorTime | null = null;
  seconds = 0;
  /** Seconds of processor time between start and stop. */
  processor: ProcessorTime = {};
  /** Resident memory of this process at the end, in MB. */
  residentMb = 0;
  /** What was counted meanwhile, by name. */
  readonly counts = new Map<string, number>();

  constructor(processes: WatchedProcesses) {
    this.#processes = processes;
  }

  start(): void {
    this.#before = processorTime(this.#processes);
    this.#startedMs = performance.now();
  }

  stop(): void {
    this.seconds = (performance.now() - this.#startedMs) / 1_000;
    if (this.#before === null) throw new Error('the watch was stopped before it was started');
    this.processor = timeBetween(this.#before, processorTime(this.#processes));
    this.residentMb = process.memoryUsage.rss() / 2 ** 20;
  }

  count(name: string, amount: number): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + amount);
  }
}

export interface Sample {
  readonly rate: number;
  readonly amount: number;
  readonly watch: Stopwatch;
}

/** What was measured, by side, one sample per round. */
export type Rounds = ReadonlyMap<string, readonly Sample[]>;

/** What a figure needs at least, whose sides take turns of a few seconds. */
export const ROUNDS = 7;

interface Turns {
  readonly say: Context['say'];
  readonly processes: WatchedProcesses;
  readonly sides: readonly Side[];
}

/** For a Java machine, which compiles as it goes and has not done with it after one round. */
export async function warmUp({
  say,
  processes,
  sides,
  seconds,
}: Turns & { readonly seconds: number }): Promise<void> {
  const untilMs = performance.now() + seconds * 1_000;
  while (performance.now() < untilMs)
    for (const { measure } of sides) await measure(new Stopwatch(processes));
  say(`${seconds} s of warm-up are over`);
}

/** One round more than asked for: the first one warms caches and compilers and does not count. */
export async function inTurns({
  say,
  processes,
  sides,
  rounds,
}: Turns & { readonly rounds: number }): Promise<Rounds> {
  const samples = new Map<string, Sample[]>(sides.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const { name, measure } of sides) {
      const watch = new Stopwatch(processes);
      const amount = await measure(watch);
      const rate = amount / watch.seconds;
      if (round > 0) samples.get(name)!.push({ rate, amount, watch });
      const busy = Object.entries(watch.processor)
        .map(([process, seconds]) => `${process} ${((100 * seconds) / watch.seconds).toFixed(0)} %`)
        .join(', ');
      const count = round === 0 ? 'warm-up' : `round ${round}/${rounds}`;
      say(
        `${count}  ${name}: ${rate.toFixed(0)}/s (${amount} in ${watch.seconds.toFixed(2)} s; of a core: ${busy})`,
      );
    }
  }
  return samples;
}

export function spread(values: readonly number[]): Pick<Figure, 'median' | 'min' | 'max'> {
  const sorted = values.toSorted((x, y) => x - y);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/** How busy everything else kept the machine meanwhile: figures of a disturbed run are to be taken again. */
export const disturbance = (rounds: Rounds): Figure => ({
  name: 'other programs on this machine',
  unit: '% of a core',
  ...spread(
    [...rounds.values()].flat().map(({ watch }) => (100 * watch.processor['others']!) / watch.seconds),
  ),
});

/** @param scale how much of the unit one piece of work is. */
export const rate = (rounds: Rounds, side: string, unit: string, scale = 1): Figure => ({
  name: side,
  unit,
  ...spread(rounds.get(side)!.map((sample) => sample.rate * scale)),
});

/** `side` over `other`, round by round. */
export function ratio(rounds: Rounds, side: string, other: string, goal?: number): Figure {
  const name = `${side} / ${other}`;
  return {
    ...between(rounds, name, [side, other], (sample) => sample.rate),
    ...(goal === undefined ? {} : { goal }),
  };
}

/** What the first side shows over what the second one does, round by round. */
export function between(
  rounds: Rounds,
  name: string,
  [side, other]: readonly [string, string],
  shown: (sample: Sample) => number,
): Figure {
  const others = rounds.get(other)!;
  const values = rounds.get(side)!.map((sample, round) => shown(sample) / shown(others[round]!));
  return { name, unit: 'ratio', ...spread(values) };
}

/** How often something happened, or how much of it there was, for one unit of a side's work. */
export const counted = (rounds: Rounds, side: string, count: string, what: string): Figure => ({
  name: `${side}: ${count}`,
  unit: `per ${what}`,
  ...spread(rounds.get(side)!.map((sample) => countOf(sample, count))),
});

/** What a side counts once in a round. */
export const P50_MS = 'p50';

export const p50 = (rounds: Rounds, side: string): Figure => ({
  name: `${side}: p50`,
  unit: 'ms',
  ...spread(rounds.get(side)!.map(({ watch }) => watch.counts.get(P50_MS)!)),
});

export const countOf = ({ watch, amount }: Sample, count: string): number =>
  watch.counts.get(count)! / amount;

export const clientTimeOf = ({ watch, amount }: Sample): number => watch.processor['client']! / amount;

/** Resident memory of this process, whatever its rounds have left in it. */
export const memory = (rounds: Rounds, side: string): Figure => ({
  name: `${side}: resident memory of client`,
  unit: 'MB',
  ...spread(rounds.get(side)!.map(({ watch }) => watch.residentMb)),
});

/** Processor time of each process for one unit of a side's work: who is the bottleneck. */
export function cost(rounds: Rounds, side: string, what: string): readonly Figure[] {
  const samples = rounds.get(side)!;
  const processes = Object.keys(samples[0]!.watch.processor).filter((process) => process !== 'others');
  return processes.map((process) => ({
    name: `${side}: processor time of ${process}`,
    unit: `us/${what}`,
    ...spread(samples.map(({ amount, watch }) => (1e6 * watch.processor[process]!) / amount)),
  }));
}
