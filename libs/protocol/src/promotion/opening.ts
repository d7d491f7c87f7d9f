/**
 * Which writes a new home holds back while it takes only a share of them (`openFirst` of the dataset, decision 0089), so that
 * one that cannot sustain them is found out by few. Pure.
 *
 * Upheld here: nothing depends on it. What opens a shard is that its home has folded its own fence (I13); who reads no control
 * log holds nothing back.
 */
import type { ControlState, OpenMove } from '../control/state.js';
import { utf8 } from '../entry/utf8.js';
import type { Epoch, RegionName, ShardName } from '../identity/identity.js';
import { murmur2 } from '../routing/key.js';
import type { OpenStage } from './promotion-machine.js';

/** A gateway holds a share back for so long at most, from when it first met the move: writes go on without any coordinator. */
export const OPENING_MS_MAX = 15_000;

/** The home owns its epoch as soon as it folds its fence; which stage it has read by then is the control log's matter. */
const OPENING: readonly OpenStage[] = ['fencing', 'withdrawing', 'fenced', 'folded', 'canary', 'share'];

export interface OpeningShard {
  readonly shard: ShardName;
  /** As the region of the gateway has folded them. */
  readonly home: RegionName;
  readonly epoch: Epoch;
  /** Per cent of the keys; null: all at once. */
  readonly openFirst: number | null;
}

/** The move by which the home has just become it and does not take all writes yet; null where it takes them. */
export function openingBy(
  state: Pick<ControlState, 'open'> | null,
  { epoch, home, openFirst, shard }: OpeningShard,
): OpenMove | null {
  if (openFirst === null) return null;
  const move = state?.open.find((open) => open.shard === shard);
  const isOpening =
    move !== undefined &&
    move.to === home &&
    move.expectedEpoch + 1n === epoch &&
    OPENING.includes(move.stage);
  return isOpening ? move : null;
}

/** Nothing is taken before the probe; then writes of which every key is of the share. */
export const isTakenFirst = ({ stage }: OpenMove, keys: readonly string[], openFirst: number): boolean =>
  stage === 'share' && keys.every((key) => isOfShare(key, openFirst));

/** The same keys in every region and at every opening. Apart from the shard of the key, which is a remainder of its hash. */
const isOfShare = (key: string, perCent: number): boolean => murmur2(utf8(`first ${key}`)) % 100 < perCent;
