/** Reads a topic of the system, which has one partition, as far as the log still holds it. */
import type { LogRecord } from '@lockstep/protocol';
import { kafkaLog } from '@lockstep/kafka';
import { offset } from '@lockstep/protocol';

const FETCH_BYTES_MAX = 16 * 1024 * 1024;
const FETCH_MS_MAX = 1_000;

/** In the order of the log, up to where it ended when this began. */
export async function* recordsOf(brokers: readonly string[], topic: string): AsyncIterable<LogRecord> {
  const log = kafkaLog({ brokers, clientId: 'lockstep-check' });
  try {
    const reader = await log.openReader(topic);
    const { startOffset, endOffset } = await log.admin.bounds(topic, 0);
    for (let at: bigint = startOffset; at < endOffset;) {
      const [part] = await reader.fetch({
        positions: [{ partition: 0, offset: offset(at) }],
        waitMsMax: FETCH_MS_MAX,
        bytesMax: FETCH_BYTES_MAX,
      });
      if (part === undefined) throw new Error(`the log did not answer for ${topic}`);
      yield* part.records.filter((record) => record.offset < endOffset);
      at = part.outOfRange ? part.startOffset : part.nextOffset;
    }
  } finally {
    await log.close();
  }
}
