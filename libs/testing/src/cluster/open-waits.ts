/** What gateways have been asked and have not answered: a process that is there must answer by the time that it was given. */
import type { Process } from '../world/process.js';

interface OpenWait {
  readonly process: Process;
  readonly what: string;
  readonly dueMs: number;
}

export class OpenWaits {
  private readonly open = new Set<OpenWait>();
  /** How many there were. */
  count = 0;

  /** The same promise: whoever awaits it goes on as early as without this. */
  keep<T>(wait: OpenWait, answer: Promise<T>): Promise<T> {
    this.count += 1;
    this.open.add(wait);
    const answered = (): void => void this.open.delete(wait);
    answer.then(answered, answered);
    return answer;
  }

  /** Those of processes that are there, whose time was over at that moment. */
  overdue(elapsedMs: number): readonly string[] {
    return [...this.open].flatMap(({ dueMs, process, what }) =>
      !process.hasEnded && dueMs < elapsedMs ? [`${what}, due at ${Math.round(dueMs)} ms`] : [],
    );
  }
}
