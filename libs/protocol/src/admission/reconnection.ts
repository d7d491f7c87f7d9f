/**
 * What a client is told that lost its answer, or was refused: whether writes of a shard are taken through the gateway that it
 * asks, and when to come back. Pure: from what the gateway knows of home, fence and move.
 *
 * Upheld here: nothing depends on it. Every gateway takes every write and brings it to the home; figures are expectations, and
 * what was not measured is not told as a time. Whoever comes back, comes within a window and not at once (I20).
 */
import type { ControlState, OpenMove } from '../control/state.js';
import type { Epoch, RegionName, ShardName } from '../identity/identity.js';
import { openingBy } from '../promotion/opening.js';
import type { OpenStage } from '../promotion/promotion-machine.js';
import { RETRY_AFTER_SECONDS_MAX } from './admission.js';

/** What a gateway knows of a shard. */
export interface ShardSight {
  readonly shard: ShardName;
  /** Of the gateway. */
  readonly region: RegionName;
  /** As this region's store has folded it; null while it is not known. */
  readonly home: RegionName | null;
  readonly epoch: Epoch | null;
  /** A stream of the home is connected here. */
  readonly isHomeHeard: boolean;
  /** This region cannot go on with the shard. */
  readonly isHalted: boolean;
  /** Any region may append (`writers: any`). */
  readonly hasManyWriters: boolean;
  /** Of its dataset, in per cent of the keys; null: a new home takes all writes at once. */
  readonly openFirst: number | null;
  /** Null before the control log was read. */
  readonly control: Pick<ControlState, 'finished' | 'logTimeMs' | 'open' | 'predictions'> | null;
}

/**
 * `here`: appended by this region. `forwarded`: brought to the home. `waiting`: held or tried again until the caller's time is
 * over, then 503 or 202. `refused`: 503 at once, or once the caller's time is over.
 */
export type WritesTaken = 'here' | 'forwarded' | 'waiting' | 'refused';

export interface Reconnection {
  readonly writes: WritesTaken;
  /** Null where they are taken. */
  readonly reason: 'moving' | 'opening' | 'home-not-heard' | 'home-not-known' | 'halted' | null;
  /** Log time at which the home of this epoch opened; null where that is not remembered. */
  readonly sinceMs: number | null;
  /** The move that is under way. */
  readonly move: OpenMove | null;
  /** Come back at a random moment of the window that begins so long from now. */
  readonly afterMs: number;
  readonly withinMs: number;
}

/** Where nobody knows how long it takes. */
const AFTER_MS = 1_000;
const WITHIN_MS = RETRY_AFTER_SECONDS_MAX * 1_000;
/** From when gateways hold writes, or the home may own no more, until the new home is known by its fence. */
const BETWEEN_HOMES: readonly OpenStage[] = ['parked', 'drained', 'fencing', 'withdrawing', 'fenced'];

export function reconnection(sight: ShardSight): Reconnection {
  const { control, epoch, hasManyWriters, home, isHalted, isHomeHeard, openFirst, region, shard } = sight;
  const move = control?.open.find((open) => open.shard === shard) ?? null;
  const told = { sinceMs: sinceOf(sight), move, afterMs: AFTER_MS, withinMs: WITHIN_MS };
  if (home === null) return { ...told, writes: 'refused', reason: 'home-not-known' };
  const isHere = home === region || hasManyWriters;
  if (isHalted && isHere) return { ...told, writes: 'refused', reason: 'halted' };
  if (move !== null && epoch === move.expectedEpoch && BETWEEN_HOMES.includes(move.stage))
    return { ...told, writes: 'waiting', reason: 'moving', afterMs: leftOf(move, control!) };
  if (epoch !== null && openingBy(control, { shard, home, epoch, openFirst }) !== null)
    return { ...told, writes: 'waiting', reason: 'opening' };
  if (!isHere && !isHomeHeard) return { ...told, writes: 'waiting', reason: 'home-not-heard' };
  return { ...told, writes: isHere ? 'here' : 'forwarded', reason: null, afterMs: 0 };
}

function sinceOf({ control, epoch, shard }: ShardSight): number | null {
  if (control === null || epoch === null) return null;
  const move = [...control.open, ...control.finished].find(
    (one) => one.shard === shard && one.expectedEpoch + 1n === epoch,
  );
  return move?.passed.findLast(({ stage }) => stage === 'open')?.atMs ?? null;
}

/** What remains of the time that the move was said to take, in log time; one that is late may end at any moment. */
function leftOf(
  { decision, move, passed }: OpenMove,
  { logTimeMs, predictions }: NonNullable<ShardSight['control']>,
): number {
  const gapMs = predictions.find((one) => one.decision === decision)?.predicted.gapMs ?? null;
  const first = move === 'switchover' ? 'parked' : 'fencing';
  const begun = passed.findLast(({ stage }) => stage === first);
  if (gapMs === null || begun === undefined) return AFTER_MS;
  return Math.max(AFTER_MS, begun.atMs + gapMs - logTimeMs);
}
