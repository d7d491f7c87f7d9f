import type { HistoryEvent } from '../history/index.js';
import type { Ending } from './answer.js';
import type { Operation } from './operation.js';

/** What a dataset wants written next, before it has an ordinal, a key and a time-out. */
export interface Draft {
  readonly events: readonly HistoryEvent[];
  readonly isKeyed: boolean;
  readonly wrongVersion: boolean;
  readonly ack: Operation['ack'];
  /** Called once, with how it ended. */
  settle(ending: Ending): void;
}
