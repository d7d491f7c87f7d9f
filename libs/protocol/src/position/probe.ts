/**
 * Does an idle shard need a probe? The home appends one at least every quarter of the log's retention, so that a cursor
 * never falls off the log and log time goes on. Clocks only decide when, and a probe too many does no harm (I16).
 */
import type { RegionName } from '../identity/identity.js';
import type { Watermark } from './watermark.js';

export function needsProbe(question: {
  readonly region: RegionName;
  /** This region's newest; null when it has told none. */
  readonly watermark: Watermark | null;
  readonly nowMs: number;
  readonly logRetentionMs: number;
}): boolean {
  const { logRetentionMs, nowMs, region, watermark } = question;
  if (watermark === null || watermark.home !== region || watermark.halted !== null) return false;
  return nowMs - watermark.logTimeMs >= logRetentionMs / 4;
}
