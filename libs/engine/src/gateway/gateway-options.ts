/** What a gateway is made of, and who calls it. */
import type { DatasetName, Epoch, FoldConfiguration, RegionName } from '@lockstep/protocol';
import type { ControlLog } from '../control/control-log.js';
import type { Forwarder } from '../ports/forwarder.js';
import type { Log } from '../ports/log.js';
import type { Observer, SpanContext } from '../ports/observer.js';
import type { ProjectedTable, QueryStore } from '../ports/store.js';
import type { Clock, Identities } from '../ports/world.js';
import type { LedgerFeed } from './ledger-feed.js';

export interface GatewayDataset {
  readonly configuration: FoldConfiguration;
  readonly table: ProjectedTable;
  readonly partitions: number;
  /** Per cent of the keys that a new home takes writes of first; null: all at once. */
  readonly openFirst: number | null;
}

export interface GatewayOptions {
  readonly region: RegionName;
  readonly regions: readonly RegionName[];
  readonly datasets: ReadonlyMap<DatasetName, GatewayDataset>;
  /** Base URL of each region's gateway, for clients. */
  readonly addresses: ReadonlyMap<RegionName, string>;
  readonly feed: LedgerFeed;
  /** Run and stopped by whoever composes the process. */
  readonly control: ControlLog;
  readonly log: Log;
  readonly store: QueryStore;
  readonly forwarder: Forwarder;
  readonly clock: Clock;
  readonly identities: Identities;
  readonly observer: Observer;
}

/** Who calls, and how the call came here. */
export interface Caller {
  readonly principal: string;
  readonly trace: SpanContext;
  /** Null when a client called; otherwise what the forwarding gateway told. */
  readonly forwarded: {
    readonly hops: number;
    readonly epoch: Epoch;
    readonly keyWasMinted: boolean;
    /** It is an entry of an outbox that was undone. */
    readonly isReapplied: boolean;
    /** What remains of the client's time-out. */
    readonly timeoutMs: number;
  } | null;
  /** `Lockstep-Forward: never`. */
  readonly neverForward: boolean;
}
