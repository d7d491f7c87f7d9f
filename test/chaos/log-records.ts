/** What a partition of a real log holds, read as any region reads it. */
import type { Log } from '@lockstep/engine';
import { offset, type LogRecord, type Offset } from '@lockstep/protocol';

/** From there to the present end, in order. */
export async function readRecords(
  log: Log,
  topic: string,
  partition: number,
  from: Offset = offset(0n),
): Promise<readonly LogRecord[]> {
  const { endOffset } = await log.admin.bounds(topic, partition);
  const reader = await log.openReader(topic);
  const records: LogRecord[] = [];
  for (let next = from; next < endOffset;) {
    const [found] = await reader.fetch({
      positions: [{ partition, offset: next }],
      waitMsMax: 1_000,
      bytesMax: 8 * 1024 * 1024,
    });
    records.push(...found!.records);
    next = found!.nextOffset;
  }
  await reader.close();
  return records;
}
