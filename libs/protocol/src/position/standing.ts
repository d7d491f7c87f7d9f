/**
 * Does a store's vote count? Decided on taking a shard, from its cursor and from what this region told before (I12).
 *
 * A store that lacks what its region has told went back to an earlier state: a disk or a backup was restored. It takes a
 * new incarnation, so that what it told before stops counting everywhere, folds on from where it is, and votes again once
 * it stands where it had stood before with the hashes that it had then. An empty store in place of a lost one is the
 * same case. What is told again at the same place must be the same; where it is not, the vote stays withheld.
 */
import { hashToHex } from '../entry/digest.js';
import type { Cursor } from '../fold/state.js';
import { generationOf, type Sequence, type StoreIncarnation } from '../identity/identity.js';
import type { RecordedWatermark } from './recorded-watermark.js';
import type { Withheld } from './watermark.js';

export type Standing =
  | { readonly kind: 'counts' }
  /** Not before it has folded to the place where it had been, and finds the same hashes there. */
  | { readonly kind: 'unverified'; readonly until: Sequence }
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
  return { standing: standingAt(cursor, told), wentBack };
}

/** The standing once the store has committed `after`. A batch folds no further than `recordsUntilProof` says. */
export function standingAfter(
  standing: Standing,
  before: Cursor,
  after: Cursor,
  told: readonly RecordedWatermark[],
): Standing {
  // Before its first record a log has no name, and nothing told can be compared with it.
  const isSettled = standing.kind === 'counts' && before.logIncarnation !== null;
  return isSettled || standing.kind === 'diverged' ? standing : standingAt(after, told);
}

function standingAt(cursor: Cursor, told: readonly RecordedWatermark[]): Standing {
  let highest: RecordedWatermark | null = null;
  for (const one of told) {
    if (isOfLog(one, cursor) && one.sequence >= (highest?.sequence ?? 0n)) highest = one;
  }
  if (highest === null || highest.sequence < cursor.sequence) return COUNTS;
  if (highest.sequence > cursor.sequence) return { kind: 'unverified', until: highest.sequence };
  const same =
    hashToHex(cursor.inputHash) === highest.inputHash &&
    hashToHex(cursor.effectsHash) === highest.effectsHash;
  return same ? COUNTS : { kind: 'diverged', at: highest.sequence };
}

const isOfLog = (one: RecordedWatermark, cursor: Cursor): boolean =>
  one.logIncarnation === cursor.logIncarnation;

/** How many records may be folded before hashes must be compared; null for no bound. Each takes one sequence (I2). */
export function recordsUntilProof(standing: Standing, cursor: Cursor): number | null {
  return standing.kind === 'unverified' ? Number(standing.until - cursor.sequence) : null;
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
        detail: `this store has other hashes at sequence ${standing.at} than its region told before; compare the regions, and rebuild the one that differs`,
      };
  }
}
