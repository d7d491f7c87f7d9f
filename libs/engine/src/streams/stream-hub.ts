/**
 * The stream hub: where a replicator tells watermarks and verdicts, and from where they reach every listener.
 *
 * A slow listener costs nothing but itself: its watermarks are merged per shard and its verdicts are bounded; what is
 * dropped is asked for in the store (a watermark never carries verdicts, I7).
 */
import { addMarks, type PublisherId, type ShardName, type Watermark } from '@lockstep/protocol';
import { Gate } from '../gate.js';
import type { StreamFrame, ToldVerdict } from '../ports/streams.js';

/** Verdicts that wait for one listener; beyond it the oldest are dropped. */
export const PENDING_VERDICTS_MAX = 20_000;

/** One listener of the hub; closing it is idempotent and settles a `next` that waits. */
export interface Subscription {
  /** The frames since the last call, at least one; watermarks after the verdicts that they cover. Rejects when closed. */
  next(): Promise<readonly StreamFrame[]>;
  close(): void;
}

export class StreamHub {
  private readonly watermarks = new Map<ShardName, Watermark>();
  private readonly listeners = new Set<Listener>();

  /** @param publisherPrefix verdicts of publishers that begin so are told as well; null for none. */
  subscribe(publisherPrefix: string | null): Subscription {
    const listener = new Listener(publisherPrefix, this.watermarks, () => this.listeners.delete(listener));
    this.listeners.add(listener);
    return listener;
  }

  /** The newest watermark of every shard told so far. */
  current(): readonly Watermark[] {
    return [...this.watermarks.values()];
  }

  newest(shard: ShardName): Watermark | null {
    return this.watermarks.get(shard) ?? null;
  }

  /** Another instance of the region goes on with the shard: whoever connects now hears of it there. */
  forget(shard: ShardName): void {
    this.watermarks.delete(shard);
  }

  /** True when somebody listens to verdicts of this publisher. */
  hears(publisher: PublisherId): boolean {
    for (const listener of this.listeners) if (listener.hears(publisher)) return true;
    return false;
  }

  tell(watermark: Watermark, verdicts: readonly ToldVerdict[]): void {
    this.watermarks.set(watermark.shard, withEarlierMarks(this.watermarks.get(watermark.shard), watermark));
    for (const listener of this.listeners) listener.accept(watermark, verdicts);
  }

  close(): void {
    for (const listener of [...this.listeners]) listener.close();
  }
}

class Listener implements Subscription {
  private readonly changed: Map<ShardName, Watermark>;
  private verdicts = new Map<ShardName, ToldVerdict[]>();
  private pendingVerdicts = 0;
  private gate = new Gate();
  private closed = false;

  constructor(
    private readonly prefix: string | null,
    present: ReadonlyMap<ShardName, Watermark>,
    private readonly leave: () => void,
  ) {
    this.changed = new Map(present);
    if (this.changed.size > 0) this.gate.open();
  }

  hears(publisher: PublisherId): boolean {
    return this.prefix !== null && publisher.startsWith(this.prefix);
  }

  accept(watermark: Watermark, verdicts: readonly ToldVerdict[]): void {
    this.changed.set(watermark.shard, withEarlierMarks(this.changed.get(watermark.shard), watermark));
    const mine = verdicts.filter((told) => this.hears(told.publisher));
    if (mine.length > 0) this.keep(watermark.shard, mine);
    this.gate.open();
  }

  async next(): Promise<readonly StreamFrame[]> {
    await this.gate.opened();
    if (this.closed) throw new Error('the subscription is closed');
    this.gate = new Gate();
    const frames: StreamFrame[] = [];
    for (const [shard, verdicts] of this.verdicts) frames.push({ kind: 'verdicts', shard, verdicts });
    for (const watermark of this.changed.values()) frames.push({ kind: 'watermark', watermark });
    this.changed.clear();
    this.verdicts = new Map();
    this.pendingVerdicts = 0;
    return frames;
  }

  close(): void {
    this.closed = true;
    this.leave();
    this.gate.open();
  }

  private keep(shard: ShardName, verdicts: readonly ToldVerdict[]): void {
    if (this.pendingVerdicts + verdicts.length > PENDING_VERDICTS_MAX) {
      this.verdicts = new Map();
      this.pendingVerdicts = 0;
    }
    const kept = this.verdicts.get(shard);
    if (kept === undefined) this.verdicts.set(shard, [...verdicts]);
    else kept.push(...verdicts);
    this.pendingVerdicts += verdicts.length;
  }
}

/** A watermark in place of the one before, which nobody heard: its marks are told with it, as far as they are kept (I11). */
function withEarlierMarks(before: Watermark | undefined, watermark: Watermark): Watermark {
  const isSameLife =
    before?.storeIncarnation === watermark.storeIncarnation &&
    before.logIncarnation === watermark.logIncarnation;
  return isSameLife ? { ...watermark, marks: addMarks(before.marks, watermark.marks) } : watermark;
}
