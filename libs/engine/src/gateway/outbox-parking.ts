/**
 * The outboxes of shards that are about to leave this region: while a switchover has a shard parked, services are told to save
 * again in a moment, and what they stored before goes to the log, so that the fence finds nothing pending.
 *
 * Every parking ends: when the move has, whatever its end, when it is let go to be tried again, and by itself should this
 * process be gone by then.
 */
import { OUTBOX_PARKED_MS_MAX, parkingOf, type RegionName, type ShardName } from '@lockstep/protocol';
import type { ControlLog } from '../control/control-log.js';
import { Gate, waitAtMost } from '../gate.js';
import { reportLoopFailure } from '../loop-failure.js';
import type { Observer } from '../ports/observer.js';
import type { OutboxParkingStore } from '../ports/outboxes.js';
import type { Clock } from '../ports/world.js';
import { leavingBy } from './held-shards.js';
import type { LedgerFeed } from './ledger-feed.js';

/** Also bounds how late this region's own fold is seen. */
const LOOK_AGAIN_MS = 500;
/** The home's fold and its services come first; a move waits for far longer. */
const RETRY_PAUSE_MS = 50;

export interface OutboxParkingOptions {
  readonly region: RegionName;
  /** Of datasets that services write through an outbox. */
  readonly shards: readonly ShardName[];
  readonly feed: LedgerFeed;
  readonly control: ControlLog;
  readonly store: OutboxParkingStore;
  readonly observer: Observer;
  readonly clock: Clock;
}

export class OutboxParking {
  private readonly parked = new Map<ShardName, { readonly parking: string; readonly isDone: boolean }>();
  private readonly stopping = new Gate();

  constructor(private readonly options: OutboxParkingOptions) {}

  /** Runs until `stop`. */
  async run(): Promise<void> {
    const { clock, control, shards } = this.options;
    while (!this.stopping.isOpen) {
      const changed = control.nextChange();
      const looked = await Promise.all(shards.map((shard) => this.look(shard)));
      const waitMs = looked.every((isDone) => isDone) ? LOOK_AGAIN_MS : RETRY_PAUSE_MS;
      await waitAtMost([changed, this.stopping], clock, waitMs);
    }
  }

  stop(): void {
    this.stopping.open();
  }

  /** False when it must be tried again. */
  private async look(shard: ShardName): Promise<boolean> {
    const { observer, store } = this.options;
    const move = leavingBy(this.options, shard);
    const wanted = move === null ? null : parkingOf(move);
    const present = this.parked.get(shard);
    if (wanted === (present?.parking ?? null) && present?.isDone !== false) return true;
    try {
      if (present !== undefined && present.parking !== wanted) {
        await store.unparkOutbox(shard, present.parking);
        this.parked.delete(shard);
      }
      if (wanted !== null) {
        // It may be parked although no answer comes: then it is ended as any.
        this.parked.set(shard, { parking: wanted, isDone: false });
        await store.parkOutbox(shard, wanted, OUTBOX_PARKED_MS_MAX);
        this.parked.set(shard, { parking: wanted, isDone: true });
      }
      return true;
    } catch (error) {
      reportLoopFailure(observer, `outbox of ${shard}`, error);
      return false;
    }
  }
}
