/**
 * A simulated world: one process, virtual time, and every completion of every port picked by a seed.
 *
 * The engine runs unchanged. Nothing resolves by itself: a port hands its work to the world, the world picks one piece
 * that is ready, runs it, lets all promise reactions run to their end, and picks the next. When nothing is ready, time
 * moves to the next moment at which something is. Two runs with one seed give one trace.
 */
import type { Clock, Identities } from '@lockstep/engine';
import {
  Absorber,
  recordDigest,
  hashToHex,
  utf8,
  type Fingerprint,
  type KeyHash,
  type LogIncarnation,
  type PublisherId,
  ZERO_HASH,
} from '@lockstep/protocol';
import { Agenda, type Appointment } from './agenda.js';
import { Chance } from './chance.js';
import type { Completions } from './completions.js';
import type { Step } from './step.js';

export const START_MS = 1_800_000_000_000;
/** Simulated work takes up to this long. */
const LATENCY_MS_MAX = 8;

/** Steps for which the event loop is asked at once: a turn of the loop costs more than most steps. */
const STEPS_QUEUED = 64;

/** Work that waits for a condition; due by its time-out at the latest. */
interface Waiting {
  readonly ready: () => boolean;
  readonly become: () => void;
}

export class World implements Completions {
  private readonly agenda = new Agenda();
  private readonly waiting = new Set<Waiting>();
  private readonly latency: Chance;
  private readonly order: Chance;
  private readonly chance: Chance;
  private currentMs = START_MS;
  /** By how much all wall clocks are further than what has passed. */
  leaptMs = 0;
  private ordinal = 0;
  /** Of every line, in their order; the lines themselves are kept only where somebody wants to read them. */
  private readonly hash = new Absorber(ZERO_HASH);
  /** One line per completion of a port: time since the start, label. */
  readonly trace: string[] = [];
  /** Lines of the trace so far, kept or not. */
  lines = 0;
  /** Those of them that do not happen all the time while nothing happens. */
  protocolEvents = 0;
  /** How often a fault met a step of the protocol: `fault x step`. */
  readonly cells = new Map<string, number>();
  /** How often a process was killed while a step was under way: `role x step`. */
  readonly crashPoints = new Map<string, number>();

  constructor(
    readonly seed: number,
    private readonly keeps: 'trace' | 'hash' = 'trace',
  ) {
    this.chance = new Chance(seed);
    this.latency = this.chance.branch('latency');
    this.order = this.chance.branch('order');
  }

  branch(concern: string): Chance {
    return this.chance.branch(concern);
  }

  nowMs(): number {
    return this.currentMs + this.leaptMs;
  }

  /** Since the start, without what was leapt over. */
  elapsedMs(): number {
    return this.currentMs - START_MS;
  }

  /** A long time in which nothing happens: every wall clock goes on by it, and nothing else does. */
  leap(ms: number): void {
    this.leaptMs += ms;
  }

  /** A line of the trace that no port completes; for workloads and faults. */
  note(label: string): void {
    const atMs = this.currentMs - START_MS;
    this.lines += 1;
    if (!IDLE.test(label)) this.protocolEvents += 1;
    this.hash.unsigned64(Math.round(atMs * 10));
    this.hash.text(label);
    if (this.keeps === 'trace') this.trace.push(`${atMs.toFixed(1)} ${label}`);
  }

  /** The hash of all lines; nothing may be noted after it. */
  traceHash(): string {
    return hashToHex(this.hash.finish());
  }

  /** A fault took effect on a step. */
  hit(fault: string, step: Step): void {
    increase(this.cells, `${fault} x ${step}`);
  }

  /** A process was killed in the midst of a step. */
  hitByCrash(role: string, point: Step | `${Step} unanswered` | 'nothing'): void {
    increase(this.crashPoints, `${role} x ${point}`);
  }

  /** Whether something that got lost arrives after all, long after. */
  isLate(): boolean {
    return this.latency.next() < 0.3;
  }

  /** How long a message or a piece of work takes. */
  latencyMs(): number {
    return this.latency.below(LATENCY_MS_MAX);
  }

  /** `run` happens in so many milliseconds; the answer takes it back. */
  after(ms: number, label: string | null, run: () => void): () => void {
    const appointment = this.appoint(this.currentMs + Math.max(0, ms), label, run);
    return () => {
      appointment.isCancelled = true;
    };
  }

