/** A failure that people caused or can mend: its sentence is shown, never its stack. 1 = it failed, 2 = it cannot be meant so. */
export class CliError extends Error {
  readonly exitCode: 1 | 2;

  constructor(exitCode: 1 | 2, message: string) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}
