/** Deciders: pure functions from the present row to events, or to a refusal; and what surrounds them purely. */
import type { DatasetTypes, EventOf, KeyOf } from './dataset-types.js';

/** What a decider sees of its key. */
export interface Current<Types extends DatasetTypes> {
  readonly key: KeyOf<Types>;
  /** Null where there is no row. */
  readonly row: Types['row'] | null;
  /** 0 where there is no row. */
  readonly version: number;
}

/** No event: there is nothing to write. */
export type Decision<Types extends DatasetTypes> = readonly Types['event'][] | Refused;

/** May be asked again with a newer row, so it decides by its argument alone. */
export type Decider<Types extends DatasetTypes> = (current: Current<Types>) => Decision<Types>;

export interface Refused {
  readonly refuse: string;
}

/** What a decider answers when the row does not allow it; callers meet it as `DecisionRefused`. */
export const refuse = (reason: string): Refused => ({ refuse: reason });

export const isRefused = (decision: Decision<DatasetTypes>): decision is Refused => 'refuse' in decision;

/** The events with the version that was decided on; events of other keys expect nothing. */
export function expecting<Types extends DatasetTypes>(
  events: readonly Types['event'][],
  { key, version }: Current<Types>,
): readonly EventOf<Types>[] {
  return events.map((event) => (event.key === key ? { ...event, expectedVersion: version } : event));
}

/** One key for each attempt: another decision under the same key would be `key-reused`. */
export const attemptKey = (key: string, attempt: number): string => `${key}#${attempt}`;

/**
 * The key of the entry that corrects another one: found from the corrected one's, so that the link is in the log itself,
 * and one entry has at most one correction however often it is asked for.
 */
export const correctionKey = (key: string): string => `${key}~undo`;
