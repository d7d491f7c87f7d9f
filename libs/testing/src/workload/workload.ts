/**
 * A seeded stream of writes to the sample datasets, steered by the answers that it is told: the same seed and the same
 * answers in the same order give the same operations. It knows no clock and no network, and what it remembers is bounded
 * by what is under way.
 *
 * Every id is `group:<run>-...`; every row of a reading, every order and every key stands for one intent, so that a
 * history tells them apart.
 */
import { Chance } from '../world/chance.js';
import { AccountEntries } from './account-entries.js';
import type { Ending } from './answer.js';
import type { Draft } from './draft.js';
import { OrderEvents } from './order-events.js';
import type { Call, Operation, WorkloadDataset } from './operation.js';
import { ReadingEntries } from './reading-entries.js';
import { Repeats } from './repeats.js';

export type WorkloadAmount =
  | { readonly kind: 'endless' }
  | {
      readonly kind: 'counted';
      readonly accountEntries: number;
      readonly orderEvents: number;
      readonly readingEvents: number;
    };

export interface WorkloadOptions {
  readonly seed: number;
  /** See `runName`. */
  readonly run: string;
  readonly groups: readonly string[];
  readonly amount: WorkloadAmount;
  /** Shares: of all operations, of the events of orders, of all calls. */
  readonly repeatedPercent: number;
  readonly wrongVersionsPercent: number;
  readonly shortDeadlinesPercent: number;
}

const TIMEOUT_MS = 5_000;
const SHORT_TIMEOUT_MS_MAX = 50;
/** Of an endless workload: calls of each dataset. */
const ENDLESS_WEIGHTS = { accounts: 3, orders: 5, readings: 2 } as const;
/** About what one call for readings carries, so that counted datasets end together. */
const READING_EVENTS_PER_CALL = 50;

const DATASETS = ['accounts', 'orders', 'readings'] as const satisfies readonly WorkloadDataset[];

/** Tells runs apart that meet in one cluster, also those of one seed. */
export function runName(seed: number, startedAtMs: number): string {
  const chance = new Chance(seed).branch(`run ${startedAtMs}`);
  return Array.from({ length: 8 }, () => chance.below(36).toString(36)).join('');
}

export class Workload {
  private readonly mix: Chance;
  private readonly deadlines: Chance;
  private readonly accounts: AccountEntries;
  private readonly orders: OrderEvents;
  private readonly readings: ReadingEntries;
  private readonly repeats: Repeats;
  private readonly underWay = new Map<
    number,
    { readonly operation: Operation; readonly draft: Draft | null }
  >();
  private readonly left: { accounts: number; orders: number; readings: number };
  private operations = 0;
  /** Entries of accounts, events of orders and of readings, without repeats. */
  drawn = 0;

  constructor(private readonly options: WorkloadOptions) {
    const { amount, groups, run, wrongVersionsPercent, repeatedPercent } = options;
    const chance = new Chance(options.seed);
    const homes = chance.branch('groups');
    const nameOf = (ordinal: string): string => `${homes.pick(groups)}:${run}-${ordinal}`;
    this.mix = chance.branch('mix');
    this.deadlines = chance.branch('deadlines');
    this.accounts = new AccountEntries(chance.branch('accounts'), nameOf);
    this.orders = new OrderEvents(chance.branch('orders'), wrongVersionsPercent, nameOf);
    this.readings = new ReadingEntries(chance.branch('readings'), nameOf);
    this.repeats = new Repeats(chance.branch('repeats'), repeatedPercent);
    this.left =
      amount.kind === 'endless'
        ? { accounts: Infinity, orders: Infinity, readings: Infinity }
        : { accounts: amount.accountEntries, orders: amount.orderEvents, readings: amount.readingEvents };
  }

  /** What is to be sent next; null when everything was drawn. */
  next(): Call | null {
    const original = this.repeats.take();
    if (original !== null) return this.repeat(original);
    const dataset = this.drawDataset();
    if (dataset === null) return null;
    const drafts = this.draw(dataset);
    const timeoutMs = this.drawTimeoutMs();
    const operations = drafts.map((draft) => this.begin(draft, dataset, timeoutMs));
    this.repeats.noteFresh(operations.length);
    const [first, ...others] = operations as [Operation, ...Operation[]];
    return others.length === 0
      ? { kind: 'single', operations: [first] }
      : { kind: 'batch', operations: [first, ...others] };
  }

  /** For an operation that the workload does not know, such as a read. */
  takeOrdinal(): number {
    this.operations += 1;
    return this.operations - 1;
  }

  /** How an operation ended; once for each that `next` gave. */
  settle(op: number, ending: Ending): void {
    const settled = this.underWay.get(op);
    if (settled === undefined) throw new Error(`operation ${op} is not under way`);
    this.underWay.delete(op);
    settled.draft?.settle(ending);
    this.repeats.noteEnded(settled.operation, ending);
  }

  /** Nothing that was written so far is repeated: its key may be forgotten by now. */
  forgetKeys(): void {
    this.repeats.forget();
  }

  private draw(dataset: WorkloadDataset): readonly Draft[] {
    const drafts = this.drafts(dataset);
    const drawn = dataset === 'readings' ? eventsIn(drafts) : drafts.length;
    this.left[dataset] -= drawn;
    this.drawn += drawn;
    return drafts;
  }

  private drafts(dataset: WorkloadDataset): readonly Draft[] {
    switch (dataset) {
      case 'accounts':
        return [this.accounts.draw()];
      case 'orders':
        return [this.orders.draw()];
      case 'readings':
        return this.readings.draw(this.left.readings);
    }
  }

  private begin(draft: Draft, dataset: WorkloadDataset, timeoutMs: number): Operation {
    const op = this.takeOrdinal();
    const { ack, events, isKeyed, wrongVersion } = draft;
    const key = isKeyed ? `${this.options.run}-k${op}` : null;
    const operation: Operation = { op, dataset, key, repeats: null, wrongVersion, ack, timeoutMs, events };
    this.underWay.set(op, { operation, draft });
    return operation;
  }

  private repeat(original: Operation): Call {
    const operation = { ...original, op: this.takeOrdinal(), repeats: original.op };
    this.underWay.set(operation.op, { operation, draft: null });
    return { kind: 'single', operations: [operation] };
  }

  private drawDataset(): WorkloadDataset | null {
    const { accounts, orders, readings } = this.left;
    const weights =
      this.options.amount.kind === 'endless'
        ? ENDLESS_WEIGHTS
        : { accounts, orders, readings: readings / READING_EVENTS_PER_CALL };
    const open = DATASETS.filter((dataset) => weights[dataset] > 0);
    let drawn = this.mix.next() * open.reduce((sum, dataset) => sum + weights[dataset], 0);
    // The last one takes what rounding leaves over.
    return open.find((dataset) => (drawn -= weights[dataset]) < 0) ?? open.at(-1) ?? null;
  }

  private drawTimeoutMs(): number {
    const isShort = this.deadlines.next() * 100 < this.options.shortDeadlinesPercent;
    return isShort ? 1 + this.deadlines.below(SHORT_TIMEOUT_MS_MAX) : TIMEOUT_MS;
  }
}

const eventsIn = (drafts: readonly Draft[]): number =>
  drafts.reduce((sum, { events }) => sum + events.length, 0);
