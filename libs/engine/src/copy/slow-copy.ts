/**
 * The slow copy: once a second, what changed of a process's knowledge is appended to `lockstep.watermarks`, where those
 * find it who must know later what was told before. Best effort: it never delays anything; what could not be copied is
 * copied by the next round.
 *
 * Of each key the topic keeps the last record. A process that has been replaced may append a lower one late, so all are
 * told again once a minute, well before anything is compacted.
 */
import { WATERMARK_TOPIC } from '@lockstep/protocol';
import { Gate, waitAtMost } from '../gate.js';
import { reportLoopFailure } from '../loop-failure.js';
import type { Log, LogWriter } from '../ports/log.js';
import type { Observer } from '../ports/observer.js';
import type { Clock } from '../ports/world.js';

const ROUND_MS = 1_000;
const TELL_AGAIN_MS = 60_000;
const APPEND_TIMEOUT_MS = 5_000;
/** Such a record carries no entry: its `lockstep` header is empty, no fold reads this topic. */
const NO_HEADER = new Uint8Array(0);

export interface Copied {
  readonly key: string;
  /** Names the state that `value` tells: what was copied in the same state is not copied again at once. */
  readonly state: string;
  readonly value: () => string;
}

export interface SlowCopyOptions {
  /** Everything that is to be found in the topic. */
  readonly current: () => readonly Copied[];
  readonly log: Log;
  readonly observer: Observer;
  readonly clock: Clock;
}

export class SlowCopy {
  private readonly copied = new Map<string, string>();
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
        reportLoopFailure(observer, 'slow copy', error);
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
    const changed = this.options.current().filter(({ key, state }) => this.copied.get(key) !== state);
    if (changed.length === 0) return;
    this.writer ??= await this.options.log.openWriter();
    await appendCopies(this.writer, changed);
    for (const { key, state } of changed) this.copied.set(key, state);
  }
}

/** Resolves when they are to be found in the topic by everybody. */
export async function appendCopies(writer: LogWriter, copies: readonly Copied[]): Promise<void> {
  await writer.append({
    topic: WATERMARK_TOPIC,
    partition: 0,
    timeoutMs: APPEND_TIMEOUT_MS,
    records: copies.map(({ key, value }) => ({ key, value: value(), header: NO_HEADER, traceparent: null })),
  });
}
