/**
 * Is there an order of operations, one after the other, that agrees with time and with what each was told? The search of
 * Wing and Gong with Lowe's memory of what was tried: a set of operations done and a state are looked at once. It is
 * bounded: beyond `stepsMax` it says that it does not know.
 */

/** `call` and `return` are moments of one clock; an operation whose end nobody knows returns at Infinity, or never happened. */
export interface TimedOperation<Operation> {
  readonly call: number;
  readonly return: number;
  readonly operation: Operation;
}

export interface Model<State, Operation> {
  readonly initial: State;
  /** The state after the operation, or undefined when it cannot have been told so in this state. */
  readonly step: (state: State, operation: Operation) => State | undefined;
  /** Equal for equal states. */
  readonly name: (state: State) => string;
}

export type Linearizability = 'linearizable' | 'not-linearizable' | 'undecided';

export function linearizability<State, Operation>(
  model: Model<State, Operation>,
  operations: readonly TimedOperation<Operation>[],
  stepsMax: number,
): Linearizability {
  const moments = new Moments(operations);
  const done = new Done(operations);
  const tried = new Set<string>();
  const taken: { readonly index: number; readonly before: State }[] = [];
  let state = model.initial;
  let moment = moments.first;
  for (let steps = 0; !done.isEnough; steps += 1) {
    if (steps > stepsMax) return 'undecided';
    if (moment?.kind === 'call') {
      const { index } = moment;
      const after = model.step(state, operations[index]!.operation);
      if (after !== undefined) {
        done.add(index);
        const name = `${done.name} ${model.name(after)}`;
        if (!tried.has(name)) {
          tried.add(name);
          taken.push({ index, before: state });
          state = after;
          moments.take(index);
          moment = moments.first;
          continue;
        }
        done.remove(index);
      }
      moment = moment.next;
      continue;
    }
    // Something returned that nothing more can stand before: what was done last was done too early.
    const last = taken.pop();
    if (last === undefined) return 'not-linearizable';
    state = last.before;
    done.remove(last.index);
    moment = moments.putBack(last.index).next;
  }
  return 'linearizable';
}

interface Moment {
  readonly kind: 'call' | 'return';
  readonly index: number;
  previous: Moment | null;
  next: Moment | null;
}

/** Calls and returns in the order of time, from which operations are taken out and, the last one first, put back. */
class Moments {
  first: Moment | null = null;
  private readonly calls: Moment[] = [];
  private readonly returns = new Map<number, Moment>();

  constructor(operations: readonly TimedOperation<unknown>[]) {
    const all = operations.flatMap((one, index) => [
      { at: one.call, kind: 'call' as const, index },
      ...(one.return === Infinity ? [] : [{ at: one.return, kind: 'return' as const, index }]),
    ]);
    // At one moment calls come first: then the operations overlap.
    all.sort((x, y) => x.at - y.at || (x.kind === y.kind ? 0 : x.kind === 'call' ? -1 : 1));
    let last: Moment | null = null;
    for (const { index, kind } of all) {
      const moment: Moment = { kind, index, previous: last, next: null };
      if (last === null) this.first = moment;
      else last.next = moment;
      last = moment;
      if (kind === 'call') this.calls[index] = moment;
      else this.returns.set(index, moment);
    }
  }

  take(index: number): void {
    this.unlink(this.calls[index]!);
    const end = this.returns.get(index);
    if (end !== undefined) this.unlink(end);
  }

  /** @returns its call. */
  putBack(index: number): Moment {
    const end = this.returns.get(index);
    if (end !== undefined) this.link(end);
    return this.link(this.calls[index]!);
  }

  private unlink({ next, previous }: Moment): void {
    if (previous === null) this.first = next;
    else previous.next = next;
    if (next !== null) next.previous = previous;
  }

  private link(moment: Moment): Moment {
    const { next, previous } = moment;
    if (previous === null) this.first = moment;
    else previous.next = moment;
    if (next !== null) next.previous = moment;
    return moment;
  }
}

/**
 * Which operations are done. Its name is short: of the operations with an end all up to some return are done, as the search
 * never passes a return; so it names how many, and the few that are done before their time.
 */
class Done {
  private readonly done = new Set<number>();
  /** By their return, those without one last. */
  private readonly order: readonly number[];
  private readonly rank: readonly number[];
  private readonly ended: number;
  private endedDone = 0;
  /** How many of `order` are done without a gap. */
  private prefix = 0;

  constructor(operations: readonly TimedOperation<unknown>[]) {
    const order = operations.map((_, index) => index);
    order.sort((x, y) => (operations[x]!.return < operations[y]!.return ? -1 : 1));
    const rank: number[] = [];
    for (const [at, index] of order.entries()) rank[index] = at;
    this.order = order;
    this.rank = rank;
    this.ended = operations.filter((one) => one.return !== Infinity).length;
  }

  /** Operations without a known end need not have happened. */
  get isEnough(): boolean {
    return this.endedDone === this.ended;
  }

  add(index: number): void {
    this.done.add(index);
    if (this.rank[index]! < this.ended) this.endedDone += 1;
    while (this.prefix < this.order.length && this.done.has(this.order[this.prefix]!)) this.prefix += 1;
  }

  remove(index: number): void {
    this.done.delete(index);
    if (this.rank[index]! < this.ended) this.endedDone -= 1;
    this.prefix = Math.min(this.prefix, this.rank[index]!);
  }

  get name(): string {
    const early: number[] = [];
    const { done, ended, endedDone, order, prefix } = this;
    for (let at = prefix, left = endedDone - Math.min(prefix, ended); left > 0; at += 1) {
      if (!done.has(order[at]!)) continue;
      early.push(at);
      left -= 1;
    }
    for (let at = Math.max(prefix, ended); at < order.length; at += 1)
      if (done.has(order[at]!)) early.push(at);
    return `${prefix}:${early.join()}`;
  }
}
