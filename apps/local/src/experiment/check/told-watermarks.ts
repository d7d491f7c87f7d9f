/** What the regions told of themselves while the cluster ran, as far as `lockstep.watermarks` still holds it. */
import { kafkaLog } from '@lockstep/kafka';
import { offset, readRecordedWatermark, WATERMARK_TOPIC } from '@lockstep/protocol';
import type { WitnessedWatermark } from '@lockstep/testing/history';

const FETCH_BYTES_MAX = 16 * 1024 * 1024;
const FETCH_MS_MAX = 1_000;

export async function toldWatermarks(brokers: readonly string[]): Promise<readonly WitnessedWatermark[]> {
  const log = kafkaLog({ brokers, clientId: 'lockstep-check' });
  try {
    const reader = await log.openReader(WATERMARK_TOPIC);
    const { startOffset, endOffset } = await log.admin.bounds(WATERMARK_TOPIC, 0);
    const told: WitnessedWatermark[] = [];
    for (let at: bigint = startOffset; at < endOffset;) {
      const [part] = await reader.fetch({
        positions: [{ partition: 0, offset: offset(at) }],
        waitMsMax: FETCH_MS_MAX,
        bytesMax: FETCH_BYTES_MAX,
      });
      if (part === undefined) throw new Error('the log did not answer for the copy of watermarks');
      for (const { valueText } of part.records) {
        const watermark = readRecordedWatermark(valueText);
        if (watermark !== null) told.push({ ...watermark, t: null, offset: null, owner: null });
      }
      at = part.outOfRange ? part.startOffset : part.nextOffset;
    }
    return told;
  } finally {
    await log.close();
  }
}
