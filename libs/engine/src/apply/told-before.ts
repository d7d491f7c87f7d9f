/**
 * What this region has told of itself before, by any life of its store: read from the slow copy on
 * `lockstep.watermarks`, and from this process's own hub for what was not copied yet. A store is judged by it before it
 * votes (I12). Bounded: of each shard and life of the store the highest place, and of each shard the newest lives (I17).
 *
 * A new life stands in the copy before anything is told in it (decision 0036): who finds an earlier one in the store, put
 * back once more, knows by the copy that listeners may have heard of a later one, and that what is told now counts nowhere.
 *
 * The copy is read on all the time, so that an instance which waits for leases has little left to read when it gets them.
 */
import {
  generationOf,
  readRecordedWatermark,
  recordedWatermarkText,
  toRecorded,
  type RecordedWatermark,
  type RegionName,
  type ShardName,
  type StoreIncarnation,
  type Watermark,
} from '@lockstep/protocol';
import { Gate, waitAtMost } from '../gate.js';
import { reportLoopFailure } from '../loop-failure.js';
import { CopyReader } from '../copy/copy-reader.js';
import { appendCopies, type Copied } from '../copy/slow-copy.js';
import type { Log } from '../ports/log.js';
import type { Observer } from '../ports/observer.js';
import type { Clock } from '../ports/world.js';
import type { StreamHub } from '../streams/stream-hub.js';

const LIVES_KEPT = 16;
const ROUND_MS = 1_000;

export interface ToldBeforeOptions {
  readonly region: RegionName;
  readonly log: Log;
  readonly hub: StreamHub;
  readonly observer: Observer;
  readonly clock: Clock;
}

export class ToldBefore {
  /** By shard; of the highest generation at the end. */
  private readonly lives = new Map<ShardName, RecordedWatermark[]>();
  private readonly stopping = new Gate();
  private hasReadToEnd = false;
  private highestGeneration = 0;
  /** Lanes ask at the same time; the copy is read by one of them after the other. */
  private reading: Promise<void> = Promise.resolve();

  private readonly copy: CopyReader;

  constructor(private readonly options: ToldBeforeOptions) {
    this.copy = new CopyReader(options.log, (text) => {
      const told = readRecordedWatermark(text);
      if (told !== null && told.region === options.region) this.keep(told);
    });
  }

  async run(): Promise<void> {
    const { clock, observer } = this.options;
    while (!this.stopping.isOpen) {
      await this.readToEnd().catch((error: unknown) => reportLoopFailure(observer, 'told before', error));
      await waitAtMost(this.stopping, clock, ROUND_MS);
    }
    await this.reading;
    await this.copy.close();
  }

  stop(): void {
    this.stopping.open();
  }

  /** True once everything that stood in the copy at the start is known. */
  get isKnown(): boolean {
    return this.hasReadToEnd;
  }

  /** The highest of all lives of the store that have told anything, of whatever shard: a life is the whole store's. */
  get generation(): number {
    return this.highestGeneration;
  }

  /** True when a later life has told something: the store that is in this one was put back to before it. */
  isOver(life: StoreIncarnation): boolean {
    return generationOf(life) < this.generation;
  }

  /**
   * To be awaited before anything is told in the life, and before a shard that was found diverged is folded further: its
   * next process could compare it with nothing any more.
   * @param places where shards stand as they are taken up.
   */
  async begin(life: StoreIncarnation, places: readonly Watermark[]): Promise<void> {
    const isNew = generationOf(life) > this.generation;
    const owed = places.filter((place) => isNew || !this.isDivergenceKnown(place));
    if (owed.length === 0) return;
    const writer = await this.options.log.openWriter();
    try {
      await appendCopies(writer, owed.map(copyOf));
    } finally {
      await writer.close().catch(() => undefined);
    }
    await this.readToEnd();
  }

  /** Resolves when everything is known that stood in the copy when it was called. */
  async readToEnd(): Promise<void> {
    const before = this.reading;
    const reading = before.then(() => this.readOn());
    this.reading = reading.catch(() => undefined);
    await reading;
  }

  of(shard: ShardName): readonly RecordedWatermark[] {
    const newest = this.options.hub.newest(shard);
    const told = newest === null ? null : toRecorded(newest);
    if (told !== null) this.keep(told);
    return [...(this.lives.get(shard) ?? [])];
  }

  private isDivergenceKnown({ shard, storeIncarnation, withheld }: Watermark): boolean {
    const known = this.lives.get(shard)?.find((life) => life.storeIncarnation === storeIncarnation);
    return withheld?.code !== 'diverged' || known?.withheld === 'diverged';
  }

  private async readOn(): Promise<void> {
    await this.copy.readToEnd();
    this.hasReadToEnd = true;
  }

  private keep(told: RecordedWatermark): void {
    this.highestGeneration = Math.max(this.highestGeneration, generationOf(told.storeIncarnation));
    const lives = this.lives.get(told.shard) ?? [];
    const at = lives.findIndex((life) => life.storeIncarnation === told.storeIncarnation);
    const [known = told] = at < 0 ? [] : lives.splice(at, 1);
    const isHigher = told.logIncarnation !== known.logIncarnation || told.sequence >= known.sequence;
    lives.push(isHigher ? told : known);
    lives.sort((x, y) => generationOf(x.storeIncarnation) - generationOf(y.storeIncarnation));
    this.lives.set(told.shard, lives.slice(-LIVES_KEPT));
  }
}

/** Copied for each place of a life of the store: of one that took a new incarnation also where it did not move. */
export const copyOf = (watermark: Watermark): Copied => ({
  key: `${watermark.region}/${watermark.shard}/${watermark.storeIncarnation}`,
  state: `${watermark.sequence} ${watermark.withheld?.code ?? ''}`,
  value: () => recordedWatermarkText(watermark),
});
