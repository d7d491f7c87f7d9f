/** What a run did that it must not do: the invariant (SPEC, "Invariants"), a stable code, a sentence, and where to look. */
export interface Violation {
  readonly invariant: string | null;
  readonly code: string;
  readonly sentence: string;
  readonly count: number;
  readonly examples: readonly unknown[];
}
