/**
 * When callers that are refused for now may come back: in turns, for they were refused together. Whoever answers last gives
 * the turn, so that an answer that another process gave keeps the one that it was given there.
 */
import { passesByItself, retryAfterSeconds, type Answer } from '@lockstep/protocol';

type Told = Pick<Answer, 'status' | 'headers'>;

export class ReturnTurns {
  private given = 0;

  /** The answer as it is told: with `Retry-After` where waiting helps. */
  give<Refusal extends Told>(answer: Refusal): Refusal {
    if (!passesByItself(answer)) return answer;
    const seconds = retryAfterSeconds(this.given);
    this.given += 1;
    return { ...answer, headers: { ...answer.headers, 'Retry-After': String(seconds) } };
  }
}
