/**
 * Does a store's vote count? Decided on taking a shard, from its cursor and from what this region told before (I12).
 *
 * A store that lacks what its region has told went back to an earlier state: a disk or a backup was restored. It takes a
 * new incarnation, so that what it told before stops counting everywhere, folds on from where it is, and votes again once
 * it stands where it had stood before with the hashes that it had then. An empty store in place of a lost one is the
 * same case. What is told again at the same place must be the same; where it is not, the vote stays withheld for as long
 * as the store lives this life. Only a place at which the vote counted proves anything: what a store tells while its vote
 * is withheld is no proof for itself, and what one told that had diverged is one against every copy of it.
 */
import { hashToHex } from '../entry/digest.js';
import type { Cursor } from '../fold/state.js';
import { generationOf, type Sequence, type StoreIncarnation } from '../identity/identity.js';
import type { RecordedWatermark } from './recorded-watermark.js';
import type { Withheld } from './watermark.js';

export type Standing =
  | { readonly kind: 'counts' }
  /** Not before it has folded to the place where it had been; it is compared there and on the way, at `next` first. */
  | { readonly kind: 'unverified'; readonly until: Sequence; readonly next: Sequence }
  | { readonly kind: 'diverged'; readonly at: Sequence };

export const COUNTS: Standing = { kind: 'counts' };

/**
 * @param told what the region told of this shard, by every life of its store; of each life its highest place.
 * @returns `wentBack`: this life of the store is over, it must take a new incarnation.
 */
export function judgeStore(
  cursor: Cursor,
  incarnation: StoreIncarnation,
  told: readonly RecordedWatermark[],
): { readonly standing: Standing; readonly wentBack: boolean } {
  const wentBack = told.some((one) =>
    one.storeIncarnation === incarnation
      ? isOfLog(one, cursor) && one.sequence > cursor.sequence
      : // A copy of before that life began, or an empty store in place of a lost one.
        generationOf(one.storeIncarnation) >= generationOf(incarnation),
  );
  return { standing: standingAt(cursor, incarnation, told), wentBack };
}

/** The standing once the store has committed `after`. A batch folds no further than `recordsUntilProof` says. */
export function standingAfter(
  standing: Standing,
  before: Cursor,
  after: Cursor,
  incarnation: StoreIncarnation,
  told: readonly RecordedWatermark[],
): Standing {
  // Before its first record a log has no name, and nothing told can be compared with it.
  const isSettled = standing.kind === 'counts' && before.logIncarnation !== null;
  return isSettled || standing.kind === 'diverged' ? standing : standingAt(after, incarnation, told);
}

function standingAt(
  cursor: Cursor,
  incarnation: StoreIncarnation,
  told: readonly RecordedWatermark[],
): Standing {
  const ofLog = told.filter((one) => one.logIncarnation === cursor.logIncarnation);
  const diverged = ofLog.find((one) => one.storeIncarnation === incarnation && one.withheld === 'diverged');
  if (diverged !== undefined) return { kind: 'diverged', at: diverged.sequence };
  const places = ofLog
    .filter((one) => one.withheld !== 'unverified' && one.sequence >= cursor.sequence)
    .sort((x, y) => (x.sequence < y.sequence ? -1 : 1));
  const here = places.filter((one) => one.sequence === cursor.sequence);
  const contradicts = (one: RecordedWatermark): boolean => {
    const isSame =
      hashToHex(cursor.inputHash) === one.inputHash && hashToHex(cursor.effectsHash) === one.effectsHash;
    return isSame === (one.withheld === 'diverged');
  };
  if (here.some(contradicts)) return { kind: 'diverged', at: cursor.sequence };
  const next = places[here.length];
  if (next === undefined) return COUNTS;
  return { kind: 'unverified', until: places.at(-1)!.sequence, next: next.sequence };
}

const isOfLog = (one: RecordedWatermark, cursor: Cursor): boolean =>
  one.logIncarnation === cursor.logIncarnation;

/** How many records may be folded before hashes must be compared; null for no bound. Each takes one sequence (I2). */
export function recordsUntilProof(standing: Standing, cursor: Cursor): number | null {
  return standing.kind === 'unverified' ? Number(standing.next - cursor.sequence) : null;
}

export function withheldBy(standing: Standing): Withheld | null {
  switch (standing.kind) {
    case 'counts':
      return null;
    case 'unverified':
      return {
        code: 'unverified',
        detail: `this store is behind what its region told before; it votes again when it has folded to sequence ${standing.until} and finds the same hashes there`,
      };
    case 'diverged':
      return {
        code: 'diverged',
        detail: `this store was found at sequence ${standing.at} with other hashes than its region told before; compare the regions, and rebuild the one that differs`,
      };
  }
}
