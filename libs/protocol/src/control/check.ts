/** One thing that was looked at before a decision. */
export interface Check<Code extends string> {
  readonly code: Code;
  readonly isMet: boolean;
  /** What was found. */
  readonly text: string;
}

/** What forbids it; empty when nothing does. */
export const unmetCodes = <Code extends string>(
  checks: readonly Pick<Check<Code>, 'code' | 'isMet'>[],
): readonly Code[] => checks.flatMap(({ code, isMet }) => (isMet ? [] : [code]));
