/**
 * The decisions that the model asks for at each step. They are the production ones; a planted defect is a copy of this
 * record with one of them replaced, and exists in tests only.
 */
import {
  decideResume,
  judgeStore,
  recordWatermark,
  ShardFold,
  standingAfter,
  type Configurations,
  type DecodedEntry,
  type FoldedBatch,
  type FoldStep,
  type LeaseNumber,
  type Cursor,
  type ReadAnswers,
  type ShardState,
} from '@lockstep/protocol';
import type { Place } from './scope.js';

export interface Fold {
  fold(entry: DecodedEntry): FoldStep;
  finish(): FoldedBatch;
}

export interface Core {
  beginFold(place: Place, state: ShardState, answers: ReadAnswers, configurations: Configurations): Fold;
  readonly decideResume: typeof decideResume;
  readonly judgeStore: typeof judgeStore;
  readonly standingAfter: typeof standingAfter;
  readonly recordWatermark: typeof recordWatermark;
  /** The compare-and-set of a commit, as the store port promises it. */
  mayCommit(stored: CommitPlace, expected: CommitPlace): boolean;
  /** When a replicator tells verdicts and its watermark. */
  readonly tells: 'after-commit' | 'before-commit';
  /** What a publisher does with its session when it gives a batch up. */
  readonly sessionAfterGivingUp: 'new' | 'same';
  /** What a caller is told of a batch that was given up and may stand in the log. */
  readonly toldOfDoubt: 'unknown' | 'failed';
}

export interface CommitPlace {
  readonly cursor: Pick<Cursor, 'offset' | 'sequence'>;
  readonly lease: LeaseNumber;
}

export const PRODUCTION: Core = {
  beginFold: (_place, state, answers, configurations) => new ShardFold(state, answers, configurations),
  decideResume,
  judgeStore,
  standingAfter,
  recordWatermark,
  mayCommit: (stored, expected) =>
    stored.lease === expected.lease &&
    stored.cursor.offset === expected.cursor.offset &&
    stored.cursor.sequence === expected.cursor.sequence,
  tells: 'after-commit',
  sessionAfterGivingUp: 'new',
  toldOfDoubt: 'unknown',
};
