/**
 * The log of a dataset, opened for a feed where this region stands in it. A feed reads only what is certainly the log that
 * the region's store has folded (I4): offsets of another one would mean other entries.
 */
import {
  decideResume,
  feedShard,
  isHeld,
  offset,
  parseShardName,
  problem,
  shardName,
  topicOf,
  type FeedPosition,
  type Problem,
} from '@lockstep/protocol';
import { observeLog } from '../../observe-log.js';
import type { LogReader } from '../../ports/log.js';
import { isPortError } from '../../ports/port-error.js';
import { shardsOf } from '../../shards-of.js';
import type { GatewayDataset, GatewayOptions } from '../gateway-options.js';

export type FeedSource = Pick<GatewayOptions, 'log' | 'region' | 'store'>;

export type OpenedLog =
  | { readonly kind: 'open'; readonly reader: LogReader; readonly position: FeedPosition }
  | { readonly kind: 'refused'; readonly problem: Problem };

const refused = (why: Problem): OpenedLog => ({ kind: 'refused', problem: why });

/** @param from null: from where the region's store stands now. */
export async function openLog(
  { log, region, store }: FeedSource,
  { partitions, table: { dataset } }: GatewayDataset,
  from: FeedPosition | null,
): Promise<OpenedLog> {
  if (from !== null && (from.dataset !== dataset || from.shards.length !== partitions))
    return refused(problem('bad-token', `the position is of another dataset than ${dataset}`));
  const shards = shardsOf(dataset, partitions);
  const cursors = await orRefusal(
    () => store.cursors(shards),
    (code) => problem('store-unavailable', `the store of ${region} does not answer (${code})`),
  );
  if ('refusal' in cursors) return refused(cursors.refusal);
  const known = new Map(cursors.value.map((cursor) => [parseShardName(cursor.shard)!.partition, cursor]));
  const missing = shards.find((_, partition) => (known.get(partition)?.logIncarnation ?? null) === null);
  if (missing !== undefined)
    return refused(problem('not-ready', `${region} has folded nothing of ${missing} yet`));
  const unavailable = (code: string): Problem =>
    problem('log-unavailable', `the log of ${dataset} does not answer in ${region} (${code})`);
  const opened = await orRefusal(() => log.openReader(topicOf(dataset)), unavailable);
  if ('refusal' in opened) return refused(opened.refusal);
  const reader = opened.value;
  const refuse = async (why: Problem): Promise<OpenedLog> => {
    await reader.close().catch(() => undefined);
    return refused(why);
  };
  const logId = reader.topicId;
  if (from !== null && from.logId !== logId)
    return refuse(problem('feed-expired', `the log of ${dataset} was made anew`));
  const seen = await orRefusal(() => observeLog(reader, cursors.value), unavailable);
  if ('refusal' in seen) return refuse(seen.refusal);
  for (const cursor of cursors.value) {
    const resume = decideResume(cursor, seen.value.get(cursor.shard)!);
    if (resume.kind === 'halt')
      return refuse(problem('shard-halted', `${cursor.shard} in ${region}: ${resume.halt.code}`));
  }
  if (from === null) {
    const places = shards.map((_, partition) => feedShard(offset(known.get(partition)!.offset + 1n)));
    return { kind: 'open', reader, position: { dataset, logId, shards: places } };
  }
  const lost = from.shards.findIndex(
    (place, partition) => !isHeld(place, seen.value.get(shardName(dataset, partition))!),
  );
  if (lost < 0) return { kind: 'open', reader, position: from };
  const { nextOffset } = from.shards[lost]!;
  return refuse(problem('feed-expired', `${dataset}/${lost} holds no offset ${nextOffset} any more`));
}

/** What a port cannot do now is for the caller to ask again; it is no defect. */
async function orRefusal<Value>(
  call: () => Promise<Value>,
  refusal: (code: string) => Problem,
): Promise<{ readonly value: Value } | { readonly refusal: Problem }> {
  try {
    return { value: await call() };
  } catch (error) {
    if (!isPortError(error)) throw error;
    return { refusal: refusal(error.code) };
  }
}
