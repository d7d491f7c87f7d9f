/**
 * Holds the leases of one replicator instance: takes what is free or expired, prolongs what it holds, and tells the
 * lanes. Safety is the lease number that every commit checks; this loop only decides who tries (liveness), so that a
 * standby takes over within lease time plus one of its rounds.
 *
 * It also sees when the store has begun a new life: whichever lane of whichever instance began it, every lane reads its
 * cursors again, because what is told under the life before counts nowhere any more (I12).
 */
import { parseShardName, type DatasetName, type ShardName, type StoreIncarnation } from '@lockstep/protocol';
import { Gate, waitAtMost } from '../gate.js';
import { reportLoopFailure } from '../loop-failure.js';
import type { Observer } from '../ports/observer.js';
import type { ApplyStore, Lease } from '../ports/store.js';
import type { Clock } from '../ports/world.js';
import type { Lane } from './lane.js';

export const LEASE_MS = 1_000;
const ROUND_MS = 250;
/** While another instance holds some of them: a takeover begins when its lease expires. */
const STANDBY_ROUND_MS = 100;

export interface LeaseKeeperOptions {
  /** Unique per process start. */
  readonly holder: string;
  readonly shards: readonly ShardName[];
  readonly lanes: ReadonlyMap<DatasetName, Lane>;
  readonly openStore: () => Promise<ApplyStore>;
  readonly observer: Observer;
  readonly clock: Clock;
}

export class LeaseKeeper {
  private held = new Map<ShardName, Lease>();
  private store: ApplyStore | null = null;
  /** The life of the store as last read; null before. */
  private storeIncarnation: StoreIncarnation | null = null;
  private readonly stopping = new Gate();

  constructor(private readonly options: LeaseKeeperOptions) {}

  async run(): Promise<void> {
    const { clock, lanes, observer, openStore, shards } = this.options;
    while (!this.stopping.isOpen) {
      try {
        if (this.store === null) {
          this.store = await openStore();
          await this.store.ensureShards(shards);
        }
        await this.round(this.store);
      } catch (error) {
        reportLoopFailure(observer, 'leases', error);
        await this.dropStore();
        for (const lane of lanes.values()) lane.doubtStore();
      }
      const holdsAll = this.held.size === shards.length;
      await waitAtMost(this.stopping, clock, holdsAll ? ROUND_MS : STANDBY_ROUND_MS);
    }
    await this.store?.release([...this.held.values()]).catch(() => undefined);
    await this.dropStore();
  }

  stop(): void {
    this.stopping.open();
  }

  private async round(store: ApplyStore): Promise<void> {
    const { holder, shards } = this.options;
    const held = [...this.held.values()];
    await this.noticeNewLife(store);
    const kept = held.length === 0 ? [] : await store.renew({ holder, shards, leaseMs: LEASE_MS, held });
    const free = shards.filter((shard) => !kept.some((lease) => lease.shard === shard));
    const taken = free.length === 0 ? [] : await store.claim({ holder, shards: free, leaseMs: LEASE_MS });
    const next = new Map([...kept, ...taken].map((lease) => [lease.shard, lease]));
    for (const lease of held) if (next.get(lease.shard)?.number !== lease.number) this.tellLost(lease);
    for (const lease of taken)
      this.options.observer.report({ kind: 'lease-taken', shard: lease.shard, lease: lease.number });
    this.held = next;
    for (const lease of next.values()) this.laneOf(lease.shard)?.take(lease);
  }

  /** Before leases are told: a lane that takes a shard reads a life that is at least as new. */
  private async noticeNewLife(store: ApplyStore): Promise<void> {
    const present = await store.incarnation();
    const isNew = this.storeIncarnation !== null && this.storeIncarnation !== present;
    this.storeIncarnation = present;
    if (isNew) for (const lane of this.options.lanes.values()) lane.doubtStore();
  }

  private tellLost(lease: Lease): void {
    this.laneOf(lease.shard)?.lose(lease.shard);
    this.options.observer.report({ kind: 'lease-lost', shard: lease.shard, lease: lease.number });
  }

  private laneOf(shard: ShardName): Lane | undefined {
    const parsed = parseShardName(shard);
    return parsed === null ? undefined : this.options.lanes.get(parsed.dataset);
  }

  private async dropStore(): Promise<void> {
    const { store } = this;
    this.store = null;
    await store?.close().catch(() => undefined);
  }
}
