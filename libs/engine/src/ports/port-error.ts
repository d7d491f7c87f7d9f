/**
 * How a port says that the world failed. The disposition is the decision, the story is for people.
 *
 * - `retryable`: it certainly did not happen; the same call may succeed later.
 * - `unknown`: it may or may not have happened. Never read as failed (I9).
 * - `fatal`: it did not happen and repeating it changes nothing.
 */
export type Disposition = 'retryable' | 'unknown' | 'fatal';

export class PortError extends Error {
  readonly code: string;
  readonly disposition: Disposition;

  /** @param code stable, kebab-case, for example `log-unreachable`. */
  constructor(code: string, disposition: Disposition, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'PortError';
    this.code = code;
    this.disposition = disposition;
  }
}

/** By name, not by class: an error may come from another realm. */
export function isPortError(error: unknown): error is PortError {
  return error instanceof Error
    ? error.name === 'PortError'
    : (error as { name?: unknown } | null)?.name === 'PortError';
}