  /** `run` happens once `ready()` holds, not before `fromMs` have passed, and after `withinMs` in any case. */
  once(
    label: string,
    ready: () => boolean,
    fromMs: number,
    withinMs: number,
    run: (isReady: boolean) => void,
  ): void {
    const lastMs = this.currentMs + Math.max(fromMs, withinMs);
    this.appoint(this.currentMs + fromMs, null, () => {
      if (ready()) {
        this.note(label);
        run(true);
        return;
      }
      const waiting: Waiting = {
        ready,
        become: () => {
          this.waiting.delete(waiting);
          overdue.isCancelled = true;
          this.appoint(this.currentMs, label, () => run(true));
        },
      };
      const overdue = this.appoint(lastMs, `${label} ${IN_VAIN}`, () => {
        this.waiting.delete(waiting);
        run(false);
      });
      this.waiting.add(waiting);
    });
  }

  complete<T>(label: string, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.after(this.latencyMs(), label, () => attempt(work, resolve, reject));
    });
  }

  when<T>(label: string, ready: () => boolean, withinMs: number, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.once(label, ready, this.latencyMs(), withinMs, () => attempt(work, resolve, reject));
    });
  }

  clock(): Clock {
    return {
      nowMs: () => this.nowMs(),
      monotonicMs: () => this.elapsedMs(),
      sleep: (ms) => {
        let wake!: () => void;
        const done = new Promise<void>((resolve) => {
          const takeBack = this.after(Math.max(1, ms), null, resolve);
          wake = () => {
            takeBack();
            resolve();
          };
        });
        return { done, wake };
      },
    };
  }

  /** @param process unique per start of a process: two lives of one process share no identity. */
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

  /** Runs for so long. */
  async elapse(ms: number): Promise<void> {
    let isOver = false;
    this.after(ms, null, () => (isOver = true));
    await this.runUntil(() => isOver, ms);
  }

  /**
   * Runs until the condition holds.
   * @throws Error when it does not hold within the time, or when nothing could ever happen any more.
   */
  runUntil(holds: () => boolean, withinMs: number): Promise<void> {
    const limitMs = this.currentMs + withinMs;
    return new Promise((resolve, reject) => {
      let isOver = false;
      let queued = 0;
      const step = (): void => {
        if (isOver) return;
        queued -= 1;
        try {
          isOver = holds();
          if (isOver) return resolve();
          this.step(limitMs, withinMs);
        } catch (error) {
          isOver = true;
          reject(error as Error);
        }
        if (queued === 0) queue();
      };
      // Every promise reaction that is under way, however long the chain, runs to its end between two of them.
      const queue = (): void => {
        for (; queued < STEPS_QUEUED; queued += 1) setImmediate(step);
      };
      queue();
    });
  }

  /** The next piece of work that is due. */
  private step(limitMs: number, withinMs: number): void {
    for (const each of this.waiting) if (each.ready()) each.become();
    const next = this.agenda.take();
    if (next === null) throw new Error(`seed ${this.seed}: the world stands still`);
    if (next.atMs > limitMs) {
      // Who goes on all the same loses nothing of what was to come.
      this.agenda.add(next);
      throw new Error(`seed ${this.seed}: not reached within ${withinMs} ms`);
    }
    this.currentMs = Math.max(this.currentMs, next.atMs);
    if (next.label !== null) this.note(next.label);
    next.run();
  }

  private appoint(atMs: number, label: string | null, run: () => void): Appointment {
    if (Number.isNaN(atMs)) throw new Error(`"${label}" has no time`);
    this.ordinal += 1;
    const tie = this.order.next();
    const appointment = { atMs, tie, ordinal: this.ordinal, label, run, isCancelled: false };
    this.agenda.add(appointment);
    return appointment;
  }
}

/** Ends the line of work whose condition never came to hold. */
const IN_VAIN = '(in vain)';
const IDLE = /\(in vain\)$|: store (renew|incarnation|open)|: canary /;

function attempt<T>(work: () => T, resolve: (value: T) => void, reject: (reason: unknown) => void): void {
  try {
    resolve(work());
  } catch (error) {
    reject(error);
  }
}

const increase = (counts: Map<string, number>, name: string): void =>
  void counts.set(name, (counts.get(name) ?? 0) + 1);

const hashOf = (text: string): string =>
  hashToHex(recordDigest({ key: utf8(text), value: null, header: null, appendTimeMs: 0 }));
