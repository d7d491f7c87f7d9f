/**
 * What a gateway or coordinator knows of all regions: a stream to each replicator instance, one ledger per shard, and
 * whoever waits.
 *
 * Nothing here survives or must survive: it is rebuilt from watermarks. The set of counting regions and the reached
 * sequences are decided by the protocol's ledger (I7, I11, I12); this feed remembers when it first knew them.
 */
import {
  EMPTY_LEDGER,
  groupOfPartition,
  highestMet,
  holders,
  isRetold,
  parseShardName,
  partitionCount,
  reachedRanges,
  recordWatermark,
  RULES_KEPT,
  tallyOf,
  type ConfigurationContent,
  type DatasetName,
  type Demand,
  type EntryNumber,
  type LogIncarnation,
  type PublisherId,
  type ReachedRange,
  type RecordedRange,
  type RecordedReached,
  type RegionName,
  type Sequence,
  type ShardLedger,
  type ShardName,
  type Tally,
  type Watermark,
} from '@lockstep/protocol';
import { Gate, waitAtMost } from '../gate.js';
import { reportLoopFailure } from '../loop-failure.js';
import type { Observer } from '../ports/observer.js';
import type { StreamConnection, StreamFrame, StreamSource, ToldVerdict } from '../ports/streams.js';
import type { Clock } from '../ports/world.js';

export type ReachedStage = 'accepted' | 'quorum' | 'everywhere';

export interface Reached {
  readonly sequence: Sequence;
  /** When this process first knew it; display only. */
  readonly atMs: number;
  /** The regions that held the position then. */
  readonly regions: readonly RegionName[];
}

/** Steps remembered per shard and stage; older positions are told with the oldest time that is still known. */
const STEPS_KEPT = 2_048;
const RECONNECT_PAUSE_MS = 200;
const STAGES_REACHED: readonly ReachedStage[] = ['accepted', 'quorum', 'everywhere'];

const NOTHING_COUNTED: Tally = { committed: new Map(), differing: new Set(), rules: [] };

/** When positions that one rule judges were first known to be reached, in their order. */
interface RangeSteps {
  readonly from: Sequence;
  readonly steps: Reached[];
}

interface ShardFeed {
  ledger: ShardLedger;
  tally: Tally;
  logIncarnation: LogIncarnation | null;
  ranges: Record<ReachedStage, RangeSteps[]>;
  readonly waiters: Set<{ readonly check: () => boolean; readonly gate: Gate }>;
}

export interface ToldByRegion {
  readonly told: ToldVerdict;
  readonly region: RegionName;
}

export interface LedgerFeedOptions {
  readonly region: RegionName;
  readonly regions: readonly RegionName[];
  readonly source: StreamSource;
  /** Verdicts of these publishers are asked for; null for none. */
  readonly publisherPrefix: string | null;
  readonly datasets: ReadonlyMap<DatasetName, ConfigurationContent>;
  readonly clock: Clock;
  readonly observer: Observer;
}

export class LedgerFeed {
  private readonly shards = new Map<ShardName, ShardFeed>();
  private readonly connections = new Map<StreamConnection, RegionName>();
  private readonly expected = new Map<string, (told: ToldByRegion) => void>();
  private readonly stopping = new Gate();
  /** Monotonic; when a frame of the region arrived last. */
  private readonly heard = new Map<RegionName, number>();

  constructor(private readonly options: LedgerFeedOptions) {}

  /** Runs until `stop`. */
  async run(): Promise<void> {
    const { regions, source } = this.options;
    await Promise.all(
      regions.flatMap((region) =>
        Array.from({ length: source.instances(region) }, (_, instance) => this.listen(region, instance)),
      ),
    );
  }

  stop(): void {
    this.stopping.open();
    for (const connection of this.connections.keys()) connection.close();
  }

  /** Regions of which at least one stream is connected. */
  connected(): ReadonlySet<RegionName> {
    return new Set(this.connections.values());
  }

  /** Monotonic; when a stream of the region told something last. Null before the first time. */
  heardAtMs(region: RegionName): number | null {
    return this.heard.get(region) ?? null;
  }

  /** This region's newest watermark of the shard. */
  own(shard: ShardName): Watermark | null {
    return this.watermark(shard, this.options.region);
  }

  watermark(shard: ShardName, region: RegionName): Watermark | null {
    return this.shards.get(shard)?.ledger.regions.get(region)?.watermark ?? null;
  }

