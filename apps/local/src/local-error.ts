/**
 * Why the local cluster could not do what was asked: a stable code, a sentence with the next step, and the exit code of
 * the command. 1 = it failed, 2 = the request cannot be meant so, 3 = a port is taken.
 */
export type LocalErrorCode =
  | 'unknown-option'
  | 'invalid-option'
  | 'option-conflict'
  | 'invalid-catalogue'
  | 'foreign-folder'
  | 'closed-folder'
  | 'port-taken'
  | 'process-failed'
  | 'not-ready'
  | 'unknown-target'
  | 'no-wide-area'
  | 'not-possible-now'
  | 'not-running'
  | 'nothing-to-check'
  | 'interrupted';

export type ExitCode = 1 | 2 | 3;

const exitCodes: Readonly<Record<LocalErrorCode, ExitCode>> = {
  'unknown-option': 2,
  'invalid-option': 2,
  'option-conflict': 2,
  'invalid-catalogue': 2,
  'foreign-folder': 2,
  'closed-folder': 1,
  'port-taken': 3,
  'process-failed': 1,
  'not-ready': 1,
  'unknown-target': 2,
  'no-wide-area': 2,
  'not-possible-now': 1,
  'not-running': 1,
  'nothing-to-check': 2,
  interrupted: 1,
};

export class LocalError extends Error {
  readonly code: LocalErrorCode;

  constructor(code: LocalErrorCode, message: string) {
    super(message);
    this.name = 'LocalError';
    this.code = code;
  }

  get exitCode(): ExitCode {
    return exitCodes[this.code];
  }
}

/** By name, not by class: an error may come from another realm. */
export function isLocalError(error: unknown): error is LocalError {
  return (error as { name?: unknown } | null)?.name === 'LocalError';
}

export function isLocalErrorCode(code: string): code is LocalErrorCode {
  return Object.hasOwn(exitCodes, code);
}
