/**
 * Places of a change feed: where it goes on in each shard's log, so that a reader who lost his connection resumes without
 * a gap. Opaque to clients, readable to us; of one dataset and one life of its topic.
 *
 *   position = "1" "~" dataset "@" log "~" shard { ";" shard } "~" checksum      shard = next offset [ "+" ahead ]
 *
 * Shards stand in the order of their partitions. `ahead` says how far beyond the place the rows were that have been told
 * already: a store that went back is not shown before it has folded that far again, so that no key's row goes back.
 */
import { checksum } from './checksum.js';
import { decodeEntry } from '../fold/decoded-entry.js';
import { isDatasetName, offset, type DatasetName, type Offset } from '../identity/identity.js';
import { routeKey } from '../routing/key.js';
import type { GroupContent } from '../configuration/content.js';
import type { LogRecord } from '../entry/record.js';

export interface FeedShard {
  /** Where to read on. */
  readonly nextOffset: Offset;
  /** Rows were told from a store that had folded through here; at least the one before `nextOffset`. */
  readonly shownOffset: Offset;
}

export interface FeedPosition {
  readonly dataset: DatasetName;
  /** Which log, among all that ever had the name of the dataset's topic. */
  readonly logId: string;
  /** By partition. */
  readonly shards: readonly FeedShard[];
}

const SHARD_PATTERN = /^(0|[1-9][0-9]{0,17})(?:\+([1-9][0-9]{0,17}))?$/;

export function encodeFeedPosition({ dataset, logId, shards }: FeedPosition): string {
  const places = shards.map(({ nextOffset, shownOffset }) => {
    const ahead = shownOffset - nextOffset + 1n;
    return ahead > 0n ? `${nextOffset}+${ahead}` : `${nextOffset}`;
  });
  const text = `${dataset}@${logId}~${places.join(';')}`;
  return `1~${text}~${checksum(text)}`;
}

/** Null when the text is not a position of this version, or was damaged. */
export function decodeFeedPosition(text: string): FeedPosition | null {
  const match = /^1~(([^~@]+)@([A-Za-z0-9_-]{1,64})~([0-9;+]+))~([0-9a-f]{8})$/.exec(text);
  if (match === null || checksum(match[1]!) !== match[5] || !isDatasetName(match[2]!)) return null;
  const shards: FeedShard[] = [];
  for (const place of match[4]!.split(';')) {
    const fields = SHARD_PATTERN.exec(place);
    if (fields === null) return null;
    shards.push(feedShard(offset(BigInt(fields[1]!)), BigInt(fields[2] ?? '0')));
  }
  return { dataset: match[2], logId: match[3]!, shards };
}

/** @param ahead how far the rows that were told are beyond the place. */
export const feedShard = (nextOffset: Offset, ahead: bigint = 0n): FeedShard => ({
  nextOffset,
  shownOffset: offset(nextOffset - 1n + ahead),
});

/** False when the log has passed the place, or ends before it: what stood there can be told no more. */
export const isHeld = (
  { nextOffset }: FeedShard,
  { endOffset, startOffset }: { readonly startOffset: Offset; readonly endOffset: Offset },
): boolean => nextOffset >= startOffset && nextOffset <= endOffset;

/**
 * What of a fetch a region has folded through the offset, and where to read on behind that. Never beyond the fold, also
 * where the log says that nothing stands there: a store is waited for only as far as it is sure to come.
 */
export function foldedPart(
  { nextOffset, records }: { readonly records: readonly LogRecord[]; readonly nextOffset: Offset },
  foldedOffset: Offset,
): { readonly records: readonly LogRecord[]; readonly nextOffset: Offset } {
  const behind = offset(foldedOffset + 1n);
  return {
    records: records.filter((record) => record.offset <= foldedOffset),
    nextOffset: nextOffset < behind ? nextOffset : behind,
  };
}

/**
 * The keys whose rows the records may have changed, each once. Verdicts are not asked: the row says what became of it, and
 * of a rejected entry it says what was known. A key of another shard can only stand in an entry that is rejected.
 */
export function touchedKeys(
  records: readonly LogRecord[],
  partition: number,
  groups: readonly GroupContent[],
): readonly string[] {
  const keys = new Set<string>();
  for (const record of records) {
    const entry = decodeEntry(record);
    if (entry.kind !== 'data') continue;
    for (const { key } of entry.events) {
      if (keys.has(key)) continue;
      const route = routeKey(groups, key);
      if (route.kind === 'shard' && route.partition === partition) keys.add(key);
    }
  }
  return [...keys];
}
