/**
 * What an observer outside of all processes sees of a simulated cluster: each commit at the moment at which it takes effect,
 * each frame at the moment at which a replicator's hub hands it over, before a network may lose or disorder it, and each watermark as it
 * reaches a listener. Moments
 * are nanoseconds since the start of the world, as in its histories. What is told again is kept once.
 */
import type { CommitRequest, StreamConnection, StreamFrame, Subscription } from '@lockstep/engine';
import { hashToHex, type LogRecord, type RegionName, type Watermark } from '@lockstep/protocol';
import type {
  Commit,
  HeardWatermark,
  ToldHolders,
  Witnessed,
  WitnessedVerdict,
  WitnessedWatermark,
} from '../history/index.js';
import { START_MS, type World } from '../world/world.js';

type Listener = Pick<HeardWatermark, 'place' | 'life'>;

export class ClusterWitness implements Omit<Witnessed, 'control'> {
  readonly commits: Commit[] = [];
  readonly watermarks: WitnessedWatermark[] = [];
  readonly verdicts: WitnessedVerdict[] = [];
  readonly heard: HeardWatermark[] = [];
  /** What clients heard of them; they note it themselves. */
  readonly toldHolders: ToldHolders[] = [];
  private readonly told = new Set<string>();
  /** A hub hands one watermark to all its listeners. */
  private readonly handed = new WeakSet<Watermark>();

  /** Records that processes of the cluster appended. */
  private readonly stood = new WeakMap<LogRecord, number>();

  constructor(private readonly world: World) {}

  stands(record: LogRecord): void {
    this.stood.set(record, this.t);
  }

  /** Null for what somebody else put there. */
  stoodAt(record: LogRecord): number | null {
    return this.stood.get(record) ?? null;
  }

  committed(region: RegionName, { shards }: CommitRequest): void {
    for (const { cursor, shard } of shards) {
      this.commits.push({ t: this.t, region, shard, sequence: cursor.sequence });
    }
  }

  /** The same subscription, overheard. */
  overhear(region: RegionName, subscription: Subscription): Subscription {
    return {
      next: async () => {
        const frames = await subscription.next();
        for (const frame of frames) this.take(region, frame);
        return frames;
      },
      close: () => subscription.close(),
    };
  }

  /** A connection of one life of a process, overheard where it ends. */
  listening(by: Listener, region: RegionName, connection: StreamConnection): StreamConnection {
    return {
      next: async () => {
        const frames = await connection.next();
        for (const frame of frames) this.hear(by, region, frame);
        return frames;
      },
      close: () => connection.close(),
    };
  }

  private hear(by: Listener, region: RegionName, frame: StreamFrame): void {
    if (frame.kind !== 'watermark') return;
    const { sequence, shard, storeIncarnation, withheld } = frame.watermark;
    const { t } = this;
    this.heard.push({
      t,
      ...by,
      region,
      shard,
      storeIncarnation,
      sequence,
      isWithheld: withheld !== null,
    });
  }

  private get t(): number {
    return (this.world.nowMs() - START_MS) * 1e6;
  }

  private take(region: RegionName, frame: StreamFrame): void {
    const { t } = this;
    if (frame.kind === 'watermark') {
      this.takeWatermark(frame.watermark);
      return;
    }
    const { shard } = frame;
    for (const { epoch, number, publisher, sequence, verdict } of frame.verdicts) {
      const id = `${publisher}:${number}`;
      if (!this.isNew(`${region} ${shard} ${sequence} ${id} ${verdict} ${epoch}`)) continue;
      this.verdicts.push({ t, region, shard, sequence, epoch, id, verdict });
    }
  }

  private takeWatermark(watermark: Watermark): void {
    const { epoch, home, logIncarnation, marks, offset, region, shard } = watermark;
    if (logIncarnation === null || this.handed.has(watermark)) return;
    this.handed.add(watermark);
    const common = { t: this.t, region, shard, logIncarnation };
    const { effectsHash, inputHash, sequence } = watermark;
    const owner = home === null ? null : { epoch, home };
    const places: readonly Omit<WitnessedWatermark, keyof typeof common>[] = [
      { sequence, inputHash, effectsHash, offset, owner },
      ...marks.map((mark) => ({
        sequence: mark.sequence,
        inputHash: hashToHex(mark.inputHash),
        effectsHash: hashToHex(mark.effectsHash),
        offset: null,
        owner: null,
      })),
    ];
    for (const place of places) {
      const { offset: at, sequence: n, inputHash: input, effectsHash: effects } = place;
      const name = `${region} ${shard} ${logIncarnation} ${n} ${at} ${input} ${effects} ${epoch} ${home}`;
      if (this.isNew(name)) this.watermarks.push({ ...common, ...place });
    }
  }

  private isNew(name: string): boolean {
    if (this.told.has(name)) return false;
    this.told.add(name);
    return true;
  }
}
