/** What the regions told of themselves while the cluster ran, as far as `lockstep.watermarks` still holds it. */
import { readRecordedWatermark, WATERMARK_TOPIC } from '@lockstep/protocol';
import type { WitnessedWatermark } from '@lockstep/testing/history';
import { recordsOf } from './system-topic.js';

export async function toldWatermarks(brokers: readonly string[]): Promise<readonly WitnessedWatermark[]> {
  const told: WitnessedWatermark[] = [];
  for await (const { valueText } of recordsOf(brokers, WATERMARK_TOPIC)) {
    const watermark = readRecordedWatermark(valueText);
    if (watermark !== null) told.push({ ...watermark, t: null, offset: null, owner: null });
  }
  return told;
}
