/** When a gateway looks how late it is: often while it has work, hardly ever while it has none, and always from its first write on. */
import { expect, test } from '@jest/globals';
import { LIMIT_MAX, type DatasetName } from '@lockstep/protocol';
import type { Clock, Sleep } from '../ports/world.js';
import { Admission } from './admission.js';
import type { ReturnTurns } from './return-turns.js';

const WRITE = { dataset: 'accounts' as DatasetName, forwarded: false };

/** The loop of a door under a clock that goes on by hand. */
class Door {
  readonly rounds: number[] = [];
  readonly admission: Admission;
  private nowMs = 0;
  private end: (() => void) | null = null;
  private readonly running: Promise<void>;

  constructor() {
    const clock = {
      monotonicMs: () => this.nowMs,
      sleep: (ms: number): Sleep => {
        this.rounds.push(ms);
        let wake!: () => void;
        const done = new Promise<void>((resolve) => (wake = resolve));
        this.end = wake;
        return { done, wake };
      },
    } as unknown as Clock;
    const turns = { give: (answer: unknown) => answer } as unknown as ReturnTurns;
    this.admission = new Admission({ datasets: new Map(), feed: {} as never, clock }, turns);
    this.running = this.admission.run();
  }

  /** The present round ends so late; answers how long the next one is. */
  async pass(lateMs = 0): Promise<number> {
    this.nowMs += this.rounds.at(-1)! + lateMs;
    this.end!();
    return this.settled();
  }

  async settled(): Promise<number> {
    await new Promise(setImmediate);
    return this.rounds.at(-1)!;
  }

  enter(): () => void {
    const admitted = this.admission.enter(WRITE);
    if ('refused' in admitted) throw new Error('it is refused');
    return admitted.release;
  }

  async stop(): Promise<void> {
    this.admission.stop();
    this.end!();
    await this.running;
  }
}

test('without writes it wakes once a second; the first write begins rounds of 20 ms, and the last one ends them', async () => {
  const door = new Door();
  expect(await door.settled()).toBe(1_000);
  expect(await door.pass()).toBe(1_000);
  const release = door.enter();
  expect(await door.settled()).toBe(20);
  expect(await door.pass()).toBe(20);
  release();
  expect(await door.pass()).toBe(1_000);
  await door.stop();
});

test('what was late is measured on until all is taken again, with and without writes', async () => {
  const door = new Door();
  await door.settled();
  expect(await door.pass(60)).toBe(20);
  let rounds = 1;
  while ((await door.pass()) === 20) rounds += 1;
  // Three tenths of the limit are given back half a write at a time.
  expect(rounds).toBeGreaterThan((LIMIT_MAX * 0.3) / 0.5 - 2);
  expect(rounds).toBeLessThan((LIMIT_MAX * 0.3) / 0.5 + 2);
  await door.stop();
});
