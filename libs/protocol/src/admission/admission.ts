/**
 * May a gateway take one more write? What it takes beyond its strength it answers late, and everything else with it;
 * what it refuses at the door costs nearly nothing (I17). Classes give way in the order of what they are worth: bulk
 * first, critical last. Some of each class is always taken, so that a slow moment of a quiet gateway refuses nobody.
 */
import type { DatasetClass } from '../configuration/content.js';

export interface Pressure {
  /** Requests of the class that are under way in this process. */
  readonly underWay: number;
  /** How late this process gets to its work. */
  readonly delayMs: number;
  /** The farthest that this region is behind on a shard of the dataset; null when it is not known. */
  readonly lagRecords: number | null;
}

export interface AdmissionLimits {
  /** As many requests as are always taken. */
  readonly underWayMin: number;
  readonly delayMsMax: number;
  /** Null: a class whose writes wait for their verdicts is slowed by them already. */
  readonly lagRecordsMax: number | null;
}

export const ADMISSION_LIMITS: { readonly [datasetClass in DatasetClass]: AdmissionLimits } = {
  bulk: { underWayMin: 8, delayMsMax: 25, lagRecordsMax: 20_000 },
  local: { underWayMin: 16, delayMsMax: 50, lagRecordsMax: null },
  standard: { underWayMin: 32, delayMsMax: 50, lagRecordsMax: null },
  critical: { underWayMin: 64, delayMsMax: 100, lagRecordsMax: null },
};

/** Null when the write is taken; otherwise why it is not. */
export function refusalBy(datasetClass: DatasetClass, pressure: Pressure): string | null {
  const { delayMsMax, lagRecordsMax, underWayMin } = ADMISSION_LIMITS[datasetClass];
  const { delayMs, lagRecords, underWay } = pressure;
  if (lagRecordsMax !== null && (lagRecords ?? 0) > lagRecordsMax)
    return `this region is ${lagRecords} records behind, writes of class ${datasetClass} wait beyond ${lagRecordsMax}`;
  if (underWay >= underWayMin && delayMs > delayMsMax)
    return `this gateway has more to do than it can, writes of class ${datasetClass} give way first`;
  return null;
}
