/**
 * An evacuation moves the shards of one region away in their order, so many at once. Each move is a decision of its own; the
 * control state remembers which, so any leader goes on with it.
 */
import { covers } from '../control/scope.js';
import { isAwaited } from '../control/fold-control.js';
import type { ControlState, Evacuation } from '../control/state.js';
import type { RegionName, ShardName } from '../identity/identity.js';
import type { MoveCheckCode } from './preflight.js';

/** Refusals that no waiting mends. */
const FINAL_CHECKS: readonly MoveCheckCode[] = ['region', 'residency', 'already-home'];

/**
 * Shards whose move the leader judges now, first things first; it appends `decision` where every check is met, and `declined`
 * where one never will be (`isRefusedForGood`). What a pause covers waits.
 */
export function dueOfEvacuation(
  state: Pick<ControlState, 'open' | 'pauses'>,
  { concurrency, decision, isCancelled, region, shards }: Evacuation,
): readonly { readonly shard: ShardName; readonly to: RegionName }[] {
  if (isCancelled) return [];
  const underWay = state.open.filter((move) => move.evacuation === decision).length;
  const isPaused = ({ shard, to }: { readonly shard: ShardName; readonly to: RegionName }): boolean =>
    state.pauses.some(({ scope }) => covers(scope, { shard, from: region, to }));
  return shards
    .filter((item) => isAwaited(item) && !isPaused(item))
    .slice(0, Math.max(0, concurrency - underWay))
    .map(({ shard, to }) => ({ shard, to }));
}

/** @param unmet the checks that refuse a move. */
export const isRefusedForGood = (unmet: readonly MoveCheckCode[]): boolean =>
  unmet.some((code) => FINAL_CHECKS.includes(code));
