/** The calls of a process that are not answered yet: bounded, and awaited when the process is told to end. */
import { Gate, type Clock } from '@lockstep/engine';
import { NothingWritten, ownProblem } from './lockstep-error.js';

export class CallsUnderWay {
  /** Opens when no more calls are taken. */
  readonly closing = new Gate();
  private count = 0;
  private drained: (() => void) | null = null;

  constructor(
    private readonly callsMax: number,
    private readonly clock: Clock,
  ) {}

  /** @throws NothingWritten when there are too many, or the process is ending. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.closing.isOpen) throw new NothingWritten(ownProblem('closing', 'no new calls are taken'));
    if (this.count >= this.callsMax)
      throw new NothingWritten(ownProblem('too-many-calls', `${this.count} calls are under way`));
    this.count += 1;
    try {
      return await call();
    } finally {
      this.count -= 1;
      if (this.count === 0) this.drained?.();
    }
  }

  /** Takes no more calls; answers how many are still under way when all are answered or the time is over. */
  async drain(msMax: number): Promise<number> {
    this.closing.open();
    if (this.count > 0) {
      const bound = this.clock.sleep(msMax);
      this.drained = () => bound.wake();
      await bound.done;
    }
    return this.count;
  }
}
