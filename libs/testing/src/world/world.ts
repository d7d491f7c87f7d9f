/**
 * A simulated world: one process, virtual time, and every completion of every port picked by a seed.
 *
 * The engine runs unchanged. Nothing resolves by itself: a port hands its work to the world, the world picks one piece
 * that is ready, runs it, lets all promise reactions run to their end, and picks the next. When nothing is ready, time
 * moves to the next moment at which something is. Two runs with one seed give one trace.
 */
import type { Clock, Identities } from '@lockstep/engine';
import {
  recordDigest,
  hashToHex,
  utf8,
  type Fingerprint,
  type KeyHash,
  type LogIncarnation,
  type PublisherId,
} from '@lockstep/protocol';
import { Chance } from './chance.js';
import type { Completions } from './completions.js';

const START_MS = 1_800_000_000_000;
/** Simulated work takes up to this long. */
const LATENCY_MS_MAX = 8;

interface Task {
  readonly label: string;
  /** Not before this moment. */
  readonly fromMs: number;
  /** At the latest at this moment, whether ready or not. */
  readonly untilMs: number;
  readonly ready: (() => boolean) | null;
  readonly run: () => void;
}

export class World implements Completions {
  private readonly tasks = new Set<Task>();
  private readonly latency: Chance;
  private readonly order: Chance;
  private readonly chance: Chance;
  private currentMs = START_MS;
  /** One line per completion: time since the start, label. */
  readonly trace: string[] = [];

  constructor(readonly seed: number) {
    this.chance = new Chance(seed);
    this.latency = this.chance.branch('latency');
    this.order = this.chance.branch('order');
  }

  branch(concern: string): Chance {
    return this.chance.branch(concern);
  }

  nowMs(): number {
    return this.currentMs;
  }

  /** A line of the trace that no port completes; for workloads and faults. */
  note(label: string): void {
    this.trace.push(`${this.currentMs - START_MS} ${label}`);
  }

  complete<T>(label: string, work: () => T): Promise<T> {
    return this.schedule(label, this.currentMs + this.latency.below(LATENCY_MS_MAX), Infinity, null, work);
  }

  when<T>(label: string, ready: () => boolean, withinMs: number, work: () => T): Promise<T> {
    const fromMs = this.currentMs + this.latency.below(LATENCY_MS_MAX);
    return this.schedule(label, fromMs, Math.max(fromMs, this.currentMs + withinMs), ready, work);
  }

  clock(): Clock {
    return {
      nowMs: () => this.currentMs,
      monotonicMs: () => this.currentMs - START_MS,
      sleep: (ms) => {
        let wake!: () => void;
        const done = new Promise<void>((resolve) => {
          const atMs = this.currentMs + Math.max(0, ms);
          const task = this.add({ label: 'sleep', fromMs: atMs, untilMs: atMs, ready: null, run: resolve });
          wake = () => {
            this.tasks.delete(task);
            resolve();
          };
        });
        return { done, wake };
      },
    };
  }

  identities(process: string): Identities {
    const chance = this.chance.branch(`identities ${process}`);
    const publisherPrefix = chance.hex(16);
    return {
      publisherPrefix,
      publisherId: () => (publisherPrefix + chance.hex(16)) as PublisherId,
      logIncarnation: () => chance.hex(32) as LogIncarnation,
      idempotencyKey: () => `minted-${chance.hex(16)}`,
      traceId: () => chance.hex(32),
      spanId: () => chance.hex(16),
      fingerprint: (text) => hashOf(text) as Fingerprint,
      keyHash: (principal, key) => hashOf(`${principal.length}:${principal}${key}`) as KeyHash,
      random: () => chance.next(),
    };
  }

  /**
   * Runs until the condition holds.
   * @throws Error when it does not hold within the time, or when nothing could ever happen any more.
   */
  async runUntil(holds: () => boolean, withinMs: number): Promise<void> {
    const limitMs = this.currentMs + withinMs;
    await settled();
    while (!holds()) {
      const task = this.pick();
      if (task === null) throw new Error(`seed ${this.seed}: the world stands still`);
      if (this.currentMs > limitMs) throw new Error(`seed ${this.seed}: not reached within ${withinMs} ms`);
      this.tasks.delete(task);
      this.trace.push(`${this.currentMs - START_MS} ${task.label}`);
      task.run();
      await settled();
    }
  }

  private pick(): Task | null {
    for (;;) {
      const ready = [...this.tasks].filter((task) => this.isDue(task));
      if (ready.length > 0) return this.order.pick(ready);
      const nextMs = Math.min(...[...this.tasks].map((task) => this.nextMoment(task)));
      if (nextMs === Infinity) return null;
      this.currentMs = nextMs;
    }
  }

  private isDue(task: Task): boolean {
    if (this.currentMs >= task.untilMs) return true;
    return this.currentMs >= task.fromMs && (task.ready === null || task.ready());
  }

  private nextMoment(task: Task): number {
    return task.fromMs > this.currentMs ? task.fromMs : task.untilMs;
  }

  private schedule<T>(
    label: string,
    fromMs: number,
    untilMs: number,
    ready: (() => boolean) | null,
    work: () => T,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = (): void => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      };
      this.add({ label, fromMs, untilMs, ready, run });
    });
  }

  private add(task: Task): Task {
    if (Number.isNaN(task.fromMs + task.untilMs)) throw new Error(`"${task.label}" has no time`);
    this.tasks.add(task);
    return task;
  }
}

const hashOf = (text: string): string =>
  hashToHex(recordDigest({ key: utf8(text), value: null, header: null, appendTimeMs: 0 }));

/** Resolves after every promise reaction that is under way, however long the chain. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
