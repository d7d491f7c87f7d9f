/**
 * The store is asked for somebody who waits: no longer than his time, and for half a second where that is over, so that
 * he may still be told what became of his write. A store that says nothing in that time is one that cannot be reached.
 */
import { answerWithin } from '../gate.js';
import { PortError } from '../ports/port-error.js';
import type { Clock } from '../ports/world.js';

const STORE_MS_MIN = 500;

/**
 * @param untilMs monotonic.
 * @throws PortError that `asked` throws, or `store-timeout` when the time is over.
 */
export async function askStore<T extends object>(
  asked: Promise<T>,
  clock: Clock,
  untilMs: number,
): Promise<T> {
  const forMs = Math.max(STORE_MS_MIN, untilMs - clock.monotonicMs());
  const answer = await answerWithin(asked, clock, forMs);
  if (answer === null) throw new PortError('store-timeout', 'retryable', 'the store did not answer in time');
  return answer;
}
