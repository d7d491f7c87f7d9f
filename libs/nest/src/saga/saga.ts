/**
 * Several entries of several shards that belong together: all of them stand in the end, or each that was accepted is
 * compensated. Not atomic: others see the steps between.
 *
 * A saga keeps no state of its own. Every step is written under a key that follows from the saga's id, so that the log
 * knows how far it got: to go on after a crash, in another process or another region, it is run again with the same id
 * and the same steps. Whoever wants it done does that, for example a caller who repeats a request under its key, within
 * the time that outcomes are kept (24 h unless the dataset says otherwise).
 *
 * Upheld here: nothing is undone before a rejection that is final (I9), and no step is taken while the one before is
 * unknown. Two that run the same saga at once write the same keys and so come to the same end (I8, I10).
 */
import type { DatasetTypes, EventOf } from '../dataset/dataset-types.js';
import type { Dataset, WriteOptions } from '../dataset/dataset.js';
import {
  CompensationRejected,
  LockstepError,
  NothingWritten,
  ownProblem,
  SagaUnfinished,
  WriteRejected,
} from '../dataset/lockstep-error.js';
import type { WriteReceipt } from '../dataset/write-receipt.js';
import { decideSaga, type StepState } from './decide-saga.js';

export interface SagaStep {
  readonly name: string;
  take(idempotencyKey: string, options: WriteOptions): Promise<WriteReceipt>;
}

export interface UndoableStep extends SagaStep {
  undo(taken: WriteReceipt, options: WriteOptions): Promise<WriteReceipt>;
}

/** The last step needs no undoing: nothing comes after it that could be rejected. */
export type SagaSteps = readonly [...(readonly UndoableStep[]), SagaStep];

export type SagaEnd =
  | { readonly kind: 'completed'; readonly receipts: readonly WriteReceipt[] }
  /** A step was rejected, for good, and all before it are undone. */
  | { readonly kind: 'compensated'; readonly step: string; readonly why: Rejection };

type Rejection = WriteRejected | NothingWritten;
type EventsOf<Types extends DatasetTypes> = EventOf<Types> | readonly EventOf<Types>[];

/** With what is added to it, a key has at most 128 characters. */
const ID_PATTERN = /^[\x21-\x7e]([\x20-\x7e]{0,88}[\x21-\x7e])?$/;
const NAME_PATTERN = /^[a-z][a-z0-9-]{0,31}$/;
const STEPS_MAX = 32;
/** A gateway's refusals of what was said, and not of when or to whom: under one catalogue these events are never written. */
const REFUSED_FOR_GOOD: readonly string[] = [
  'malformed',
  'unknown-dataset',
  'too-large',
  'unknown-group',
  'several-shards',
];

/**
 * A step is one entry whose events are known before the saga begins; whether it may be taken is for the log to judge (a
 * guard, an expected version), so that every repeat meets the same judgement.
 *
 * @param undo what corrects it. It must be something that the log does not refuse: take from an account first and give to
 * another one last, as giving back is never refused.
 */
export function sagaStep<Types extends DatasetTypes>(
  name: string,
  dataset: Dataset<Types>,
  events: EventsOf<Types>,
): SagaStep;
export function sagaStep<Types extends DatasetTypes>(
  name: string,
  dataset: Dataset<Types>,
  events: EventsOf<Types>,
  undo: EventsOf<Types>,
): UndoableStep;
export function sagaStep<Types extends DatasetTypes>(
  name: string,
  dataset: Dataset<Types>,
  events: EventsOf<Types>,
  undo?: EventsOf<Types>,
): SagaStep | UndoableStep {
  const take = async (idempotencyKey: string, options: WriteOptions): Promise<WriteReceipt> => {
    try {
      const receipt = await dataset.append(events, { ...options, idempotencyKey });
      return await receipt.reached('accepted', options);
    } catch (error) {
      if (!isKeyReused(error)) throw error;
      // Another entry was first under this key. Rejected, it is the answer; accepted, it belongs to other steps.
      await dataset.receipt(idempotencyKey, options);
      throw new LockstepError(error.problem, error);
    }
  };
  if (undo === undefined) return { name, take };
  return {
    name,
    take,
    undo: async (taken, options) => {
      try {
        return await dataset.compensate(taken, undo, options);
      } catch (error) {
        if (!isKeyReused(error)) throw error;
        // Somebody has corrected it otherwise.
        const correction = await dataset.correctionOf(taken, options);
        if (correction === null) throw error;
        return correction;
      }
    },
  };
}

/**
 * Takes the steps in order until all are accepted, or one is rejected and all before it are undone.
 *
 * @param id of the saga, 1 to 90 printable ASCII characters; the same id means the same steps.
 * @throws SagaUnfinished when a step is unknown or cannot be reached: run it again.
 * @throws CompensationRejected when a step cannot be undone.
 * @throws LockstepError `key-reused` when the id belongs to a saga of other steps.
 */
export async function runSaga(id: string, steps: SagaSteps, options: WriteOptions = {}): Promise<SagaEnd> {
  mustBeUsable(id, steps);
  const states: StepState[] = steps.map(() => 'open');
  const receipts: WriteReceipt[] = [];
  let rejection: Rejection | null = null;
  for (;;) {
    const move = decideSaga(states);
    switch (move.kind) {
      case 'completed':
        return { kind: 'completed', receipts };
      case 'compensated':
        return { kind: 'compensated', step: steps[move.step]!.name, why: rejection! };
      case 'take': {
        const step = steps[move.step]!;
        try {
          receipts[move.step] = await step.take(`${id}:${step.name}`, options);
          states[move.step] = 'accepted';
        } catch (error) {
          rejection = finalRejection(error, id, step.name);
          states[move.step] = 'rejected';
        }
        break;
      }
      case 'undo': {
        const step = steps[move.step]! as UndoableStep;
        const taken = receipts[move.step]!;
        try {
          await step.undo(taken, options);
          states[move.step] = 'undone';
        } catch (error) {
          throw new CompensationRejected(id, step.name, taken, finalRejection(error, id, step.name));
        }
        break;
      }
    }
  }
}

/** @throws SagaUnfinished for what may be otherwise next time, and as it is what is no rejection. */
function finalRejection(error: unknown, id: string, step: string): Rejection {
  if (!(error instanceof LockstepError) || error.code === 'key-reused') throw error;
  if (error instanceof WriteRejected) return error;
  if (error instanceof NothingWritten && REFUSED_FOR_GOOD.includes(error.code)) return error;
  throw new SagaUnfinished(id, step, error);
}

const isKeyReused = (error: unknown): error is WriteRejected =>
  error instanceof WriteRejected && error.code === 'key-reused';

function mustBeUsable(id: string, steps: SagaSteps): void {
  const names = steps.map(({ name }) => name);
  const wrong = (what: string): LockstepError => new LockstepError(ownProblem('misconfigured', what));
  if (!ID_PATTERN.test(id))
    throw wrong('the id of a saga must be 1 to 90 printable ASCII characters without spaces at its ends');
  if (names.length > STEPS_MAX) throw wrong(`${id} has ${names.length} steps, more than ${STEPS_MAX}`);
  const bad = names.find((name, index) => !NAME_PATTERN.test(name) || names.indexOf(name) !== index);
  if (bad !== undefined)
    throw wrong(`step "${bad}" of ${id} must have a name of its own, like "debit": a-z, 0-9 and dashes`);
}
