/**
 * The bounded queue between the reader and the applier of one lane: fetched, decoded records in fetch order. The reader
 * waits for room; natural batching: the applier takes whatever has piled up, up to its limit.
 */
import type { DecodedEntry, ShardName } from '@lockstep/protocol';
import { Gate } from '../gate.js';

/** What was fetched of one shard at once. */
export interface Chunk {
  readonly shard: ShardName;
  /** Life of the shard's in-memory state; chunks of an earlier life are dropped. */
  readonly life: number;
  readonly entries: readonly DecodedEntry[];
}

interface WeighedChunk extends Chunk {
  readonly events: number;
  readonly bytes: number;
}

export class RecordQueue {
  private chunks: WeighedChunk[] = [];
  private bytes = 0;
  private emptied = new Gate();

  constructor(private readonly bytesMax: number) {
    this.emptied.open();
  }

  /** Whether there is anything of the shards that are asked for. */
  has(isWanted: (shard: ShardName) => boolean): boolean {
    return this.chunks.some(({ shard }) => isWanted(shard));
  }

  /** Whether so much has piled up that waiting would not make what `take` answers larger. */
  isFullBatch(eventsMax: number, bytesMax: number, isWanted: (shard: ShardName) => boolean): boolean {
    let events = 0;
    let bytes = 0;
    for (const chunk of this.chunks) {
      if (!isWanted(chunk.shard)) continue;
      events += chunk.events;
      bytes += chunk.bytes;
      if (events >= eventsMax || bytes >= bytesMax) return true;
    }
    return false;
  }

  /** Opens when the next chunk may be put. */
  room(): Gate {
    return this.emptied;
  }

  put(chunk: Chunk): void {
    const weighed = weigh(chunk);
    this.chunks.push(weighed);
    this.weigh(weighed, 1);
  }

  /** Chunks of the shards that are asked for from the front, up to the limits; at least one entry when there is one. */
  take(eventsMax: number, bytesMax: number, isWanted: (shard: ShardName) => boolean): readonly Chunk[] {
    const taken: Chunk[] = [];
    let events = 0;
    let bytes = 0;
    while (events < eventsMax && bytes < bytesMax) {
      const at = this.chunks.findIndex(({ shard }) => isWanted(shard));
      if (at < 0) break;
      const [chunk] = this.chunks.splice(at, 1) as [WeighedChunk];
      this.weigh(chunk, -1);
      const cut = cutAt(chunk, eventsMax - events, bytesMax - bytes);
      const left = this.putBack(chunk, cut.at);
      taken.push(left ? { ...chunk, entries: chunk.entries.slice(0, cut.at) } : chunk);
      events += cut.events;
      bytes += cut.bytes;
    }
    return taken;
  }

  /** Puts the entries from `from` on back to the front; false when there are none. */
  putBack(chunk: Chunk, from: number): boolean {
    if (from >= chunk.entries.length) return false;
    const weighed = weigh({ ...chunk, entries: chunk.entries.slice(from) });
    this.chunks.unshift(weighed);
    this.weigh(weighed, 1);
    return true;
  }

  drop(shard: ShardName): void {
    const dropped = this.chunks.filter((chunk) => chunk.shard === shard);
    this.chunks = this.chunks.filter((chunk) => chunk.shard !== shard);
    for (const chunk of dropped) this.weigh(chunk, -1);
  }

  private weigh({ bytes }: WeighedChunk, sign: 1 | -1): void {
    this.bytes += sign * bytes;
    if (this.bytes < this.bytesMax) this.emptied.open();
    else if (this.emptied.isOpen) this.emptied = new Gate();
  }
}

export const eventsOf = (entry: DecodedEntry): number => (entry.kind === 'data' ? entry.events.length : 1);

/** What a record weighs in memory, roughly: its value and a fixed part. */
const RECORD_OVERHEAD_BYTES = 256;

export const sizeOf = (entries: readonly DecodedEntry[]): number =>
  entries.reduce((sum, entry) => sum + entry.record.valueBytes + RECORD_OVERHEAD_BYTES, 0);

const weigh = (chunk: Chunk): WeighedChunk => ({
  ...chunk,
  events: chunk.entries.reduce((sum, entry) => sum + eventsOf(entry), 0),
  bytes: sizeOf(chunk.entries),
});

/** How many entries fit, one at least, with what they weigh. */
function cutAt(
  { entries }: Chunk,
  eventsMax: number,
  bytesMax: number,
): { readonly at: number; readonly events: number; readonly bytes: number } {
  let events = 0;
  let bytes = 0;
  for (let at = 0; at < entries.length; at += 1) {
    const entry = entries[at]!;
    const eventsWith = events + eventsOf(entry);
    const bytesWith = bytes + entry.record.valueBytes + RECORD_OVERHEAD_BYTES;
    if (at > 0 && (eventsWith > eventsMax || bytesWith > bytesMax)) return { at, events, bytes };
    events = eventsWith;
    bytes = bytesWith;
  }
  return { at: entries.length, events, bytes };
}
