/**
 * What a region wrote down of itself outside of its store: the slow copy on `lockstep.watermarks`. By it a store that
 * went back to an earlier state is found out (I12). One JSON object a record; ordinals as numbers, offsets as text.
 */
import { recordObject } from '../entry/body.js';
import {
  isId128,
  isRegionName,
  parseShardName,
  sequence,
  type LogIncarnation,
  type RegionName,
  type Sequence,
  type ShardName,
  type StoreIncarnation,
} from '../identity/identity.js';
import { WITHHELD_CODES, type Watermark, type WithheldCode } from './watermark.js';

/** The part of a watermark by which a store is judged. */
export type RecordedWatermark = Pick<
  Watermark,
  'region' | 'storeIncarnation' | 'shard' | 'sequence' | 'inputHash' | 'effectsHash'
> & {
  readonly logIncarnation: LogIncarnation;
  /** Why the vote did not count at this place; null when it did. */
  readonly withheld: WithheldCode | null;
};

/** What is recorded of a watermark; null for one from before genesis. */
export function toRecorded(watermark: Watermark): RecordedWatermark | null {
  const { region, storeIncarnation, shard, logIncarnation, sequence: at, inputHash, effectsHash } = watermark;
  if (logIncarnation === null) return null;
  const withheld = watermark.withheld?.code ?? null;
  return { region, storeIncarnation, shard, logIncarnation, sequence: at, inputHash, effectsHash, withheld };
}

export function recordedWatermarkText(watermark: Watermark): string {
  return JSON.stringify({
    region: watermark.region,
    storeIncarnation: watermark.storeIncarnation,
    shard: watermark.shard,
    logIncarnation: watermark.logIncarnation,
    sequence: Number(watermark.sequence),
    offset: String(watermark.offset),
    epoch: Number(watermark.epoch),
    term: Number(watermark.term),
    decision: Number(watermark.decision),
    inputHash: watermark.inputHash,
    effectsHash: watermark.effectsHash,
    withheld: watermark.withheld?.code ?? null,
  });
}

/** Null for what is no such record, whoever wrote it, and for one from before genesis. */
export function readRecordedWatermark(text: string | null): RecordedWatermark | null {
  const fields = recordObject(text);
  if (fields === null) return null;
  const { region, storeIncarnation, shard, logIncarnation, inputHash, effectsHash } = fields;
  const ordinal = fields['sequence'];
  // Absent in copies from before it was recorded.
  const withheld = (fields['withheld'] ?? null) as WithheldCode | null;
  if (typeof region !== 'string' || !isRegionName(region)) return null;
  if (typeof shard !== 'string' || parseShardName(shard) === null) return null;
  if (!Number.isSafeInteger(ordinal) || (ordinal as number) < 0) return null;
  if (![storeIncarnation, logIncarnation, inputHash, effectsHash].every(isId128)) return null;
  if (withheld !== null && !WITHHELD_CODES.includes(withheld)) return null;
  return {
    region: region as RegionName,
    storeIncarnation: storeIncarnation as StoreIncarnation,
    shard: shard as ShardName,
    logIncarnation: logIncarnation as LogIncarnation,
    sequence: sequence(BigInt(ordinal as number)) as Sequence,
    inputHash: inputHash as string,
    effectsHash: effectsHash as string,
    withheld,
  };
}
