/**
 * What a call of a dataset can end with besides its answer. Every error has a stable `code`, says what to do next, and
 * is an HttpException, for services that let it pass. A class tells what became of the write:
 *
 *   WriteRejected   the log's verdict, final (I9); VersionConflict is the one that deciding again can change
 *   NothingWritten  refused or not reached; no effect, now or later
 *   OutcomeUnknown  it may stand or not: never read as failed; `idempotencyKey` finds out later
 *   StageNotReached accepted, but not as far as asked; it goes on by itself
 *   DecisionRefused the decider said no; nothing was sent
 *   SagaUnfinished  some steps may stand; running it again under its id goes on
 *   CompensationRejected  a step of a saga stands that should be undone: for a person
 */
import { HttpException } from '@nestjs/common';
import type { Problem, Receipt, Stage } from '@lockstep/protocol';
import type { WriteReceipt } from './write-receipt.js';

/** Codes that only this library knows; all others are the gateway's, from the protocol's catalogue. */
export const OWN_PROBLEMS = {
  unknown: {
    status: 503,
    title: 'It is not known whether the write stands',
    next: 'Ask again under the idempotency key of this error; do not read it as failed.',
  },
  'stage-not-reached': {
    status: 504,
    title: 'The write did not get as far as asked in time',
    next: 'It stands and goes on by itself; ask its receipt again.',
  },
  'decision-refused': {
    status: 409,
    title: 'The decider refused',
    next: 'Tell the caller why; nothing was written.',
  },
  contended: {
    status: 409,
    title: 'Others changed the row at every attempt',
    next: 'Nothing was written; try again later, or write with less contention on this key.',
  },
  'saga-unfinished': {
    status: 503,
    title: 'The saga is neither completed nor compensated yet',
    next: 'Run it again with the same id and steps; it goes on where it stands.',
  },
  'compensation-rejected': {
    status: 500,
    title: 'A step that should be undone still stands',
    next: 'Look at the rejection, make right what it names, and correct the step by hand; steps before it stand too.',
  },
  'gateway-unreachable': {
    status: 503,
    title: 'The gateway cannot be reached',
    next: 'Nothing was written; see that the gateway of the configuration runs, then try again.',
  },
  'answer-unreadable': {
    status: 502,
    title: 'The gateway answered what this library cannot read',
    next: 'See that the address is a gateway and that its version fits.',
  },
  'too-many-calls': {
    status: 503,
    title: 'More calls are under way than the configuration allows',
    next: 'Nothing was written; wait for others to end, or raise `callsMax`.',
  },
  closing: {
    status: 503,
    title: 'This process is shutting down',
    next: 'Nothing was written; send it to another instance.',
  },
  misconfigured: {
    status: 500,
    title: 'The module cannot be used as it is configured',
    next: 'Correct what the message names.',
  },
} as const;

export type OwnProblemCode = keyof typeof OWN_PROBLEMS;

export function ownProblem(code: OwnProblemCode, detail: string): Problem {
  return { type: `urn:lockstep:problem:${code}`, code, detail, ...OWN_PROBLEMS[code] };
}

/** Where nobody catches it, Nest answers with its status, code and next step. */
export class LockstepError extends HttpException {
  readonly code: string;
  /** What to do next, in a sentence. */
  readonly next: string;

  constructor(
    readonly problem: Problem,
    cause?: unknown,
  ) {
    const { code, detail, next, status, title } = problem;
    const message = `${title}: ${detail}. ${next}`;
    // Details of what does not work may name addresses: they are for the log, not for a caller.
    const told = status < 500 ? message : `${title}. ${next}`;
    super({ statusCode: status, code, message: told, next }, status, cause === undefined ? {} : { cause });
    this.name = new.target.name;
    this.message = message;
    this.code = code;
    this.next = next;
  }
}

export class WriteRejected extends LockstepError {
  constructor(
    problem: Problem,
    /** Absent where the refusal names no entry. */
    readonly receipt: Receipt | null,
  ) {
    super(problem);
  }
}

export class VersionConflict extends WriteRejected {}

export class NothingWritten extends LockstepError {}

export class OutcomeUnknown extends LockstepError {
  constructor(
    readonly idempotencyKey: string | null,
    detail: string,
    cause?: unknown,
  ) {
    super(ownProblem('unknown', detail), cause);
  }
}

export class StageNotReached extends LockstepError {
  constructor(
    readonly receipt: Receipt,
    readonly stage: Stage,
  ) {
    super(
      ownProblem('stage-not-reached', `${receipt.id} is at ${receipt.stage ?? 'no stage'}, not ${stage}`),
    );
  }
}

export class DecisionRefused extends LockstepError {
  constructor(readonly reason: string) {
    super(ownProblem('decision-refused', reason));
  }
}

export class SagaUnfinished extends LockstepError {
  constructor(
    readonly sagaId: string,
    readonly step: string,
    cause: LockstepError,
  ) {
    super(ownProblem('saga-unfinished', `${sagaId} stopped at ${step}: ${cause.code}`), cause);
  }
}

export class CompensationRejected extends LockstepError {
  constructor(
    readonly sagaId: string,
    readonly step: string,
    /** Of the step that stands. */
    readonly receipt: WriteReceipt,
    cause: WriteRejected | NothingWritten,
  ) {
    super(
      ownProblem('compensation-rejected', `${step} of ${sagaId} (${receipt.id}): ${cause.problem.detail}`),
      cause,
    );
  }
}

/** A rejection as its class. */
export const rejected = (problem: Problem, receipt: Receipt | null): WriteRejected =>
  problem.code === 'version-conflict'
    ? new VersionConflict(problem, receipt)
    : new WriteRejected(problem, receipt);
