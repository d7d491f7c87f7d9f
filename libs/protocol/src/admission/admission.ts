/**
 * May a gateway take one more write? What it takes beyond its strength it answers late, and everything else with it;
 * what it refuses at the door costs nearly nothing (I17). How much it takes at a time adapts to how late it is: each
 * late round takes a part of the limit away, each other one gives some back, as TCP finds what a path can carry. Classes
 * have shares of the limit by what they are worth, so that bulk gives way first and critical last.
 */
import type { DatasetClass } from '../configuration/content.js';
import type { Answer } from '../receipt/answer.js';

/** A write that knocks. */
export interface Knock {
  readonly datasetClass: DatasetClass;
  /** Another gateway has taken it, and what was done for it would be lost. */
  readonly forwarded: boolean;
}

export interface Pressure {
  /** Requests of all classes that are under way in this process, and those of the class. */
  readonly underWay: number;
  readonly underWayOfClass: number;
  /** By `nextLimit`. */
  readonly limit: number;
  /** The farthest that this region is behind on a shard of the dataset; null when it is not known. */
  readonly lagRecords: number | null;
}

/** A process that is always late still takes this, or nobody would be served; of bulk its share. */
export const LIMIT_MIN = 16;
/** What a process that is never late takes at a time. */
export const LIMIT_MAX = 256;
/** How late a round may be. Beyond it others wait for the processor, or this process for itself. */
export const LATE_MS = 50;
/** Of the limit after a late round; one slow moment of an idle process refuses nobody. */
const KEPT_WHEN_LATE = 0.7;
/** A round. What was taken is felt only half a second later: a limit that grows faster swings. */
const GROWTH = 0.5;

/**
 * Of the limit: what a class may use whatever the others do. Beyond it a class is taken while all together are within
 * the limit. What is worth most is refused only when there is too much of it alone.
 */
const CLASS_SHARES: { readonly [datasetClass in DatasetClass]: number } = {
  bulk: 1 / 4,
  local: 1,
  standard: 1,
  critical: 8,
};
/** Who would be refused at the end of its way is better refused at its beginning. */
const FORWARDED_TIMES = 2;
/** Others wait for their verdicts and are slowed by them already. */
const BULK_LAG_RECORDS_MAX = 20_000;

/** What a process takes at a time after a round that was so late. */
export function nextLimit(limit: number, delayMs: number): number {
  return delayMs > LATE_MS
    ? Math.max(LIMIT_MIN, limit * KEPT_WHEN_LATE)
    : Math.min(LIMIT_MAX, limit + GROWTH);
}

/** Null when the write is taken; otherwise why it is not. */
export function refusalBy({ datasetClass, forwarded }: Knock, pressure: Pressure): string | null {
  const { lagRecords, limit, underWay, underWayOfClass } = pressure;
  if (datasetClass === 'bulk' && (lagRecords ?? 0) > BULK_LAG_RECORDS_MAX)
    return `this region is ${lagRecords} records behind, writes of class bulk wait beyond ${BULK_LAG_RECORDS_MAX}`;
  const mayTake = forwarded ? limit * FORWARDED_TIMES : limit;
  if (underWay >= mayTake && underWayOfClass >= mayTake * CLASS_SHARES[datasetClass])
    return `this gateway has more to do than it can, writes of class ${datasetClass} give way first`;
  return null;
}

/** Callers that were refused together come back one after the other. @param before how many were refused before. */
export const retryAfterSeconds = (before: number): number => 1 + (before % RETRY_AFTER_SECONDS_MAX);
export const RETRY_AFTER_SECONDS_MAX = 3;

/** A refusal that waiting may mend, of which nobody has said yet when to come back. */
export const passesByItself = ({ headers, status }: Pick<Answer, 'headers' | 'status'>): boolean =>
  (status === 429 || status === 503) &&
  !Object.keys(headers).some((name) => name.toLowerCase() === 'retry-after');
