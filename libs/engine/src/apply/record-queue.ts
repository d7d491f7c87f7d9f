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
  readonly bytes: number;
}

export class RecordQueue {
  private chunks: Chunk[] = [];
  private bytes = 0;
  private emptied = new Gate();

  constructor(private readonly bytesMax: number) {
    this.emptied.open();
  }

  get isEmpty(): boolean {
    return this.chunks.length === 0;
  }

  /** Opens when the next chunk may be put. */
  room(): Gate {
    return this.emptied;
  }

  put(chunk: Chunk): void {
    this.chunks.push(chunk);
    this.bytes += chunk.bytes;
    this.settle();
  }

  /** Chunks from the front, up to the limits; at least one entry when there is one. */
  take(eventsMax: number, bytesMax: number): readonly Chunk[] {
    const taken: Chunk[] = [];
    let events = 0;
    let bytes = 0;
    while (this.chunks.length > 0 && events < eventsMax && bytes < bytesMax) {
      const chunk = this.chunks.shift()!;
      this.bytes -= chunk.bytes;
      const cut = cutAt(chunk, eventsMax - events, bytesMax - bytes);
      if (cut < chunk.entries.length) this.putBack(chunk, cut);
      const entries = chunk.entries.slice(0, cut);
      taken.push({ ...chunk, entries, bytes: sizeOf(entries) });
      for (const entry of entries) events += eventsOf(entry);
      bytes += taken.at(-1)!.bytes;
    }
    this.settle();
    return taken;
  }

  /** Puts the entries from `from` on back to the front. */
  putBack(chunk: Chunk, from: number): void {
    const entries = chunk.entries.slice(from);
    if (entries.length === 0) return;
    const bytes = sizeOf(entries);
    this.chunks.unshift({ ...chunk, entries, bytes });
    this.bytes += bytes;
    this.settle();
  }

  drop(shard: ShardName): void {
    this.chunks = this.chunks.filter((chunk) => chunk.shard !== shard);
    this.bytes = this.chunks.reduce((sum, chunk) => sum + chunk.bytes, 0);
    this.settle();
  }

  private settle(): void {
    if (this.bytes < this.bytesMax) this.emptied.open();
    else if (this.emptied.isOpen) this.emptied = new Gate();
  }
}

export const eventsOf = (entry: DecodedEntry): number => (entry.kind === 'data' ? entry.events.length : 1);

/** What a record weighs in memory, roughly: its value and a fixed part. */
const RECORD_OVERHEAD_BYTES = 256;

export const sizeOf = (entries: readonly DecodedEntry[]): number =>
  entries.reduce((sum, entry) => sum + entry.record.valueBytes + RECORD_OVERHEAD_BYTES, 0);

function cutAt(chunk: Chunk, eventsMax: number, bytesMax: number): number {
  let events = 0;
  let bytes = 0;
  for (let i = 0; i < chunk.entries.length; i += 1) {
    const entry = chunk.entries[i]!;
    events += eventsOf(entry);
    bytes += entry.record.valueBytes + RECORD_OVERHEAD_BYTES;
    if (i > 0 && (events > eventsMax || bytes > bytesMax)) return i;
  }
  return chunk.entries.length;
}
