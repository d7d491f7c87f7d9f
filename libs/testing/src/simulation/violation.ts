/** What a run did that it must not do: the invariant (SPEC, "Invariants"), a stable code, a sentence, and where to look. */
export interface Violation {
  readonly invariant: string | null;
  readonly code: string;
  readonly sentence: string;
  readonly count: number;
  readonly examples: readonly unknown[];
}

const EXAMPLES_MAX = 5;

/** None where nothing was found; otherwise one, with its first examples. */
export function violationsOf(
  { code, invariant, sentence }: Pick<Violation, 'code' | 'invariant' | 'sentence'>,
  found: readonly unknown[],
): readonly Violation[] {
  if (found.length === 0) return [];
  return [{ invariant, code, sentence, count: found.length, examples: found.slice(0, EXAMPLES_MAX) }];
}
