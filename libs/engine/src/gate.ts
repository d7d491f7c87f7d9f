/**
 * A gate opens once; everyone who waits goes on. Waiting with a bound needs no race of foreign promises, so that a
 * simulated world owns every completion, and whoever stops waiting leaves nothing behind at the gate.
 */
import type { Clock } from './ports/world.js';

export class Gate {
  private readonly waiting = new Set<() => void>();
  private hasOpened = false;

  get isOpen(): boolean {
    return this.hasOpened;
  }

  open(): void {
    this.hasOpened = true;
    for (const goOn of this.waiting) goOn();
    this.waiting.clear();
  }

  /** Calls back once the gate opens, at once when it is open; the answer takes the call back. */
  onOpen(goOn: () => void): () => void {
    if (this.hasOpened) goOn();
    else this.waiting.add(goOn);
    return () => this.waiting.delete(goOn);
  }

  opened(): Promise<void> {
    return new Promise((resolve) => {
      this.onOpen(resolve);
    });
  }
}

/** Waits until the gate, or one of several, opens or the time has passed; true when one is open. */
export async function waitAtMost(
  gates: Gate | readonly Gate[],
  clock: Pick<Clock, 'sleep'>,
  ms: number,
): Promise<boolean> {
  const all = gates instanceof Gate ? [gates] : gates;
  const isOpen = (): boolean => all.some((gate) => gate.isOpen);
  if (isOpen()) return true;
  const sleep = clock.sleep(ms);
  let takeBack: readonly (() => void)[] = [];
  await new Promise<void>((resolve) => {
    takeBack = all.map((gate) => gate.onOpen(resolve));
    void sleep.done.then(resolve);
  });
  for (const each of takeBack) each();
  sleep.wake();
  return isOpen();
}

/** What the promise comes to; null when the time is over first. Nobody hears then what becomes of it. */
export async function answerWithin<T>(
  answer: Promise<T>,
  clock: Pick<Clock, 'sleep'>,
  ms: number,
): Promise<T | null> {
  const answered = new Gate();
  const note = (): void => answered.open();
  answer.then(note, note);
  return (await waitAtMost(answered, clock, ms)) ? answer : null;
}

/** A signal that is raised again and again: `next` waits for the first raise after the call. */
export class Signal {
  private gate = new Gate();

  raise(): void {
    const { gate } = this;
    this.gate = new Gate();
    gate.open();
  }

  next(): Gate {
    return this.gate;
  }
}
