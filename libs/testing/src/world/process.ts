/**
 * One process of a simulated world, as an operating system has it: it runs, is paused (nothing reaches it until it goes
 * on, and then everything at once), or has ended (nothing reaches it ever again; what it had sent may still take effect).
 *
 * Everything that wakes code of a process comes through `enter`: answers of ports, timers, requests of others. Its clock
 * has an offset and a drift of its own and can jump; its monotonic clock drifts and never goes back.
 */
import type { Clock } from '@lockstep/engine';
import type { Completions, Unanswered } from './completions.js';
import type { Cut, Network } from './network.js';
import { stepOf, StepCounts } from './step.js';
import { START_MS, type World } from './world.js';

export interface ProcessClock {
  /** How far its wall clock is ahead at the start. */
  readonly offsetMs: number;
  /** How much faster its clocks go than time: 0.001 = one second in a thousand. */
  readonly drift: number;
}

export class Process {
  readonly clock: Clock;
  private state: 'running' | 'paused' | 'ended' = 'running';
  private held: (() => void)[] = [];
  private readonly atEnd = new Set<() => void>();
  private jumpedMs = 0;
  /** What has been sent or begun, and is not done: what a fault falls into. */
  readonly underWay = new StepCounts();
  /** Calls that have had their effect, or are lost, while the process waits for their answers. */
  readonly unanswered = new StepCounts();

  constructor(
    readonly place: string,
    private readonly world: World,
    private readonly network: Network,
    private readonly own: ProcessClock = { offsetMs: 0, drift: 0 },
  ) {
    this.clock = this.makeClock();
  }

  get hasEnded(): boolean {
    return this.state === 'ended';
  }

  get isRunning(): boolean {
    return this.state === 'running';
  }

  /** Runs in the process: now, when it goes on, or never. */
  enter(run: () => void): void {
    if (this.state === 'running') run();
    else if (this.state === 'paused') this.held.push(run);
  }

  /** SIGSTOP. */
  pause(): void {
    if (this.state === 'running') this.state = 'paused';
  }

  /** SIGCONT: whatever has arrived meanwhile is there, in no order. */
  goOn(): void {
    if (this.state !== 'paused') return;
    this.state = 'running';
    const { held } = this;
    this.held = [];
    for (const run of held) this.world.after(0, null, () => this.enter(run));
  }

  /** SIGKILL. */
  end(): void {
    this.state = 'ended';
    this.held = [];
    for (const each of this.atEnd) each();
    this.atEnd.clear();
  }

  /** Called when the process ends, as the kernel closes its sockets; the answer takes it back. */
  onEnd(call: () => void): () => void {
    this.atEnd.add(call);
    return () => this.atEnd.delete(call);
  }

  /** The wall clock is set by somebody. */
  jump(ms: number): void {
    this.jumpedMs += ms;
  }

  /** Calls of this process to a server at a place; the server's own clock is the world's. */
  reaching(server: string): Completions {
    const { place, world } = this;
    return {
      nowMs: () => world.nowMs(),
      complete: (label, work, unanswered) => {
        const { arrive, result } = this.call(server, label, work, unanswered);
        world.after(world.latencyMs(), `${place}: ${label}`, arrive);
        return result;
      },
      when: (label, ready, withinMs, work, unanswered) => {
        const { arrive, result } = this.call(server, label, work, unanswered);
        world.once(`${place}: ${label}`, ready, world.latencyMs(), withinMs, arrive);
        return result;
      },
    };
  }

  private call<T>(
    server: string,
    label: string,
    work: () => T,
    unanswered: Unanswered,
  ): { readonly result: Promise<T>; readonly arrive: () => void } {
    const { network, place, world } = this;
    const step = stepOf(label);
    this.underWay.add(step, 1);
    let resolve!: (value: T) => void;
    let reject!: (reason: unknown) => void;
    const result = new Promise<T>((onValue, onError) => {
      resolve = onValue;
      reject = onError;
    });
    const settle = (run: () => void): void => {
      this.enter(() => {
        this.unanswered.add(step, -1);
        run();
      });
    };
    const lose = (cut: Cut): void => {
      world.hit(cut.fault, step);
      world.after(unanswered.afterMs, null, () => settle(() => reject(unanswered.error())));
    };
    const arrive = (): void => {
      this.underWay.add(step, -1);
      this.unanswered.add(step, 1);
      const places = placesOf(server, unanswered);
      const there = firstOf(places, (each) => network.cutBetween(place, each));
      if (there !== null) {
        lose(there);
        // What was sent may still be delivered when the way is free again, whoever waits for it or not.
        if (world.isLate())
          world.after(unanswered.afterMs * 2, `${place}: ${label} (late)`, () => quietly(work));
        return;
      }
      let run: () => void;
      try {
        const value = work();
        run = () => resolve(value);
      } catch (error) {
        run = () => reject(error);
      }
      const back = firstOf(places, (each) => network.cutBetween(each, place));
      if (back === null) settle(run);
      else lose(back);
    };
    return { result, arrive };
  }

  private makeClock(): Clock {
    const { world } = this;
    const speed = 1 + this.own.drift;
    const monotonicMs = (): number => world.elapsedMs() * speed;
    return {
      monotonicMs,
      nowMs: () => Math.floor(START_MS + this.own.offsetMs + this.jumpedMs + monotonicMs() + world.leaptMs),
      sleep: (ms) => {
        let wake!: () => void;
        const done = new Promise<void>((resolve) => {
          const takeBack = world.after(Math.max(1, ms) / speed, null, () => this.enter(resolve));
          wake = () => {
            takeBack();
            resolve();
          };
        });
        return { done, wake };
      },
    };
  }
}

function placesOf(server: string, { parts }: Unanswered): readonly string[] {
  const names = parts?.() ?? [];
  return names.length === 0 ? [server] : names.map((name) => `${server}/${name}`);
}

function firstOf(places: readonly string[], find: (place: string) => Cut | null): Cut | null {
  for (const place of places) {
    const found = find(place);
    if (found !== null) return found;
  }
  return null;
}

function quietly(work: () => unknown): void {
  try {
    work();
  } catch {
    // Nobody is there to be told.
  }
}
