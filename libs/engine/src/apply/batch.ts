/**
 * What a batch of a lane is on its way from the queue to the store: gathered entries of several shards, which are then
 * folded, each shard from the state in which it was found.
 */
import type {
  DecodedEntry,
  FoldedBatch,
  FoldedEntry,
  Halt,
  Reads,
  RowOperation,
  ShardName,
  ShardState,
} from '@lockstep/protocol';
import type { Line } from './line.js';

/** From what a shard's entries are folded; once the line is elsewhere, they are read again. */
export interface Ground {
  readonly line: Line;
  readonly life: number;
  readonly before: ShardState;
}

export interface Portion extends Ground {
  readonly entries: readonly DecodedEntry[];
}

/** Entries of several shards that are to be folded and committed together, and what must be read for it. */
export interface Gathered {
  readonly kind: 'gathered';
  readonly startedAtMs: number;
  readonly portions: readonly Portion[];
  readonly reads: ReadonlyMap<ShardName, Reads>;
  readonly withColumns: boolean;
}

export interface Work extends Ground {
  readonly folded: readonly FoldedEntry[];
  readonly batch: FoldedBatch;
  readonly bytes: number;
}

export type Halted = Pick<Ground, 'line' | 'life'> & { readonly halt: Halt };

export interface Folded {
  readonly kind: 'folded';
  readonly startedAtMs: number;
  readonly readMs: number;
  readonly foldMs: number;
  readonly works: readonly Work[];
  /** Take effect once what was folded before them is committed. */
  readonly halts: readonly Halted[];
}

/** Of whose entries it is the next batch: nobody else takes any of them before it is committed. */
export const shardsOfBatch = (batch: Gathered | Folded): ReadonlySet<ShardName> => {
  const taken = batch.kind === 'gathered' ? batch.portions : [...batch.works, ...batch.halts];
  return new Set(taken.map(({ line }) => line.shard));
};

/** Keys of different shards differ (routing), so that merging is sorting. */
export function mergeRows(parts: readonly (readonly RowOperation[])[]): readonly RowOperation[] {
  if (parts.length === 1) return parts[0]!;
  return parts.flat().sort((x, y) => (x.key < y.key ? -1 : x.key > y.key ? 1 : 0));
}
