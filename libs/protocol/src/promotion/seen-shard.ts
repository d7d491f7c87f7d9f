/**
 * What a leader sees of one shard: the newest watermark of each region, and nothing else. It is recorded with each decision,
 * so it has a shape. Unknown is null and never counts as good.
 */
import { EPOCH, REGION, SHARD } from '../control/command.js';
import {
  as,
  boolean,
  integer,
  list,
  nullable,
  object,
  ordinal,
  text,
  type ShapeOf,
} from '../control/shape.js';
import { sequence, type Epoch, type RegionName } from '../identity/identity.js';

export const SEEN_REGION = object({
  region: REGION,
  /** A stream of the region is connected. */
  isConnected: boolean,
  /** Its hashes contradict those of a majority (`Tally.differing`). */
  differs: boolean,
  /** Its newest watermark; null when it has told none of this log. */
  told: nullable(
    object({
      sequence: as(ordinal, sequence),
      epoch: EPOCH,
      home: nullable(REGION),
      /** The last pair that a fence or `term` entry left in the shard. */
      term: ordinal,
      decision: ordinal,
      lagRecords: nullable(integer),
      halted: nullable(text(64)),
      withheld: nullable(text(64)),
    }),
  ),
});

export const SEEN_SHARD = object({
  shard: SHARD,
  /** Regions that may hold the shard's group. */
  legal: list(REGION, 12),
  regions: list(SEEN_REGION, 12),
  /** Text of the quorum rule in force; null when nobody has told it. */
  rule: nullable(text(1_024)),
});

export interface SeenRegion extends ShapeOf<typeof SEEN_REGION> {}
export interface SeenShard extends ShapeOf<typeof SEEN_SHARD> {}

/** What the region says that has folded furthest and does not differ: all of it at one position. */
export interface Ownership {
  readonly epoch: Epoch;
  readonly home: RegionName | null;
  readonly term: bigint;
  readonly decision: bigint;
}

export function ownershipOf({ regions }: SeenShard): Ownership | null {
  const told = regions.flatMap(({ differs, told: one }) => (differs || one === null ? [] : [one]));
  return told.reduce<(typeof told)[number] | null>(
    (furthest, one) => (furthest === null || one.sequence > furthest.sequence ? one : furthest),
    null,
  );
}

export const seenRegion = ({ regions }: SeenShard, name: RegionName): SeenRegion | null =>
  regions.find(({ region }) => region === name) ?? null;

/** What keeps a region from becoming home, or home from handing over; null when nothing does. */
export type Obstacle = 'not-connected' | 'nothing-told' | 'halted' | 'withheld' | 'differs';

export function obstacleOf(seen: SeenRegion | null): Obstacle | null {
  if (seen?.isConnected !== true) return 'not-connected';
  if (seen.told === null) return 'nothing-told';
  if (seen.differs) return 'differs';
  if (seen.told.halted !== null) return 'halted';
  return seen.told.withheld === null ? null : 'withheld';
}
