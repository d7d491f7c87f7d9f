/**
 * What a caller is told of a write, decided from the facts alone: status, headers and body.
 */
import { problem } from './problem.js';
import { toReceipt, type WriteFacts } from './receipt.js';
import { STAGES, type Stage } from './stage.js';

export interface Answer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  /** JSON text. */
  readonly body: string;
  /** Code of the problem document, when it is one. */
  readonly code: string | null;
}

/**
 * @param wanted the stage that the caller waits for.
 * @param replayed the key had its outcome before this attempt.
 * @param location where the receipt can be asked for again; null for a keyless write, which may stay unknown.
 */
export function answerWrite(
  facts: WriteFacts,
  wanted: Stage,
  replayed: boolean,
  location: string | null,
): Answer {
  const receipt = toReceipt(facts);
  const headers = replayed ? { 'Idempotent-Replayed': 'true' } : {};
  if (facts.judged !== null && facts.judged.verdict !== 'accepted') {
    const { verdict } = facts.judged;
    const detail = `entry ${receipt.id} of ${facts.shard} was rejected: ${verdict}`;
    return answerJson(
      problem(verdict, detail).status,
      { ...problem(verdict, detail), receipt },
      headers,
      verdict,
    );
  }
  if (isReached(facts, wanted)) return answerJson(200, receipt, headers);
  return answerJson(202, receipt, location === null ? headers : { ...headers, Location: location });
}

/** A write that was acknowledged below its rule counts as acknowledged at `quorum`, and its receipt says so. */
export function isReached(facts: WriteFacts, wanted: Stage): boolean {
  if (facts.degraded === true && wanted === 'quorum') return true;
  return STAGES.slice(STAGES.indexOf(wanted)).some(
    (stage) => stage !== 'stored' && facts.stages[stage] !== undefined,
  );
}

export function answerJson(
  status: number,
  body: object,
  headers: { readonly [name: string]: string } = {},
  code: string | null = null,
): Answer {
  const type = code === null ? 'application/json' : 'application/problem+json';
  return { status, headers: { ...headers, 'Content-Type': type }, body: JSON.stringify(body), code };
}

export function answerProblem(
  refusal: { readonly status: number; readonly code: string },
  headers: { readonly [name: string]: string } = {},
): Answer {
  return answerJson(refusal.status, refusal, headers, refusal.code);
}
