/**
 * The door of a gateway: knows how many writes of each class are under way and how late the process gets to its work,
 * and asks `refusalBy` before a write is read at all (I17).
 */
import {
  answerProblem,
  LIMIT_MAX,
  nextLimit,
  problem,
  refusalBy,
  shardName,
  type Answer,
  type DatasetClass,
  type DatasetName,
} from '@lockstep/protocol';
import { Gate, Signal, waitAtMost } from '../gate.js';
import type { GatewayOptions } from './gateway-options.js';
import type { ReturnTurns } from './return-turns.js';

const ROUND_MS = 20;
/** While nothing is under way and all is taken: a process that nobody asks should hardly wake. */
const QUIET_ROUND_MS = 1_000;

/** What is known of a write before it is read. */
export interface KnockingWrite {
  readonly dataset: string;
  /** It comes from another gateway. */
  readonly forwarded: boolean;
}

export type Admitted = { readonly refused: Answer } | { readonly release: () => void };

export class Admission {
  private readonly underWay = new Map<DatasetClass, number>();
  private underWayInAll = 0;
  private readonly lagRecords = new Map<DatasetName, number>();
  private readonly stopping = new Gate();
  /** Raised by the first write after a while without any. */
  private readonly begun = new Signal();
  private limit = LIMIT_MAX;

  constructor(
    private readonly options: Pick<GatewayOptions, 'datasets' | 'feed' | 'clock'>,
    private readonly turns: ReturnTurns,
  ) {}

  /** Measures until `stop`. */
  async run(): Promise<void> {
    const { clock } = this.options;
    while (!this.stopping.isOpen) {
      const isQuiet = this.underWayInAll === 0 && this.limit === LIMIT_MAX;
      const roundMs = isQuiet ? QUIET_ROUND_MS : ROUND_MS;
      const dueMs = clock.monotonicMs() + roundMs;
      await waitAtMost(isQuiet ? [this.begun.next(), this.stopping] : this.stopping, clock, roundMs);
      this.limit = nextLimit(this.limit, clock.monotonicMs() - dueMs);
      this.measureLag();
    }
  }

  stop(): void {
    this.stopping.open();
  }

  /** Of a write that is not taken now; null when it may be. */
  refusal({ dataset, forwarded }: KnockingWrite): Answer | null {
    const datasetClass = this.classOf(dataset);
    const why = refusalBy(
      { datasetClass, forwarded },
      {
        underWay: this.underWayInAll,
        underWayOfClass: this.underWay.get(datasetClass) ?? 0,
        limit: this.limit,
        lagRecords: this.lagRecords.get(dataset as DatasetName) ?? null,
      },
    );
    if (why === null) return null;
    return this.turns.give(answerProblem(problem('too-many-requests', why)));
  }

  /** Whoever is admitted calls `release` when it is answered. */
  enter(write: KnockingWrite): Admitted {
    const refused = this.refusal(write);
    if (refused !== null) return { refused };
    const datasetClass = this.classOf(write.dataset);
    if (this.underWayInAll === 0) this.begun.raise();
    this.count(datasetClass, 1);
    return { release: () => this.count(datasetClass, -1) };
  }

  private count(datasetClass: DatasetClass, change: 1 | -1): void {
    this.underWay.set(datasetClass, (this.underWay.get(datasetClass) ?? 0) + change);
    this.underWayInAll += change;
  }

  /** What nobody knows is worth least, and does not tell by an answer of its own that it is unknown. */
  private classOf(dataset: string): DatasetClass {
    return this.options.datasets.get(dataset as DatasetName)?.configuration.content.class ?? 'bulk';
  }

  private measureLag(): void {
    const { datasets, feed } = this.options;
    for (const [dataset, { partitions }] of datasets) {
      let most = 0;
      for (let partition = 0; partition < partitions; partition += 1)
        most = Math.max(most, feed.own(shardName(dataset, partition))?.lagRecords ?? 0);
      this.lagRecords.set(dataset, most);
    }
  }
}
