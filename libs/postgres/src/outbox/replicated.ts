/** `@Replicated`: which entities are rows of a dataset, and which events tell of their changes. */
import type { ColumnValue, DatasetName } from '@lockstep/protocol';

/** Columns of a row as events carry them: times as RFC 3339 in UTC, numeric as text. Without key and version. */
export interface ReplicatedRow {
  readonly [column: string]: ColumnValue;
}

export interface ReplicatedEvent {
  readonly type: string;
  /** Of the event's schema; 1 when not named. */
  readonly v?: number;
  readonly data: object;
}

/** How the transaction changed one row, whatever it did to it in between. */
export interface RowChange {
  /** Null when the row is new. */
  readonly before: ReplicatedRow | null;
  /** Null when the row is gone. */
  readonly after: ReplicatedRow | null;
}

export interface ReplicatedOptions {
  /** A dataset of the catalogue with `writers: outbox`; the entity's table is the table of its projection. */
  readonly dataset: string;
  /** The property that holds the row's key, in the column `id`. */
  readonly key: string;
  /** At least one event for every change. What the log makes of them is the row, here too. */
  readonly events: (change: RowChange) => readonly ReplicatedEvent[];
}

export interface Replication extends Omit<ReplicatedOptions, 'dataset'> {
  readonly dataset: DatasetName;
}

const REPLICATIONS = new WeakMap<object, Replication>();

/** Marks an entity; its changes are caught once the outbox is attached to its data source. */
export const Replicated =
  (options: ReplicatedOptions): ClassDecorator =>
  (target) => {
    REPLICATIONS.set(target, { ...options, dataset: options.dataset as DatasetName });
  };

/** Null for entities that are not replicated. */
export const replicationOf = (target: unknown): Replication | null =>
  (typeof target === 'function' ? REPLICATIONS.get(target) : undefined) ?? null;
