/**
 * The signature of an aggregate's reducer: deterministic, synchronous, without side effects.
 */
import type { ColumnValue } from './content.js';

/** The event as a reducer sees it; `data` has passed its schema. */
export interface ReducedEvent {
  readonly key: string;
  readonly type: string;
  readonly v: number;
  readonly data: { readonly [name: string]: unknown };
}

export type AggregateState = { readonly [column: string]: ColumnValue };

/** The whole entry is rejected with `guard`. */
export interface Refusal {
  readonly refuse: string;
}

/**
 * The row after the event, every column named, or a refusal. `state` is null where there is no row. A reducer that
 * throws, or answers a row that does not fit the columns, refuses.
 */
export type Reducer = (state: AggregateState | null, event: ReducedEvent) => AggregateState | Refusal;
