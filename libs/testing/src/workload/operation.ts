/** One write as a client asks it, and the text in which it is sent. */
import { defaultStage, type DatasetClass, type Stage } from '@lockstep/protocol';
import type { InvokeLine } from '../history/index.js';

/** The datasets of the sample catalogue that the workload writes. */
export const DATASET_CLASSES = {
  accounts: 'critical',
  orders: 'standard',
  readings: 'bulk',
} as const satisfies { readonly [dataset: string]: DatasetClass };

export type WorkloadDataset = keyof typeof DATASET_CLASSES;

export interface Operation extends Pick<
  InvokeLine,
  'op' | 'key' | 'repeats' | 'wrongVersion' | 'timeoutMs' | 'events'
> {
  readonly dataset: WorkloadDataset;
  readonly ack: Stage | null;
}

/** What is sent at once. The operations of a batch have one dataset, stage and time-out. */
export type Call =
  | { readonly kind: 'single'; readonly operations: readonly [Operation] }
  | { readonly kind: 'batch'; readonly operations: readonly [Operation, ...Operation[]] };

/** The stage that an answer waits for. */
export const wantedStage = ({ ack, dataset }: Operation): Stage =>
  ack ?? defaultStage(DATASET_CLASSES[dataset]);

/** Equal for an operation and its repeats, to the byte. */
export const writeBody = ({ ack, events, timeoutMs }: Operation): string =>
  JSON.stringify({ events, ...(ack === null ? {} : { ack }), timeoutMs });

export function batchBody(operations: readonly [Operation, ...Operation[]]): string {
  const [{ ack, timeoutMs }] = operations;
  const entries = operations.map(({ events, key }) => ({
    events,
    ...(key === null ? {} : { idempotencyKey: key }),
  }));
  return JSON.stringify({ entries, ...(ack === null ? {} : { ack }), timeoutMs });
}
