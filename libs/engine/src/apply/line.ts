/**
 * One shard in a lane: what is known of it between two commits, and what is told of it.
 *
 *   claimed -> applying -> halted -> claimed ...   a halt is judged again, because its cause may be gone (I20)
 *
 * A line that is given up (another instance holds the lease, the connection broke) is forgotten as a whole.
 */
import {
  COUNTS,
  hashToHex,
  withheldBy,
  type Halt,
  type Mark,
  type Offset,
  type RecordedWatermark,
  type RegionName,
  type ShardName,
  type ShardState,
  type Standing,
  type StoreIncarnation,
  type Watermark,
} from '@lockstep/protocol';
import type { Lease } from '../ports/store.js';

export interface Line {
  readonly shard: ShardName;
  readonly partition: number;
  readonly lease: Lease;
  phase: Phase;
  /** The halt that is judged again; told until the shard has moved on. */
  recurring: Halt | null;
  /** Grows when the in-memory state is dropped; what was fetched for an earlier life is not applied. */
  life: number;
  state: ShardState | null;
  /** What the region told before this line was taken, and whether the vote counts (I12). */
  told: readonly RecordedWatermark[];
  standing: Standing;
  /** Marks passed since the last watermark that was told. */
  marks: readonly Mark[];
  /** The log that the cursor was checked against; read from no other (I4). */
  topicId: string | null;
  nextOffset: Offset;
  /** Log end as last seen; null before the first fetch. */
  endOffset: Offset | null;
  /** Entries fetched and not yet committed. */
  pending: number;
  caughtUpAtMs: number | null;
  toldAtMs: number;
  /** When the log was first seen to end before the cursor; null when it did not. */
  truncatedAtMs: number | null;
  progressAtMs: number;
}

export type Phase =
  /** The lease is held, the cursor has not been read yet. */
  | { readonly kind: 'claimed' }
  | { readonly kind: 'applying' }
  | { readonly kind: 'halted'; readonly halt: Halt; readonly sinceMs: number };

export function newLine(lease: Lease, partition: number, life: number, nowMs: number): Line {
  return {
    shard: lease.shard,
    partition,
    lease,
    phase: { kind: 'claimed' },
    recurring: null,
    life,
    state: null,
    told: [],
    standing: COUNTS,
    marks: [],
    topicId: null,
    nextOffset: 0n as Offset,
    endOffset: null,
    pending: 0,
    caughtUpAtMs: null,
    toldAtMs: 0,
    truncatedAtMs: null,
    progressAtMs: nowMs,
  };
}

export const isCaughtUp = (line: Line): boolean =>
  line.pending === 0 && line.endOffset !== null && line.nextOffset >= line.endOffset;

/** The halt in force, judged again or not. */
export const haltOf = (line: Line): Halt | null =>
  line.phase.kind === 'halted' ? line.phase.halt : line.recurring;

/** Null before the cursor is read. */
export function watermarkOf(
  line: Line,
  region: RegionName,
  storeIncarnation: StoreIncarnation,
): Watermark | null {
  if (line.state === null) return null;
  const { cursor } = line.state;
  return {
    region,
    storeIncarnation,
    shard: line.shard,
    logIncarnation: cursor.logIncarnation,
    sequence: cursor.sequence,
    offset: cursor.offset,
    epoch: cursor.epoch,
    home: cursor.home,
    term: cursor.term,
    decision: cursor.decision,
    logTimeMs: cursor.logTimeMs,
    rules: cursor.rules,
    inputHash: hashToHex(cursor.inputHash),
    effectsHash: hashToHex(cursor.effectsHash),
    marks: line.marks,
    caughtUpAtMs: line.caughtUpAtMs,
    lagRecords: line.endOffset === null ? null : line.pending + Number(line.endOffset - line.nextOffset),
    halted: haltOf(line),
    withheld: withheldBy(line.standing),
  };
}
