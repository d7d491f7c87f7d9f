/**
 * What changes in a dataset, told to one reader after this region has committed it. A message states a row, not an event.
 *
 * The log says which keys were touched, the store what their rows are: of each chunk of the log that this region has
 * folded, the keys of data entries are taken, and their rows are read from a snapshot that has folded as far.
 *
 * - After each accepted entry that touches a key at version v, a message of the key follows whose version is v or higher,
 *   or the feed ends. Nothing is skipped: the position moves when the rows were handed over.
 * - A key's versions never go back, also when the store does, and also over a resumption: every position says how far the
 *   store was whose rows were told, and none is shown that is behind it.
 * - What is halted, behind, or contradicts other regions (I11) is waited for.
 * - Bounded (I17): one chunk of the log and one batch of rows are held, and nothing is read before they were taken.
 */
import {
  encodeFeedPosition,
  foldedPart,
  offset,
  problem,
  ROWS_MAX,
  shardName,
  touchedKeys,
  type FeedPosition,
  type FeedShard,
  type Offset,
  type Problem,
  type ShardName,
} from '@lockstep/protocol';
import { Gate, waitAtMost } from '../../gate.js';
import { reportLoopFailure } from '../../loop-failure.js';
import type { LogReader } from '../../ports/log.js';
import { isPortError } from '../../ports/port-error.js';
import type { RowPlace, StoredRow } from '../../ports/store.js';
import type { GatewayDataset, GatewayOptions } from '../gateway-options.js';
import { openLog } from './open-log.js';

export type FeedMessage =
  | {
      readonly kind: 'change';
      readonly key: string;
      /** Of the row; where there is none, the sequence at which that was read. */
      readonly version: number;
      /** Null where there is no row. */
      readonly row: object | null;
      /** From where on to resume once this message was taken; null: from the same as before. */
      readonly position: string | null;
    }
  | { readonly kind: 'position'; readonly position: string }
  /** The last message. */
  | { readonly kind: 'end'; readonly problem: Problem };

export type FeedOptions = Pick<GatewayOptions, 'clock' | 'feed' | 'log' | 'observer' | 'region' | 'store'>;

const CHUNK_BYTES_MAX = 256 * 1024;
const FETCH_WAIT_MS_MAX = 1_000;
/** News end the waiting; this only bounds what one call waits. */
const NEWS_WAIT_MS_MAX = 10_000;
const RETRY_PAUSE_MS = 500;
/** How often a store is asked that is behind what it had told. */
const ASK_AGAIN_MS = 100;

/** Touched keys of a chunk that were not told yet, and where the feed stands once they were. */
interface Chunk {
  readonly places: readonly RowPlace[];
  readonly nextOffsets: readonly Offset[];
}

export class ChangeFeed {
  private readonly stopping = new Gate();
  private begun = false;
  private ended = false;
  private chunk: Chunk | null = null;

  /** @param reader an open one, at the position; null once it failed. */
  constructor(
    private readonly options: FeedOptions,
    private readonly dataset: GatewayDataset,
    private position: FeedPosition,
    private reader: LogReader | null,
  ) {}

  /** The messages since the last call, at least one; null when the feed has ended or was closed. One call at a time. */
  async next(): Promise<readonly FeedMessage[] | null> {
    if (!this.begun) {
      this.begun = true;
      return [{ kind: 'position', position: encodeFeedPosition(this.position) }];
    }
    while (!this.ended && !this.stopping.isOpen) {
      try {
        const messages = this.chunk === null ? await this.readOn() : await this.tell(this.chunk);
        if (messages !== null) return messages;
      } catch (error) {
        if (this.stopping.isOpen) break;
        if (!isPortError(error)) throw error;
        reportLoopFailure(this.options.observer, `changes ${this.dataset.table.dataset}`, error);
        await this.pause(RETRY_PAUSE_MS);
      }
    }
    return null;
  }

  /** Idempotent; settles a `next` that waits. */
  close(): void {
    this.stopping.open();
    void this.closeReader();
  }

  /** Reads a chunk of what is folded and not told. Null: look again. */
  private async readOn(): Promise<readonly FeedMessage[] | null> {
    const due = this.position.shards.flatMap(({ nextOffset }, partition) =>
      this.foldedOffset(partition) >= nextOffset ? [{ partition, offset: nextOffset }] : [],
    );
    if (due.length === 0) {
      await this.news();
      return null;
    }
    const reader = this.reader ?? (await this.openAgain());
    if (reader === null || !('fetch' in reader)) return reader;
    const fetched = await this.fetch(reader, due);
    const nextOffsets = this.position.shards.map(({ nextOffset }) => nextOffset);
    const places: RowPlace[] = [];
    const { configuration, table } = this.dataset;
    for (const part of fetched) {
      const { outOfRange, partition } = part;
      const shard = this.shard(partition);
      if (outOfRange)
        return this.end(
          problem('feed-expired', `${shard} holds no offset ${nextOffsets[partition]} any more`),
        );
      const folded = foldedPart(part, this.foldedOffset(partition));
      for (const key of touchedKeys(folded.records, partition, configuration.content.groups))
        places.push({ table, shard, key });
      nextOffsets[partition] = folded.nextOffset;
    }
    if (places.length > 0) {
      this.chunk = { places, nextOffsets };
      return null;
    }
    const isAsBefore = this.position.shards.every(
      ({ nextOffset }, partition) => nextOffset === nextOffsets[partition],
    );
    if (isAsBefore) return null;
    this.moveTo(nextOffsets);
    return [{ kind: 'position', position: encodeFeedPosition(this.position) }];
  }

