/** Which keyed operations are sent again, byte for byte: a bounded choice of those that ended with something to repeat. */
import type { Chance } from '../world/chance.js';
import type { Ending } from './answer.js';
import type { Operation } from './operation.js';

const CANDIDATES_MAX = 256;
/** Where nothing can be repeated yet; beyond it the debt is forgiven instead of paid in one flood. */
const OWED_MAX = 16;

export class Repeats {
  private readonly candidates: Operation[] = [];
  private owed = 0;
  private readonly perFreshOperation: number;

  /** @param percent share of all operations, below 100. */
  constructor(
    private readonly chance: Chance,
    percent: number,
  ) {
    this.perFreshOperation = percent / (100 - percent);
  }

  /** The original of the next repeat, when one is due. */
  take(): Operation | null {
    if (this.owed < 1 || this.candidates.length === 0) return null;
    this.owed -= 1;
    return this.chance.pick(this.candidates);
  }

  /** Nothing that was asked so far is asked again. */
  forget(): void {
    this.candidates.length = 0;
  }

  noteFresh(operations: number): void {
    this.owed = Math.min(OWED_MAX, this.owed + operations * this.perFreshOperation);
  }

  /** What was refused before anything was written is left out: its key is free, and a repeat would be its first write. */
  noteEnded(operation: Operation, ending: Ending): void {
    if (operation.key === null || operation.repeats !== null) return;
    if (ending.type === 'fail' && ending.receipt === null) return;
    if (this.candidates.length < CANDIDATES_MAX) this.candidates.push(operation);
    else this.candidates[this.chance.below(CANDIDATES_MAX)] = operation;
  }
}
