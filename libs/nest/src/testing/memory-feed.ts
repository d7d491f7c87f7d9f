/** The change feed of a dataset in memory: the same positions and events as a gateway's, told at once. */
import { Gate, type Signal } from '@lockstep/engine';
import { encodeFeedPosition, feedShard, offset, type FeedPosition } from '@lockstep/protocol';
import type { FeedEvent } from '../changes/event-parser.js';
import type { PortFeed } from '../dataset/dataset-port.js';
import type { MemoryShard } from './memory-shard.js';

export class MemoryFeed implements PortFeed {
  private readonly closing = new Gate();
  private begun = false;

  /** @param folded raised after each record. */
  constructor(
    private readonly shards: readonly MemoryShard[],
    private position: FeedPosition,
    private readonly folded: Signal,
  ) {}

  async next(): Promise<readonly FeedEvent[] | null> {
    if (!this.begun) {
      this.begun = true;
      return [this.positionEvent()];
    }
    while (!this.closing.isOpen) {
      const news = this.folded.next();
      const events = this.newEvents();
      if (events.length > 0) return events;
      await new Promise<void>((resolve) => {
        const takeBack = this.closing.onOpen(resolve);
        news.onOpen(() => {
          takeBack();
          resolve();
        });
      });
    }
    return null;
  }

  close(): void {
    this.closing.open();
  }

  private newEvents(): readonly FeedEvent[] {
    const before = this.position;
    const shards = this.shards.map(({ cursor }) => feedShard(offset(cursor.offset + 1n)));
    const changes = this.shards.flatMap((shard, partition) =>
      shard.touchedFrom(before.shards[partition]!.nextOffset).map((key) => {
        const row = shard.row(key);
        const version = Number(row?.version ?? shard.cursor.sequence);
        return { key, version, row: row?.columns ?? null };
      }),
    );
    if (shards.every(({ nextOffset }, index) => nextOffset === before.shards[index]!.nextOffset)) return [];
    this.position = { ...before, shards };
    if (changes.length === 0) return [this.positionEvent()];
    return changes.map((change, index): FeedEvent => {
      const id = index === changes.length - 1 ? encodeFeedPosition(this.position) : null;
      return { name: 'change', id, data: JSON.stringify(change) };
    });
  }

  private positionEvent(): FeedEvent {
    return { name: 'position', id: encodeFeedPosition(this.position), data: '{}' };
  }
}
