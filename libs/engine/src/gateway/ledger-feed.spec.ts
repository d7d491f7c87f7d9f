/** What a feed counts follows the newest life of a shard's log that anybody tells of. */
import { expect, test } from '@jest/globals';
import {
  epoch,
  offset,
  sequence,
  shardName,
  type ConfigurationContent,
  type DatasetName,
  type LogIncarnation,
  type RegionName,
  type StoreIncarnation,
  type Watermark,
} from '@lockstep/protocol';
import { Gate } from '../gate.js';
import type { StreamFrame, StreamSource } from '../ports/streams.js';
import type { Clock } from '../ports/world.js';
import { LedgerFeed } from './ledger-feed.js';

const [EU, US] = ['eu', 'us'] as readonly string[] as readonly [RegionName, RegionName];
const CUSTOMERS = 'customers' as DatasetName;
const SHARD = shardName(CUSTOMERS, 0);
const [FORMER, LATER] = ['a', 'b'].map((digit) => digit.repeat(32)) as [LogIncarnation, LogIncarnation];

const watermark = (region: RegionName, logIncarnation: LogIncarnation, at: bigint): Watermark => ({
  region,
  storeIncarnation: '1'.repeat(32) as StoreIncarnation,
  shard: SHARD,
  logIncarnation,
  sequence: sequence(at),
  offset: offset(at - 1n),
  epoch: epoch(1n),
  home: EU,
  term: 0n,
  decision: 0n,
  logTimeMs: 0,
  rules: [],
  inputHash: '0'.repeat(32),
  effectsHash: '0'.repeat(32),
  marks: [],
  caughtUpAtMs: null,
  lagRecords: null,
  halted: null,
  withheld: null,
});

/** Two regions whose replicators tell what they are given, and a feed that listens to both. */
class Regions {
  readonly feed: LedgerFeed;
  private readonly running: Promise<void>;
  private readonly told = new Map<RegionName, { frames: StreamFrame[]; gate: Gate }>();
  private readonly closing = new Gate();

  constructor() {
    const source: StreamSource = {
      instances: () => 1,
      connect: (region) =>
        Promise.resolve({ next: () => this.next(region), close: () => this.closing.open() }),
    };
    const content = {
      groups: [{ name: 'all', firstShard: 0, shards: 1, home: EU, regions: [EU, US] }],
    } as unknown as ConfigurationContent;
    this.feed = new LedgerFeed({
      region: EU,
      regions: [EU, US],
      source,
      publisherPrefix: null,
      datasets: new Map([[CUSTOMERS, content]]),
      clock: {
        nowMs: () => 0,
        monotonicMs: () => 0,
        sleep: () => ({ done: Promise.resolve(), wake: () => undefined }),
      } as unknown as Clock,
      observer: { report: () => undefined },
    });
    this.running = this.feed.run();
  }

  /** Resolves when the feed has counted it. */
  async tell(one: Watermark): Promise<void> {
    const told = this.toldBy(one.region);
    told.frames.push({ kind: 'watermark', watermark: one });
    told.gate.open();
    while (this.feed.watermark(SHARD, one.region) !== one) await new Promise(setImmediate);
  }

  async stop(): Promise<void> {
    this.feed.stop();
    await this.running;
  }

  private async next(region: RegionName): Promise<readonly StreamFrame[]> {
    const told = this.toldBy(region);
    await Promise.race([told.gate.opened(), this.closing.opened()]);
    if (this.closing.isOpen) throw new Error('closed');
    this.told.delete(region);
    return told.frames;
  }

  private toldBy(region: RegionName): { frames: StreamFrame[]; gate: Gate } {
    const known = this.told.get(region);
    if (known !== undefined) return known;
    const told = { frames: [], gate: new Gate() };
    this.told.set(region, told);
    return told;
  }
}

test('a region that tells again of the former life of the log is counted in it, however little is new', async () => {
  const regions = new Regions();
  const { feed } = regions;
  await regions.tell(watermark(US, FORMER, 5n));
  await regions.tell(watermark(EU, LATER, 3n));
  expect(feed.logIncarnation(SHARD)).toBe(LATER);
  expect(feed.tally(SHARD).committed).toEqual(new Map([[EU, 3n]]));
  await regions.tell({ ...watermark(US, FORMER, 5n), caughtUpAtMs: 1 });
  expect(feed.logIncarnation(SHARD)).toBe(FORMER);
  expect(feed.tally(SHARD).committed).toEqual(new Map([[US, 5n]]));
  expect(feed.reached(SHARD, 'accepted', sequence(5n))?.regions).toEqual([US]);
  await regions.stop();
});

test('what only says once more that a shard is quiet is not counted anew', async () => {
  const regions = new Regions();
  const { feed } = regions;
  await regions.tell(watermark(EU, FORMER, 3n));
  const counted = feed.tally(SHARD);
  await regions.tell({ ...watermark(EU, FORMER, 3n), caughtUpAtMs: 1 });
  expect(feed.tally(SHARD)).toBe(counted);
  await regions.stop();
});
