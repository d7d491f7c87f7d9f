/**
 * Watermark: "this region's store has committed the fold through sequence n". It is what regions tell each other,
 * what the ledger counts, and what the slow copy on `lockstep.watermarks` repeats. It never carries verdicts.
 */
import type {
  Epoch,
  LogIncarnation,
  Offset,
  RegionName,
  Sequence,
  ShardName,
  StoreIncarnation,
} from '../identity/identity.js';
import type { Mark } from '../fold/state.js';
import type { RuleInForce } from '../quorum/rule-in-force.js';

export interface Watermark {
  readonly region: RegionName;
  readonly storeIncarnation: StoreIncarnation;
  readonly shard: ShardName;
  /** Null before genesis. */
  readonly logIncarnation: LogIncarnation | null;
  readonly sequence: Sequence;
  readonly offset: Offset;
  readonly epoch: Epoch;
  readonly home: RegionName | null;
  /** The pair that the last fence or `term` entry left: fences at or below it have no effect any more. */
  readonly term: bigint;
  readonly decision: bigint;
  readonly logTimeMs: number;
  /** Which rule judges which positions up to `sequence`. */
  readonly rules: readonly RuleInForce[];
  /** Hex, 32 digits. */
  readonly inputHash: string;
  readonly effectsHash: string;
  /** Those passed since the watermark before, oldest first; more of them, or fewer, are no contradiction (I11). */
  readonly marks: readonly Mark[];
  /** Wall clock of the region when it last knew that it had folded the log to its end; display only (I16). */
  readonly caughtUpAtMs: number | null;
  /** Records between the cursor and the log end as last seen; null when not known. Unknown is not zero. */
  readonly lagRecords: number | null;
  /** Why the region does not go on with this shard; null when it does. */
  readonly halted: Halt | null;
  /** Why the region's vote does not count for this shard; null when it does (I12). */
  readonly withheld: Withheld | null;
}

/** A named stop of one shard in one region. Nothing is skipped; the reason says what an operator does next. */
export interface Halt {
  readonly code: HaltCode;
  readonly detail: string;
}

/** A vote that is not given: the store went on from an earlier state and has not proved itself since. */
export interface Withheld {
  readonly code: WithheldCode;
  readonly detail: string;
}

export const WITHHELD_CODES = ['unverified', 'diverged'] as const;
export type WithheldCode = (typeof WITHHELD_CODES)[number];

export const HALT_CODES = [
  'configuration-missing',
  'log-truncated',
  'log-replaced',
  'retention-overrun',
  'effects-refused',
  'fold-failed',
] as const;
export type HaltCode = (typeof HALT_CODES)[number];
