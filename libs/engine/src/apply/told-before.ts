/**
 * What this region has told of itself before, by any life of its store: read from the slow copy on
 * `lockstep.watermarks`, and from this process's own hub for what was not copied yet. A store is judged by it before it
 * votes (I12). Bounded: of each shard and life of the store the highest place, and of each shard the newest lives (I17).
 *
 * The copy is read on all the time, so that an instance which waits for leases has little left to read when it gets them.
 */
import {
  generationOf,
  readRecordedWatermark,
  type RecordedWatermark,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import { Gate, waitAtMost } from '../gate.js';
import { reportLoopFailure } from '../loop-failure.js';
import { CopyReader } from '../copy/copy-reader.js';
import type { Log } from '../ports/log.js';
import type { Observer } from '../ports/observer.js';
import type { Clock } from '../ports/world.js';
import type { StreamHub } from '../streams/stream-hub.js';

const LIVES_KEPT = 16;
const ROUND_MS = 500;

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

  /** The highest of all lives of the store that have told anything. */
  get generation(): number {
    const newest = [...this.lives.values()].map((lives) => generationOf(lives.at(-1)!.storeIncarnation));
    return Math.max(0, ...newest);
  }

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
    await this.copy.readToEnd();
    this.hasReadToEnd = true;
  }

  private keep(told: RecordedWatermark): void {
    const lives = this.lives.get(told.shard) ?? [];
    const at = lives.findIndex((life) => life.storeIncarnation === told.storeIncarnation);
    const [known = told] = at < 0 ? [] : lives.splice(at, 1);
    const isHigher = told.logIncarnation !== known.logIncarnation || told.sequence >= known.sequence;
    lives.push(isHigher ? told : known);
    lives.sort((x, y) => generationOf(x.storeIncarnation) - generationOf(y.storeIncarnation));
    this.lives.set(told.shard, lives.slice(-LIVES_KEPT));
  }
}