  /** A reader that failed is dead; the next one may find another log. */
  private async fetch(
    reader: LogReader,
    positions: readonly { readonly partition: number; readonly offset: Offset }[],
  ): ReturnType<LogReader['fetch']> {
    try {
      return await reader.fetch({ positions, waitMsMax: FETCH_WAIT_MS_MAX, bytesMax: CHUNK_BYTES_MAX });
    } catch (error) {
      await this.closeReader();
      throw error;
    }
  }

  /** Null or the last message where there is no reader now. */
  private async openAgain(): Promise<LogReader | readonly FeedMessage[] | null> {
    const opened = await openLog(this.options, this.dataset, this.position);
    if (opened.kind === 'refused') {
      if (opened.problem.code === 'feed-expired') return this.end(opened.problem);
      await this.pause(RETRY_PAUSE_MS);
      return null;
    }
    this.reader = opened.reader;
    if (!this.stopping.isOpen) return opened.reader;
    await this.closeReader();
    return null;
  }

  /** The first keys of the chunk. Null: the store is behind, and is asked again. */
  private async tell({ nextOffsets, places }: Chunk): Promise<readonly FeedMessage[] | null> {
    const batch = places.slice(0, ROWS_MAX);
    const rest = places.slice(ROWS_MAX);
    const stored = await this.options.store.rows(batch);
    // Asked after the reading: what is known to be wrong by then is not told.
    if (!stored.every(({ cursor }) => this.mayTell(cursor, nextOffsets))) {
      await this.pause(ASK_AGAIN_MS);
      return null;
    }
    this.show(stored);
    const begins = encodeFeedPosition(this.position);
    if (rest.length === 0) this.moveTo(nextOffsets);
    this.chunk = rest.length === 0 ? null : { nextOffsets, places: rest };
    return stored.map(({ cursor, row }, index): FeedMessage => {
      const isLast = rest.length === 0 && index === stored.length - 1;
      // Who goes away in the middle resumes before it, but not with an older state than he has seen.
      const position = isLast ? encodeFeedPosition(this.position) : index === 0 ? begins : null;
      return {
        kind: 'change',
        key: batch[index]!.key,
        version: Number(row?.version ?? cursor.sequence),
        row: row?.columns ?? null,
        position,
      };
    });
  }

  private mayTell(cursor: StoredRow['cursor'], nextOffsets: readonly Offset[]): boolean {
    const { feed, region } = this.options;
    const partition = this.partitionOf(cursor.shard);
    const { shownOffset } = this.position.shards[partition]!;
    const isReached = cursor.offset >= shownOffset && cursor.offset >= nextOffsets[partition]! - 1n;
    return isReached && !feed.isDoubted(cursor.shard, region);
  }

  private show(stored: readonly StoredRow[]): void {
    const shards: FeedShard[] = [...this.position.shards];
    for (const { cursor } of stored) {
      const partition = this.partitionOf(cursor.shard);
      shards[partition] = { ...shards[partition]!, shownOffset: cursor.offset };
    }
    this.position = { ...this.position, shards };
  }

  private moveTo(nextOffsets: readonly Offset[]): void {
    const shards = this.position.shards.map(({ shownOffset }, partition): FeedShard => {
      const nextOffset = nextOffsets[partition]!;
      const last = offset(nextOffset - 1n);
      return { nextOffset, shownOffset: shownOffset > last ? shownOffset : last };
    });
    this.position = { ...this.position, shards };
  }

  /** Through where this region has folded the shard and may show it; -1 while it may show nothing. */
  private foldedOffset(partition: number): Offset {
    const { feed, region } = this.options;
    const shard = this.shard(partition);
    const own = feed.own(shard);
    const isShown = own !== null && own.halted === null && !feed.isDoubted(shard, region);
    return isShown ? own.offset : offset(-1n);
  }

  /** Waits until some shard has something to tell. */
  private async news(): Promise<void> {
    const { clock, feed } = this.options;
    const untilMs = clock.monotonicMs() + NEWS_WAIT_MS_MAX;
    const some = new Gate();
    const waits = this.position.shards.map(async ({ nextOffset }, partition) => {
      const hasNews = (): boolean => this.foldedOffset(partition) >= nextOffset;
      if (await feed.waitUntil(this.shard(partition), hasNews, untilMs, some, this.stopping)) some.open();
    });
    await Promise.all(waits);
  }

  private end(why: Problem): readonly FeedMessage[] {
    this.ended = true;
    void this.closeReader();
    return [{ kind: 'end', problem: why }];
  }

  private async pause(ms: number): Promise<void> {
    await waitAtMost(this.stopping, this.options.clock, ms);
  }

  private async closeReader(): Promise<void> {
    const { reader } = this;
    this.reader = null;
    await reader?.close().catch(() => undefined);
  }

  private shard(partition: number): ShardName {
    return shardName(this.dataset.table.dataset, partition);
  }

  private partitionOf(shard: ShardName): number {
    return Number(shard.slice(shard.lastIndexOf('/') + 1));
  }
}