  /** Regions whose hashes contradict those of a majority at the same mark. */
  differing(shard: ShardName): ReadonlySet<RegionName> {
    return this.tally(shard).differing;
  }

  /** The life of the shard's log that is counted; null while nobody has told of one. */
  logIncarnation(shard: ShardName): LogIncarnation | null {
    return this.shards.get(shard)?.logIncarnation ?? null;
  }

  /** Regions that have committed the position and count now, by name. */
  holders(shard: ShardName, at: Sequence): readonly RegionName[] {
    return holders(this.tally(shard), at);
  }

  /** Who counts, and which rule judges which positions; the last one is in force. */
  tally(shard: ShardName): Tally {
    return this.shards.get(shard)?.tally ?? NOTHING_COUNTED;
  }

  /** How far the log is folded by the region that is furthest; -1 before anybody has told. */
  furthestOffset(shard: ShardName): bigint {
    return this.options.regions.reduce((furthest, region) => {
      const offset = this.watermark(shard, region)?.offset ?? -1n;
      return offset > furthest ? offset : furthest;
    }, -1n);
  }

  /** The home as this region knows it, or as any other does while this one says nothing. */
  home(shard: ShardName): RegionName | null {
    const told = [this.options.region, ...this.options.regions].map((region) =>
      this.watermark(shard, region),
    );
    return told.find((watermark) => (watermark?.home ?? null) !== null)?.home ?? null;
  }

  /** A region whose hashes contradict those of the others, or its own from before, is not believed (I11, I12). */
  isDoubted(shard: ShardName, region: RegionName): boolean {
    const isDiverged = this.watermark(shard, region)?.withheld?.code === 'diverged';
    return isDiverged || this.differing(shard).has(region);
  }

