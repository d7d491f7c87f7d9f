/** A loop's failure as a fact; the loop that owns the error tells it once and begins anew after a pause. */
import type { Observer } from './ports/observer.js';
import { isPortError } from './ports/port-error.js';

export function reportLoopFailure(observer: Observer, loop: string, error: unknown): void {
  const port = isPortError(error) ? error : null;
  observer.report({
    kind: 'loop-failed',
    loop,
    code: port?.code ?? 'defect',
    disposition: port?.disposition ?? null,
    message: messageOf(error),
  });
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
