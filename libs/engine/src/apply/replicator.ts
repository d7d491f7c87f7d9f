/**
 * A replicator: one lane per dataset, so that a critical dataset never waits behind bulk, one lease keeper for all, one
 * stream hub that tells what was committed, and the slow copy. Several instances of a region share the work by leases.
 */
import type {
  Configurations,
  DatasetName,
  RegionName,
  ShardName,
  StoreIncarnation,
} from '@lockstep/protocol';
import type { Log } from '../ports/log.js';
import type { Observer } from '../ports/observer.js';
import type { ApplyStore, ProjectedTable } from '../ports/store.js';
import type { Clock } from '../ports/world.js';
import { StreamHub } from '../streams/stream-hub.js';
import { shardsOf } from '../shards-of.js';
import { Lane } from './lane.js';
import { LeaseKeeper } from './lease-keeper.js';
import { SlowCopy } from './slow-copy.js';

export interface ReplicatorOptions {
  readonly region: RegionName;
  /** Unique per process start. */
  readonly instance: string;
  readonly storeIncarnation: StoreIncarnation;
  readonly datasets: readonly { readonly table: ProjectedTable; readonly partitions: number }[];
  readonly log: Log;
  readonly openStore: () => Promise<ApplyStore>;
  readonly configurations: Configurations;
  readonly observer: Observer;
  readonly clock: Clock;
}

export class Replicator {
  readonly hub = new StreamHub();
  private readonly lanes: ReadonlyMap<DatasetName, Lane>;
  private readonly leases: LeaseKeeper;
  private readonly slowCopy: SlowCopy;

  constructor(options: ReplicatorOptions) {
    const { hub } = this;
    const { clock, configurations, datasets, instance, log, observer, openStore, region, storeIncarnation } =
      options;
    this.lanes = new Map(
      datasets.map(({ table }) => [
        table.dataset,
        new Lane({ region, storeIncarnation, table, log, openStore, configurations, hub, observer, clock }),
      ]),
    );
    const shards = datasets.flatMap(({ table, partitions }) => shardsOf(table.dataset, partitions));
    this.leases = new LeaseKeeper({
      holder: instance,
      shards,
      lanes: this.lanes,
      openStore,
      observer,
      clock,
    });
    this.slowCopy = new SlowCopy({ hub, log, observer, clock });
  }

  /** Runs until `stop`. */
  async run(): Promise<void> {
    await Promise.all([...this.lanes.values(), this.leases, this.slowCopy].map((part) => part.run()));
  }

  stop(): void {
    for (const part of [...this.lanes.values(), this.leases, this.slowCopy]) part.stop();
    this.hub.close();
  }

  /** Shards with work that do not move; empty when alive. */
  stalled(): readonly ShardName[] {
    return [...this.lanes.values()].flatMap((lane) => lane.stalled());
  }

  notReady(): readonly { readonly shard: ShardName; readonly reason: string }[] {
    return [...this.lanes.values()].flatMap((lane) => lane.notReady());
  }
}