  /** When the stage was first known for the position; null when it is not known to be reached. */
  reached(shard: ShardName, stage: ReachedStage, at: Sequence): Reached | null {
    const ranges = this.shards.get(shard)?.ranges[stage] ?? [];
    const steps = ranges.findLast(({ from }) => from <= at)?.steps ?? [];
    let low = 0;
    let high = steps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (steps[middle]!.sequence >= at) high = middle;
      else low = middle + 1;
    }
    return steps[low] ?? null;
  }

  /** Of every shard, for each stage and range, the highest position that is known to be reached. */
  reachedByShard(): readonly RecordedReached[] {
    const { region } = this.options;
    return [...this.shards].flatMap(([shard, { logIncarnation, ranges }]) => {
      if (logIncarnation === null) return [];
      const [quorum, everywhere] = [lastSteps(ranges.quorum), lastSteps(ranges.everywhere)];
      return quorum.length + everywhere.length === 0
        ? []
        : [{ region, shard, logIncarnation, quorum, everywhere }];
    });
  }

  /**
   * Waits until the check holds after some change of the shard; false when the time is over.
   * @param over each ends the waiting when it opens.
   */
  async waitUntil(
    shard: ShardName,
    check: () => boolean,
    untilMs: number,
    ...over: readonly Gate[]
  ): Promise<boolean> {
    const { clock } = this.options;
    if (check()) return true;
    const gate = new Gate();
    const waiter = { check, gate };
    const { waiters } = this.shard(shard);
    waiters.add(waiter);
    await waitAtMost([gate, ...over], clock, untilMs - clock.monotonicMs());
    waiters.delete(waiter);
    return check();
  }

  /** Hands the first verdict of (publisher, number) to the listener, from whichever region tells it first. */
  expect(publisher: PublisherId, number: EntryNumber, listener: (told: ToldByRegion) => void): void {
    this.expected.set(`${publisher}:${number}`, listener);
  }

  forget(publisher: PublisherId, number: EntryNumber): void {
    this.expected.delete(`${publisher}:${number}`);
  }

  private async listen(region: RegionName, instance: number): Promise<void> {
    const { clock, observer, publisherPrefix, source } = this.options;
    while (!this.stopping.isOpen) {
      let connection: StreamConnection | null = null;
      try {
        connection = await source.connect(region, instance, publisherPrefix);
        this.connections.set(connection, region);
        while (!this.stopping.isOpen) {
          const frames = await connection.next();
          this.heard.set(region, clock.monotonicMs());
          for (const frame of frames) this.accept(region, frame);
        }
      } catch (error) {
        if (!this.stopping.isOpen) reportLoopFailure(observer, `stream ${region}`, error);
      }
      if (connection !== null) {
        connection.close();
        this.connections.delete(connection);
      }
      await waitAtMost(this.stopping, clock, RECONNECT_PAUSE_MS);
    }
  }

  private accept(region: RegionName, frame: StreamFrame): void {
    switch (frame.kind) {
      case 'watermark':
        // Whom we dialled decides whose vote it is, not what the frame says (B41).
        if (frame.watermark.region === region && this.knows(frame.watermark.shard))
          this.count(frame.watermark);
        return;
      case 'verdicts':
        if (this.isDoubted(frame.shard, region)) return;
        for (const told of frame.verdicts) {
          const key = `${told.publisher}:${told.number}`;
          const listener = this.expected.get(key);
          if (listener === undefined) continue;
          this.expected.delete(key);
          listener({ told, region });
        }
    }
  }

  private knows(shard: ShardName): boolean {
    const parsed = parseShardName(shard);
    const content = parsed === null ? undefined : this.options.datasets.get(parsed.dataset);
    return content !== undefined && parsed!.partition < partitionCount(content.groups);
  }

  private count(watermark: Watermark): void {
    const feed = this.shard(watermark.shard);
    const before = feed.ledger;
    feed.ledger = recordWatermark(before, watermark);
    if (feed.ledger === before) return;
    const isOfOther = watermark.logIncarnation !== null && watermark.logIncarnation !== feed.logIncarnation;
    if (isOfOther) {
      feed.logIncarnation = watermark.logIncarnation;
      feed.ranges = { accepted: [], quorum: [], everywhere: [] };
    }
    const isNews = isOfOther || !isRetold(before, feed.ledger, watermark.region);
    if (feed.logIncarnation !== null && isNews) {
      feed.tally = tallyOf(feed.ledger, feed.logIncarnation);
      this.step(watermark.shard, feed);
    }
    for (const waiter of feed.waiters) if (waiter.check()) waiter.gate.open();
  }

  private step(shard: ShardName, { ranges, tally }: ShardFeed): void {
    const parsed = parseShardName(shard);
    const content = parsed === null ? undefined : this.options.datasets.get(parsed.dataset);
    if (parsed === null || content === undefined) return;
    const { regions } = groupOfPartition(content.groups, parsed.partition);
    const domains = regions.map((region) => [region]);
    const reached: Record<ReachedStage, readonly ReachedRange[]> = {
      accepted: wholeLog({ needed: 1, domains }, tally),
      quorum: reachedRanges(tally),
      everywhere: wholeLog({ needed: regions.length, domains }, tally),
    };
    for (const stage of STAGES_REACHED) {
      for (const range of reached[stage]) this.stepRange(ranges[stage], range, tally);
    }
  }

  private stepRange(known: RangeSteps[], { from, reached }: ReachedRange, tally: Tally): void {
    if (reached < from) return;
    let range = known.find((one) => one.from === from);
    if (range === undefined) {
      range = { from, steps: [] };
      known.push(range);
      known.sort((x, y) => (x.from < y.from ? -1 : 1));
      if (known.length > RULES_KEPT) known.shift();
    }
    const { steps } = range;
    if (reached <= (steps.at(-1)?.sequence ?? 0n)) return;
    steps.push({ sequence: reached, atMs: this.options.clock.nowMs(), regions: holders(tally, reached) });
    if (steps.length > STEPS_KEPT) steps.splice(0, STEPS_KEPT / 2);
  }

  private shard(shard: ShardName): ShardFeed {
    const known = this.shards.get(shard);
    if (known !== undefined) return known;
    const feed: ShardFeed = {
      ledger: EMPTY_LEDGER,
      tally: NOTHING_COUNTED,
      logIncarnation: null,
      ranges: { accepted: [], quorum: [], everywhere: [] },
      waiters: new Set(),
    };
    this.shards.set(shard, feed);
    return feed;
  }
}

/** A stage that one demand decides, for the whole log. */
function wholeLog(demand: Demand, { committed }: Tally): readonly ReachedRange[] {
  return [{ from: 0n as Sequence, reached: highestMet([demand], committed) }];
}

const lastSteps = (ranges: readonly RangeSteps[]): readonly RecordedRange[] =>
  ranges.flatMap(({ from, steps }) => {
    const last = steps.at(-1);
    return last === undefined ? [] : [{ from, ...last }];
  });
