/** Whose telemetry it is: stands on every span, metric and log line of the process. */
export interface Origin {
  readonly service: string;
  readonly region: string;
  /** The role, or the roles joined by a comma. */
  readonly role: string;
  readonly instance: string;
}
