/**
 * What this region has told of itself before, by any life of its store: read from the slow copy on
 * `lockstep.watermarks`, and from this process's own hub for what was not copied yet. A store is judged by it before it
 * votes (I12). Bounded: of each shard and life of the store the highest place, and of each shard the newest lives (I17).
 */
import {
  readRecordedWatermark,
  WATERMARK_TOPIC,
  type Offset,
  type RecordedWatermark,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import type { Log, LogReader } from '../ports/log.js';
import type { StreamHub } from '../streams/stream-hub.js';

const LIVES_KEPT = 16;
const FETCH_BYTES_MAX = 8 * 1024 * 1024;

export class ToldBefore {
  /** By shard; the life that spoke last at the end. */
  private readonly lives = new Map<ShardName, RecordedWatermark[]>();
  private nextOffset = 0n as Offset;
  /** Lanes ask at the same time; the copy is read by one of them after the other. */
  private reading: Promise<void> = Promise.resolve();

  constructor(
    private readonly options: { readonly region: RegionName; readonly log: Log; readonly hub: StreamHub },
  ) {}

  /** Resolves when everything is known that stood in the copy when it was called. */
  async readToEnd(): Promise<void> {
    const before = this.reading;
    const reading = before.then(() => this.readOn());
    this.reading = reading.catch(() => undefined);
    await reading;
  }

  of(shard: ShardName): readonly RecordedWatermark[] {
    const told = this.options.hub.newest(shard);
    if (told !== null && told.logIncarnation !== null)
      this.keep({ ...told, logIncarnation: told.logIncarnation });
    return [...(this.lives.get(shard) ?? [])];
  }

  private async readOn(): Promise<void> {
    const reader = await this.options.log.openReader(WATERMARK_TOPIC);
    try {
      const endOffset = await this.readOnce(reader);
      while (this.nextOffset < endOffset) await this.readOnce(reader);
    } finally {
      await reader.close().catch(() => undefined);
    }
  }

  /** @returns where the copy ended. */
  private async readOnce(reader: LogReader): Promise<Offset> {
    const [part] = await reader.fetch({
      positions: [{ partition: 0, offset: this.nextOffset }],
      waitMsMax: 0,
      bytesMax: FETCH_BYTES_MAX,
    });
    if (part === undefined) throw new Error('the log did not answer for the copy of watermarks');
    for (const record of part.records) {
      const told = readRecordedWatermark(record.valueText);
      if (told !== null && told.region === this.options.region) this.keep(told);
    }
    // Retention passed the place, or the copy was begun anew: what is left is read from its beginning.
    this.nextOffset = part.outOfRange ? part.startOffset : part.nextOffset;
    return part.endOffset;
  }

  private keep(told: RecordedWatermark): void {
    const lives = this.lives.get(told.shard) ?? [];
    const at = lives.findIndex((life) => life.storeIncarnation === told.storeIncarnation);
    const [known = told] = at < 0 ? [] : lives.splice(at, 1);
    const isHigher = told.logIncarnation !== known.logIncarnation || told.sequence >= known.sequence;
    lives.push(isHigher ? told : known);
    this.lives.set(told.shard, lives.slice(-LIVES_KEPT));
  }
}
