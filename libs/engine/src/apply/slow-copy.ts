/**
 * The slow copy: once a second, the watermarks that changed are appended to `lockstep.watermarks`, so that a store that
 * went back can be found out and quorum positions can be looked up later. Best effort: it never delays applying; what
 * could not be copied is copied by the next round.
 *
 * Of each shard and life of the store the topic keeps the last record. An instance that lost its lease may append a lower
 * one late, so all are told again once a minute, well before anything is compacted.
 */
import { recordedWatermarkText, WATERMARK_TOPIC, type ShardName, type Watermark } from '@lockstep/protocol';
import { Gate, waitAtMost } from '../gate.js';
import { reportLoopFailure } from '../loop-failure.js';
import type { Log, LogWriter } from '../ports/log.js';
import type { Observer } from '../ports/observer.js';
import type { Clock } from '../ports/world.js';
import type { StreamHub } from '../streams/stream-hub.js';

const ROUND_MS = 1_000;
const TELL_AGAIN_MS = 60_000;
const APPEND_TIMEOUT_MS = 5_000;
/** A watermark record carries no entry: its `lockstep` header is empty, no fold reads this topic. */
const NO_HEADER = new Uint8Array(0);

export interface SlowCopyOptions {
  readonly hub: StreamHub;
  readonly log: Log;
  readonly observer: Observer;
  readonly clock: Clock;
}

export class SlowCopy {
  private readonly copied = new Map<ShardName, string>();
  private readonly stopping = new Gate();
  private writer: LogWriter | null = null;
  private toldAgainAtMs = -Infinity;

  constructor(private readonly options: SlowCopyOptions) {}

  async run(): Promise<void> {
    const { clock, observer } = this.options;
    while (!this.stopping.isOpen) {
      await waitAtMost(this.stopping, clock, ROUND_MS);
      try {
        await this.round();
      } catch (error) {
        reportLoopFailure(observer, 'watermark copy', error);
        await this.writer?.close().catch(() => undefined);
        this.writer = null;
      }
    }
    await this.writer?.close().catch(() => undefined);
  }

  stop(): void {
    this.stopping.open();
  }

  private async round(): Promise<void> {
    const nowMs = this.options.clock.monotonicMs();
    if (nowMs - this.toldAgainAtMs >= TELL_AGAIN_MS) {
      this.copied.clear();
      this.toldAgainAtMs = nowMs;
    }
    const changed = this.options.hub
      .current()
      .filter((watermark) => this.copied.get(watermark.shard) !== placeOf(watermark));
    if (changed.length === 0) return;
    this.writer ??= await this.options.log.openWriter();
    await this.writer.append({
      topic: WATERMARK_TOPIC,
      partition: 0,
      timeoutMs: APPEND_TIMEOUT_MS,
      records: changed.map((watermark) => ({
        key: `${watermark.region}/${watermark.shard}/${watermark.storeIncarnation}`,
        value: recordedWatermarkText(watermark),
        header: NO_HEADER,
        traceparent: null,
      })),
    });
    for (const watermark of changed) this.copied.set(watermark.shard, placeOf(watermark));
  }
}

/** A place of the store's life: a store that took a new incarnation is copied also where it did not move. */
const placeOf = (watermark: Watermark): string => `${watermark.storeIncarnation} ${watermark.sequence}`;
