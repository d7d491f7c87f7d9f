/** What a log shows where a region has folded it: what `decideResume` judges before anybody reads on from there (I4). */
import {
  parseShardName,
  type Cursor,
  type LogObservation,
  type Offset,
  type ShardName,
} from '@lockstep/protocol';
import type { LogReader } from './ports/log.js';

/** One record of each shard is wanted; what comes along behind it is thrown away. */
const OBSERVED_BYTES_MAX = 256 * 1024;

/** What the log holds at the last folded offset of each cursor; a fetch is sure to tell one of those that were asked for. */
export async function observeLog(
  reader: LogReader,
  cursors: readonly Cursor[],
): Promise<ReadonlyMap<ShardName, LogObservation>> {
  const seen = new Map<ShardName, LogObservation>();
  while (seen.size < cursors.length) {
    const asked = new Map(
      cursors
        .filter(({ shard }) => !seen.has(shard))
        .map(({ shard, offset }) => [parseShardName(shard)!.partition, { shard, at: at(offset) }]),
    );
    const fetched = await reader.fetch({
      positions: [...asked].map(([partition, position]) => ({ partition, offset: position.at })),
      waitMsMax: 0,
      bytesMax: OBSERVED_BYTES_MAX,
    });
    for (const { partition, outOfRange, records, startOffset, endOffset, nextOffset } of fetched) {
      const { shard, at: offset } = asked.get(partition)!;
      const isTold = outOfRange || nextOffset > offset || offset >= endOffset;
      if (isTold) seen.set(shard, { startOffset, endOffset, record: records[0] ?? null });
    }
  }
  return seen;
}

const at = (offset: Offset): Offset => (offset < 0n ? 0n : offset) as Offset;
