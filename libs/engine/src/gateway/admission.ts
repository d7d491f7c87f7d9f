/**
 * The door of a gateway: knows how many writes of each class are under way and how late the process gets to its work,
 * and asks `refusalBy` before a write is read at all (I17).
 */
import {
  problem,
  refusalBy,
  shardName,
  type DatasetClass,
  type DatasetName,
  type Problem,
} from '@lockstep/protocol';
import { Gate } from '../gate.js';
import type { GatewayOptions } from './gateway-options.js';

const ROUND_MS = 20;
/** Of the delay of the round before, what still counts: one slow moment is soon forgotten. */
const DELAY_KEPT = 0.7;

export type Admitted = { readonly refused: Problem } | { readonly release: () => void };

export class Admission {
  private readonly underWay = new Map<DatasetClass, number>();
  private readonly lagRecords = new Map<DatasetName, number>();
  private readonly stopping = new Gate();
  private delayMs = 0;

  constructor(private readonly options: Pick<GatewayOptions, 'datasets' | 'feed' | 'clock'>) {}

  /** Measures until `stop`. */
  async run(): Promise<void> {
    const { clock } = this.options;
    while (!this.stopping.isOpen) {
      const dueMs = clock.monotonicMs() + ROUND_MS;
      await clock.sleep(ROUND_MS).done;
      this.delayMs = Math.max(clock.monotonicMs() - dueMs, this.delayMs * DELAY_KEPT);
      this.measureLag();
    }
  }

  stop(): void {
    this.stopping.open();
  }

  /** A request of a dataset; whoever is admitted calls `release` when it is answered. */
  enter(dataset: string): Admitted {
    const known = this.options.datasets.get(dataset as DatasetName);
    // What it is worth is told by whoever reads it.
    if (known === undefined) return { release: () => undefined };
    const { class: datasetClass } = known.configuration.content;
    const underWay = this.underWay.get(datasetClass) ?? 0;
    const lagRecords = this.lagRecords.get(dataset as DatasetName) ?? null;
    const why = refusalBy(datasetClass, { underWay, delayMs: this.delayMs, lagRecords });
    if (why !== null) return { refused: problem('too-many-requests', why) };
    this.underWay.set(datasetClass, underWay + 1);
    return {
      release: () => this.underWay.set(datasetClass, (this.underWay.get(datasetClass) ?? 1) - 1),
    };
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
