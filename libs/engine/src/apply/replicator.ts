/**
 * A replicator: one lane per dataset, so that a critical dataset never waits behind bulk, one lease keeper for all, one
 * stream hub that tells what was committed, and the slow copy. Several instances of a region share the work by leases.
 */
import {
  parseShardName,
  type Configurations,
  type DatasetName,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import type { Log } from '../ports/log.js';
import type { Observer } from '../ports/observer.js';
import type { SignatureCheck } from '../ports/signing.js';
import type { ApplyStore, OutboxStore, ProjectedTable } from '../ports/store.js';
import type { Clock, Identities } from '../ports/world.js';
import { SlowCopy } from '../copy/slow-copy.js';
import { OutboxRelay } from '../publish/outbox-relay.js';
import { ShardPublisher } from '../publish/shard-publisher.js';
import { StreamHub } from '../streams/stream-hub.js';
import { shardsOf } from '../shards-of.js';
import { APPLY_EVENTS_MAX, Lane } from './lane.js';
import { LeaseKeeper } from './lease-keeper.js';
import { QuietShards } from './quiet-shards.js';
import { copyOf, ToldBefore } from './told-before.js';

export interface ReplicatorOptions {
  readonly region: RegionName;
  /** Unique per process start. */
  readonly instance: string;
  readonly datasets: readonly { readonly table: ProjectedTable; readonly partitions: number }[];
  readonly log: Log;
  readonly openStore: () => Promise<ApplyStore>;
  readonly configurations: Configurations;
  readonly signatures: SignatureCheck;
  /** Learns what this region has come to know since its processes started. */
  readonly refreshConfigurations: () => Promise<void>;
  readonly observer: Observer;
  readonly clock: Clock;
  /** Relays what services of this region store in their outbox; null where no dataset has one. */
  readonly outbox?: OutboxOptions | null;
  /** Of one commit; so many as the contract says unless a smaller world wants its batches to be full. */
  readonly applyEventsMax?: number | undefined;
}

export interface OutboxOptions {
  readonly datasets: ReadonlySet<DatasetName>;
  readonly openStore: (onStored: () => void) => Promise<OutboxStore>;
  readonly identities: Identities;
}

export class Replicator {
  readonly hub = new StreamHub();
  private readonly lanes: ReadonlyMap<DatasetName, Lane>;
  private readonly leases: LeaseKeeper;
  private readonly quietShards: QuietShards;
  private readonly slowCopy: SlowCopy;
  private readonly toldBefore: ToldBefore;
  private readonly relays: readonly OutboxRelay[];

  constructor(options: ReplicatorOptions) {
    const { hub } = this;
    const { clock, datasets, instance, log, observer, openStore, region } = options;
    this.toldBefore = new ToldBefore({ region, log, hub, observer, clock });
    const { toldBefore } = this;
    const { applyEventsMax = APPLY_EVENTS_MAX } = options;
    this.lanes = new Map(
      datasets.map(({ table }) => [
        table.dataset,
        new Lane({ ...options, table, hub, toldBefore, applyEventsMax }),
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
    this.quietShards = new QuietShards(
      () => [...this.lanes.values()].flatMap((lane) => lane.quietShards()),
      clock,
    );
    this.relays = relaysOf(options, this.lanes);
    // So that a store that went back can be found out (I12).
    this.slowCopy = new SlowCopy({ current: () => hub.current().map(copyOf), log, observer, clock });
  }

  /** Runs until `stop`. */
  async run(): Promise<void> {
    await Promise.all(this.parts().map((part) => part.run()));
  }

  stop(): void {
    for (const part of this.parts()) part.stop();
    this.hub.close();
  }

  private parts(): readonly { run(): Promise<void>; stop(): void }[] {
    const { leases, quietShards, relays, slowCopy, toldBefore } = this;
    return [...this.lanes.values(), ...relays, leases, quietShards, slowCopy, toldBefore];
  }

  /** Shards with work that do not move; empty when alive. */
  stalled(): readonly ShardName[] {
    return [...this.lanes.values()].flatMap((lane) => lane.stalled());
  }

  /** Reasons; a standby is ready when nothing but leases is missing to take over. */
  notReady(): readonly string[] {
    return [
      ...(this.toldBefore.isKnown ? [] : ['what this region told before is still being read']),
      ...[...this.lanes.values()].flatMap((lane) => lane.notReady()),
    ];
  }
}

function relaysOf(
  { clock, datasets, log, observer, outbox = null, region }: ReplicatorOptions,
  lanes: ReadonlyMap<DatasetName, Lane>,
): readonly OutboxRelay[] {
  if (outbox === null) return [];
  const { identities, openStore } = outbox;
  return datasets
    .filter(({ table: { dataset } }) => outbox.datasets.has(dataset))
    .map(({ partitions, table: { dataset } }) => {
      const lane = lanes.get(dataset)!;
      const publisherOf = (shard: ShardName): ShardPublisher => {
        const { partition } = parseShardName(shard)!;
        return new ShardPublisher({ region, dataset, shard, partition, log, clock, identities, observer });
      };
      return new OutboxRelay({
        region,
        shards: shardsOf(dataset, partitions),
        footingOf: (shard) => lane.footingOf(shard),
        openStore,
        publisherOf,
        observer,
        clock,
      });
    });
}
