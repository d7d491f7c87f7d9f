/**
 * What follows in a saga from how its steps stand. Pure.
 *
 * Steps are taken in order; the first rejection turns it back, and what was accepted is undone in reverse order. Every
 * state is the log's word on a key, so that whoever decides from them, and whenever, decides the same: there is no way
 * from `rejected` back to another state, and none from a saga that turned back forward again.
 */
export type StepState = 'open' | 'accepted' | 'rejected' | 'undone';

export type SagaMove =
  | { readonly kind: 'take'; readonly step: number }
  | { readonly kind: 'undo'; readonly step: number }
  | { readonly kind: 'completed' }
  /** All that was accepted is undone; `step` was rejected. */
  | { readonly kind: 'compensated'; readonly step: number };

export function decideSaga(states: readonly StepState[]): SagaMove {
  const rejected = states.indexOf('rejected');
  if (rejected < 0) {
    const step = states.indexOf('open');
    return step < 0 ? { kind: 'completed' } : { kind: 'take', step };
  }
  const step = states.lastIndexOf('accepted');
  return step < 0 ? { kind: 'compensated', step: rejected } : { kind: 'undo', step };
}
