/**
 * What was known to be reached, whoever knew it: a stage that was told is history, also when votes were withdrawn since or
 * this process is new (I7). Written to the slow copy within a second, read from it at the start.
 *
 * Within that second a stage may be told that is not written down yet; GUARANTEES says what that means.
 */
import {
  readRecordedReached,
  recordedReachedText,
  RULES_KEPT,
  type LogIncarnation,
  type RecordedRange,
  type RecordedReached,
  type RecordedStage,
  type RegionName,
  type Sequence,
  type ShardName,
} from '@lockstep/protocol';
import { Gate, waitAtMost } from '../gate.js';
import { CopyReader } from '../copy/copy-reader.js';
import { SlowCopy, type Copied } from '../copy/slow-copy.js';
import { reportLoopFailure } from '../loop-failure.js';
import type { Log } from '../ports/log.js';
import type { Observer } from '../ports/observer.js';
import type { Clock } from '../ports/world.js';
import type { LedgerFeed } from './ledger-feed.js';

const RETRY_PAUSE_MS = 500;

export interface ReachedHistoryOptions {
  readonly feed: LedgerFeed;
  readonly log: Log;
  readonly observer: Observer;
  readonly clock: Clock;
}

export class ReachedHistory {
  /** By shard; of each region's gateways the last record. */
  private readonly recorded = new Map<ShardName, Map<RegionName, RecordedReached>>();
  private readonly stopping = new Gate();
  private readonly reader: CopyReader;
  private readonly writer: SlowCopy;

  constructor(private readonly options: ReachedHistoryOptions) {
    this.reader = new CopyReader(options.log, (text) => {
      const recorded = readRecordedReached(text);
      if (recorded !== null) this.keep(recorded);
    });
    this.writer = new SlowCopy({
      ...options,
      current: () => options.feed.reachedByShard().map((present) => this.copyOf(present)),
    });
  }

  /** Runs until `stop`. What stands in the copy is read first: what is written then must not lack it. */
  async run(): Promise<void> {
    const { clock, observer } = this.options;
    for (let isRead = false; !isRead && !this.stopping.isOpen;) {
      isRead = await this.reader.readToEnd().then(
        () => true,
        (error: unknown) => {
          reportLoopFailure(observer, 'reached history', error);
          return false;
        },
      );
      if (!isRead) await waitAtMost(this.stopping, clock, RETRY_PAUSE_MS);
    }
    await this.reader.close();
    if (!this.stopping.isOpen) await this.writer.run();
  }

  stop(): void {
    this.stopping.open();
    this.writer.stop();
  }

  /** The range of a stage that holds the position; null where no gateway has written down that it was reached. */
  find(
    shard: ShardName,
    logIncarnation: LogIncarnation,
    stage: RecordedStage,
    at: Sequence,
  ): RecordedRange | null {
    for (const recorded of this.recorded.get(shard)?.values() ?? []) {
      if (recorded.logIncarnation !== logIncarnation) continue;
      const range = recorded[stage].find(({ from, sequence }) => from <= at && at <= sequence);
      if (range !== undefined) return range;
    }
    return null;
  }

  /** The present, and of what this region wrote before whatever the present lacks. */
  private copyOf(present: RecordedReached): Copied {
    const { region, shard } = present;
    const before = this.recorded.get(shard)?.get(region);
    const whole = before?.logIncarnation === present.logIncarnation ? withEarlier(before, present) : present;
    this.keep(whole);
    return {
      key: `reached/${region}/${shard}`,
      state: [...whole.quorum, ...whole.everywhere].map(({ from, sequence }) => `${from}-${sequence}`).join(),
      value: () => recordedReachedText(whole),
    };
  }

  private keep(recorded: RecordedReached): void {
    const known = this.recorded.get(recorded.shard);
    if (known === undefined) this.recorded.set(recorded.shard, new Map([[recorded.region, recorded]]));
    else known.set(recorded.region, recorded);
  }
}

const withEarlier = (before: RecordedReached, present: RecordedReached): RecordedReached => ({
  ...present,
  quorum: merged(before.quorum, present.quorum),
  everywhere: merged(before.everywhere, present.everywhere),
});

/** Of each range the one that goes further; the newest ranges are kept. */
function merged(
  before: readonly RecordedRange[],
  present: readonly RecordedRange[],
): readonly RecordedRange[] {
  const ranges = new Map<bigint, RecordedRange>();
  for (const range of [...before, ...present]) {
    const known = ranges.get(range.from);
    if (known === undefined || range.sequence > known.sequence) ranges.set(range.from, range);
  }
  return [...ranges.values()].sort((x, y) => (x.from < y.from ? -1 : 1)).slice(-RULES_KEPT);
}
