/**
 * A coordinator that does not lead passes an operator's call on to the one that does, once. Lost on the way it may have been
 * carried out: the control log tells (`unknown`).
 */
import { answerJson, TIMEOUT_MS_MAX, type RegionName } from '@lockstep/protocol';
import { problemAnswer, type HttpAnswer } from './http-answer.js';

export type CallLeader = (leader: RegionName, path: string, body: string) => Promise<HttpAnswer>;

/** Says that a coordinator passed the call on. */
export const PASSED_ON_HEADER = 'lockstep-passed-on';
const ANSWER_GRACE_MS = 1_000;

/** @param addresses base URL of the coordinator of each region. */
export function httpLeaderCalls(addresses: ReadonlyMap<RegionName, string>): CallLeader {
  return async (leader, path, body) => {
    const address = addresses.get(leader);
    if (address === undefined)
      return problemAnswer('not-ready', `no coordinator address of ${leader} is known`);
    try {
      const response = await fetch(new URL(path, address), {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', [PASSED_ON_HEADER]: '1' },
        signal: AbortSignal.timeout(TIMEOUT_MS_MAX + ANSWER_GRACE_MS),
      });
      const turn = response.headers.get('retry-after');
      const headers = {
        'content-type': response.headers.get('content-type') ?? 'application/json',
        ...(turn === null ? {} : { 'retry-after': turn }),
      };
      return { status: response.status, headers, body: await response.text() };
    } catch (error) {
      const { cause, message } = error as Error;
      const detail = `the leader in ${leader} did not answer: ${cause instanceof Error ? cause.message : message}`;
      if ((cause as { readonly code?: string } | undefined)?.code === 'ECONNREFUSED')
        return problemAnswer('not-ready', detail);
      return answerJson(202, { decision: null, outcome: 'unknown', detail });
    }
  };
}
