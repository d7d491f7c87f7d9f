/** What the library tells its users when it does not do what they asked, word for word: a change here is read by a reviewer. */
import { expect, test } from '@jest/globals';
import type { Receipt } from '@lockstep/protocol';
import {
  CompensationRejected,
  DecisionRefused,
  LockstepError,
  NothingWritten,
  OutcomeUnknown,
  OWN_PROBLEMS,
  ownProblem,
  rejected,
  SagaUnfinished,
  StageNotReached,
  type OwnProblemCode,
} from './lockstep-error.js';
import { WriteReceipt } from './write-receipt.js';

const told: Receipt = {
  id: 'k',
  dataset: 'accounts',
  shard: 'accounts/0',
  outcome: 'accepted',
  stage: 'accepted',
  stages: {},
  traceId: '0'.repeat(32),
};
const receipt = new WriteReceipt(told, false, () => Promise.reject(new Error('not asked')));

const guard = rejected(
  {
    type: 'urn:lockstep:problem:guard',
    code: 'guard',
    status: 409,
    title: 'The aggregate refuses the entry',
    detail: 'entry k of accounts/0 was rejected: guard',
    next: 'Read the row; send what its rules allow, under a new key.',
  },
  told,
);
const unreachable = new NothingWritten(
  ownProblem('gateway-unreachable', 'connect ECONNREFUSED 127.0.0.1:7101'),
);

/** One of each, as the library throws it. */
const thrown: Readonly<Record<OwnProblemCode, LockstepError>> = {
  unknown: new OutcomeUnknown('k', 'no answer within 10000 ms'),
  'stage-not-reached': new StageNotReached(told, 'quorum'),
  'decision-refused': new DecisionRefused('not enough money'),
  contended: new NothingWritten(ownProblem('contended', 'eu:ada changed before every attempt of k')),
  'saga-unfinished': new SagaUnfinished('s1', 'credit', unreachable),
  'compensation-rejected': new CompensationRejected('s1', 'credit', receipt, guard),
  'gateway-unreachable': unreachable,
  'answer-unreadable': new NothingWritten(
    ownProblem('answer-unreadable', 'status 200 with a body of another kind'),
  ),
  'too-many-calls': new NothingWritten(ownProblem('too-many-calls', '1000 calls are under way')),
  closing: new NothingWritten(ownProblem('closing', 'no new calls are taken')),
  misconfigured: new LockstepError(ownProblem('misconfigured', 'gateway: is not set')),
};

test('errors say what happened and what to do next', () => {
  const texts = [guard, ...Object.values(thrown)].map(
    (error) => `${error.name} ${error.code} ${error.getStatus()}\n  ${error.message}`,
  );
  expect(texts.join('\n')).toBe(TEXTS);
});

test('every code is among them, its next step a sentence', () => {
  expect(Object.keys(thrown)).toEqual(Object.keys(OWN_PROBLEMS));
  for (const [code, error] of Object.entries(thrown)) {
    expect(error.code).toBe(code);
    expect(error.next).toMatch(/^[A-Z].*\.$/);
  }
});

test('callers of a service are told no details of what does not work in it', () => {
  const callers = [guard, ...Object.values(thrown)].map((error) => JSON.stringify(error.getResponse()));
  expect(callers.join('\n')).not.toContain('127.0.0.1');
  expect(guard.getResponse()).toEqual({
    statusCode: 409,
    code: 'guard',
    message: guard.message,
    next: 'Read the row; send what its rules allow, under a new key.',
  });
});

const TEXTS = `WriteRejected guard 409
  The aggregate refuses the entry: entry k of accounts/0 was rejected: guard. Read the row; send what its rules allow, under a new key.
OutcomeUnknown unknown 503
  It is not known whether the write stands: no answer within 10000 ms. Ask again under the idempotency key of this error; do not read it as failed.
StageNotReached stage-not-reached 504
  The write did not get as far as asked in time: k is at accepted, not quorum. It stands and goes on by itself; ask its receipt again.
DecisionRefused decision-refused 409
  The decider refused: not enough money. Tell the caller why; nothing was written.
NothingWritten contended 409
  Others changed the row at every attempt: eu:ada changed before every attempt of k. Nothing was written; try again later, or write with less contention on this key.
SagaUnfinished saga-unfinished 503
  The saga is neither completed nor compensated yet: s1 stopped at credit: gateway-unreachable. Run it again with the same id and steps; it goes on where it stands.
CompensationRejected compensation-rejected 500
  A step that should be undone still stands: credit of s1 (k): entry k of accounts/0 was rejected: guard. Look at the rejection, make right what it names, and correct the step by hand; steps before it stand too.
NothingWritten gateway-unreachable 503
  The gateway cannot be reached: connect ECONNREFUSED 127.0.0.1:7101. Nothing was written; see that the gateway of the configuration runs, then try again.
NothingWritten answer-unreadable 502
  The gateway answered what this library cannot read: status 200 with a body of another kind. See that the address is a gateway and that its version fits.
NothingWritten too-many-calls 503
  More calls are under way than the configuration allows: 1000 calls are under way. Nothing was written; wait for others to end, or raise \`callsMax\`.
NothingWritten closing 503
  This process is shutting down: no new calls are taken. Nothing was written; send it to another instance.
LockstepError misconfigured 500
  The module cannot be used as it is configured: gateway: is not set. Correct what the message names.`;
