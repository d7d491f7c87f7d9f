/**
 * Every state that a model can reach, breadth first: no state is looked at before all that need fewer steps, so the
 * schedule of the first violation is a shortest one.
 *
 * A state is known by a fingerprint of 64 bits over its words. Two states that share one would be taken for the same: with
 * ten million states the chance is about three in a million, and can only hide a state, never invent a violation. Of
 * a state that was expanded only its fingerprint, its parent and the ordinal of the step are kept; a schedule is found by
 * taking the same steps again.
 */
import { Absorber, ZERO_HASH } from '@lockstep/protocol';

export interface Step<State> {
  /** What happens, as a line of a schedule. */
  readonly label: string;
  readonly next: State;
}

export interface Violation {
  /** Number of the invariant in SPEC.md. */
  readonly invariant: string;
  readonly detail: string;
}

export interface Model<State> {
  readonly initial: State;
  /** All that may happen next, always in the same order. */
  steps(state: State): readonly Step<State>[];
  /** Equal words, equal state. */
  words(state: State): readonly number[];
  /** @param isEnd nothing can happen any more. */
  violations(state: State, isEnd: boolean): readonly Violation[];
}

export interface Exploration {
  readonly states: number;
  readonly transitions: number;
  /** Steps to the state that is farthest from the beginning. */
  readonly depth: number;
  /** States in which nothing can happen any more. */
  readonly ends: number;
  /** False when the bound or a violation stopped it before everything was seen. */
  readonly isComplete: boolean;
  readonly found: { readonly violations: readonly Violation[]; readonly schedule: readonly string[] } | null;
}

export function explore<State>(model: Model<State>, statesMax: number): Exploration {
  const seen = new FingerprintSet();
  const parents = new Column(Int32Array);
  const ordinals = new Column(Uint16Array);
  let transitions = 0;
  let depth = 0;
  let ends = 0;
  let isComplete = true;
  const absorber = new Absorber(ZERO_HASH);
  const add = (state: State, parent: number, ordinal: number): boolean => {
    absorber.begin(ZERO_HASH);
    for (const word of model.words(state)) absorber.word(word);
    const { a, b } = absorber.finish();
    if (!seen.add(a, b)) return false;
    parents.push(parent);
    ordinals.push(ordinal);
    return true;
  };

  add(model.initial, -1, 0);
  let level: State[] = [model.initial];
  let first = 0;
  for (;;) {
    const next: State[] = [];
    for (const [index, state] of level.entries()) {
      const steps = model.steps(state);
      if (steps.length === 0) ends += 1;
      const violations = model.violations(state, steps.length === 0);
      if (violations.length > 0) {
        const schedule = scheduleTo(model, first + index, parents, ordinals);
        const found = { violations, schedule };
        return { states: seen.size, transitions, depth, ends, isComplete: false, found };
      }
      transitions += steps.length;
      for (const [ordinal, step] of steps.entries()) {
        if (seen.size >= statesMax) isComplete = false;
        else if (add(step.next, first + index, ordinal)) next.push(step.next);
      }
    }
    if (next.length === 0) return { states: seen.size, transitions, depth, ends, isComplete, found: null };
    first += level.length;
    level = next;
    depth += 1;
  }
}

function scheduleTo<State>(
  model: Model<State>,
  index: number,
  parents: Column<Int32Array>,
  ordinals: Column<Uint16Array>,
): readonly string[] {
  const path: number[] = [];
  for (let at = index; at > 0; at = parents.at(at)) path.push(ordinals.at(at));
  const labels: string[] = [];
  let state = model.initial;
  for (const ordinal of path.reverse()) {
    const step = model.steps(state)[ordinal]!;
    labels.push(step.label);
    state = step.next;
  }
  return labels;
}

/** Numbers that are only appended; doubles its room when it is full. */
class Column<Numbers extends Int32Array | Uint16Array> {
  private numbers: Numbers;
  private length = 0;

  constructor(private readonly make: new (length: number) => Numbers) {
    this.numbers = new make(1_024);
  }

  push(value: number): void {
    if (this.length === this.numbers.length) {
      const larger = new this.make(this.length * 2);
      larger.set(this.numbers);
      this.numbers = larger;
    }
    this.numbers[this.length] = value;
    this.length += 1;
  }

  at(index: number): number {
    return this.numbers[index]!;
  }
}

/** A set of pairs of 32-bit words, half full at most; the pair of two zeros marks an empty place. */
class FingerprintSet {
  size = 0;
  private words = new Uint32Array(2 * 1_024);

  /** False when it was there already. */
  add(high: number, low: number): boolean {
    const present = high === 0 && low === 0 ? 1 : low;
    if (this.size * 4 >= this.words.length) this.grow();
    if (!place(this.words, high, present)) return false;
    this.size += 1;
    return true;
  }

  private grow(): void {
    const larger = new Uint32Array(this.words.length * 2);
    for (let at = 0; at < this.words.length; at += 2) {
      const high = this.words[at]!;
      const low = this.words[at + 1]!;
      if (high !== 0 || low !== 0) place(larger, high, low);
    }
    this.words = larger;
  }
}

function place(words: Uint32Array, high: number, low: number): boolean {
  const mask = words.length / 2 - 1;
  for (let slot = (high ^ low) & mask; ; slot = (slot + 1) & mask) {
    const at = slot * 2;
    if (words[at] === 0 && words[at + 1] === 0) {
      words[at] = high;
      words[at + 1] = low;
      return true;
    }
    if (words[at] === high && words[at + 1] === low) return false;
  }
}
