/**
 * A coordinator's eye on the other regions: it sends canaries, listens to streams, and says in the control log whom it finds
 * unfit, and whom fit again. What is agreed upon, and what follows, is decided from the log by the leader.
 *
 * It looks at itself first: what it noticed before a pause of its own process says nothing about others, and while it does
 * not hear its own region, or the control log, it says nothing at all. A log that answers nobody fails every canary and
 * stops every fold: when it is back, a region that is still connected has as long as ever to show that it is well (I14).
 */
import {
  canaryKey,
  dueVote,
  opinionOf,
  groupOfPartition,
  type ConfigurationContent,
  type DatasetName,
  type RegionName,
  type Sequence,
  type ShardName,
  type Thresholds,
} from '@lockstep/protocol';
import { Gate, waitAtMost } from '../gate.js';
import type { LedgerFeed } from '../gateway/ledger-feed.js';
import { reportLoopFailure } from '../loop-failure.js';
import type { Canary } from '../ports/canary.js';
import type { Observer } from '../ports/observer.js';
import type { Clock } from '../ports/world.js';
import { shardsOf } from '../shards-of.js';
import type { ControlLog } from './control-log.js';

/** What is seen is judged so often, and the next canary sent when it is due. */
const LOOK_MS = 100;
const CANARY_MS = 500;
/** One that takes so long is not waited for before the next is sent: two must fail. */
const CANARY_LATE_MS = 300;
/** After a canary that failed. */
const CANARY_AGAIN_MS = 200;
const CANARY_TIMEOUT_MS = 600;
/** Below what it takes for two canaries to fail at once because this process stood still. */
const PAUSED_MS = 500;
/** The control log answers twice as often, and so much sooner than silence is evidence. */
const LOG_SILENT_MS = 1_000;
const SAID_MS_MAX = 2_000;

export interface RegionWatchOptions {
  readonly region: RegionName;
  readonly regions: readonly RegionName[];
  readonly canary: Canary;
  readonly control: ControlLog;
  readonly feed: LedgerFeed;
  /** Whose failovers need no person: canaries go to their shards only. */
  readonly datasets: ReadonlyMap<
    DatasetName,
    { readonly content: ConfigurationContent; readonly partitions: number }
  >;
  readonly thresholdsOf: (about: RegionName) => Thresholds;
  readonly clock: Clock;
  readonly observer: Observer;
}

interface Place {
  readonly dataset: DatasetName;
  readonly key: string;
  readonly shard: ShardName;
  /** That fold it. */
  readonly regions: readonly RegionName[];
}

interface Watched {
  /** Nothing from before counts. */
  sinceMs: number;
  lookedAtMs: number;
  /** When the last canary was sent, and the last of those that were answered. */
  sentAtMs: number;
  answeredAtMs: number;
  underWay: number;
  failingSinceMs: number | null;
  failures: number;
  refusedAtMs: number | null;
  stalled: { readonly shard: ShardName; readonly at: Sequence; readonly sinceMs: number } | null;
  isSaying: boolean;
}

export class RegionWatch {
  private readonly stopping = new Gate();
  private readonly places: readonly Place[];

  constructor(private readonly options: RegionWatchOptions) {
    this.places = [...options.datasets].flatMap(([dataset, { content, partitions }]) =>
      shardsOf(dataset, partitions).map((shard, partition) => ({
        dataset,
        shard,
        key: canaryKey(content.groups, partition),
        regions: groupOfPartition(content.groups, partition).regions,
      })),
    );
  }

  /** Runs until `stop`. */
  async run(): Promise<void> {
    const { region, regions } = this.options;
    await Promise.all(regions.filter((about) => about !== region).map((about) => this.watch(about)));
  }

  stop(): void {
    this.stopping.open();
  }

  private async watch(about: RegionName): Promise<void> {
    const { clock, observer } = this.options;
    const nowMs = clock.monotonicMs();
    const watched: Watched = {
      sinceMs: nowMs,
      lookedAtMs: nowMs,
      sentAtMs: -Infinity,
      answeredAtMs: -Infinity,
      underWay: 0,
      failingSinceMs: null,
      failures: 0,
      refusedAtMs: null,
      stalled: null,
      isSaying: false,
    };
    while (!this.stopping.isOpen) {
      try {
        this.look(about, watched);
      } catch (error) {
        reportLoopFailure(observer, `watch on ${about}`, error);
      }
      await waitAtMost(this.stopping, clock, LOOK_MS);
    }
  }

  private look(about: RegionName, watched: Watched): void {
    this.forgetAfterPause(watched);
    // A region that is gone altogether is not gone because of the log.
    if (!this.hearsLog(watched.lookedAtMs) && this.options.feed.connected().has(about)) forget(watched);
    const place = this.placeOf(about);
    if (place === null) return;
    if (isDue(watched)) void this.ask(about, place, watched);
    watched.stalled = this.stalledAt(about, place.shard, watched.stalled);
    this.vote(about, watched);
  }

  private async ask(about: RegionName, { dataset, key }: Place, watched: Watched): Promise<void> {
    const { canary } = this.options;
    const sentAtMs = watched.lookedAtMs;
    watched.sentAtMs = sentAtMs;
    watched.underWay += 1;
    const answer = await canary.ask(about, { dataset, key, timeoutMs: CANARY_TIMEOUT_MS });
    watched.underWay -= 1;
    this.forgetAfterPause(watched);
    if (answer.kind === 'answered') {
      watched.answeredAtMs = Math.max(watched.answeredAtMs, sentAtMs);
      watched.failingSinceMs = null;
      watched.failures = 0;
    } else if (sentAtMs >= watched.sinceMs && sentAtMs > watched.answeredAtMs) {
      watched.failingSinceMs = Math.min(watched.failingSinceMs ?? sentAtMs, sentAtMs);
      watched.failures += 1;
      if (answer.kind === 'refused') watched.refusedAtMs = watched.lookedAtMs;
    }
  }

  /** What was noticed before this process stood still says nothing about others. */
  private forgetAfterPause(watched: Watched): void {
    const nowMs = this.options.clock.monotonicMs();
    const isAfterPause = nowMs - watched.lookedAtMs > PAUSED_MS;
    watched.lookedAtMs = nowMs;
    if (isAfterPause) forget(watched);
  }

  /** A shard at home there; else any that it folds. Null where it folds none. */
  private placeOf(about: RegionName): Place | null {
    const home = this.places.find(({ shard }) => this.options.feed.home(shard) === about);
    return home ?? this.places.find(({ regions }) => regions.includes(about)) ?? null;
  }

  private stalledAt(about: RegionName, shard: ShardName, known: Watched['stalled']): Watched['stalled'] {
    const { clock, feed, regions } = this.options;
    const at = feed.watermark(shard, about)?.sequence ?? (0n as Sequence);
    const isBehind = regions.some((one) => (feed.watermark(shard, one)?.sequence ?? 0n) > at);
    if (!isBehind) return null;
    return known?.shard === shard && known.at === at ? known : { shard, at, sinceMs: clock.monotonicMs() };
  }

  private vote(about: RegionName, watched: Watched): void {
    const { clock, control, feed, region } = this.options;
    const state = control.state();
    const nowMs = clock.monotonicMs();
    if (state === null || !this.isSound(nowMs) || watched.isSaying) return;
    const opinion = opinionOf(
      {
        nowMs,
        heardAtMs: Math.max(watched.sinceMs, feed.heardAtMs(about) ?? 0),
        isConnected: feed.connected().has(about),
        stalledSinceMs: watched.stalled?.sinceMs ?? null,
        failingSinceMs: watched.failingSinceMs,
        failures: watched.failures,
        refusedAtMs: watched.refusedAtMs,
      },
      this.options.thresholdsOf(about),
    );
    const command = dueVote(state, region, about, opinion);
    if (command === null) return;
    watched.isSaying = true;
    void control.say(command, SAID_MS_MAX).then(() => {
      watched.isSaying = false;
    });
  }

  /** This process hears its own region and the control log. */
  private isSound(nowMs: number): boolean {
    const { feed, region, thresholdsOf } = this.options;
    const heardAtMs = feed.heardAtMs(region);
    return this.hearsLog(nowMs) && heardAtMs !== null && nowMs - heardAtMs < thresholdsOf(region).silentMs;
  }

  private hearsLog(nowMs: number): boolean {
    const { control } = this.options;
    return control.isCurrent() && nowMs - (control.answeredAtMs() ?? -Infinity) < LOG_SILENT_MS;
  }
}

const forget = (watched: Watched): void =>
  void Object.assign(watched, {
    sinceMs: watched.lookedAtMs,
    failingSinceMs: null,
    failures: 0,
    stalled: null,
  });

function isDue({ failures, lookedAtMs, sentAtMs, underWay }: Watched): boolean {
  const sinceMs = lookedAtMs - sentAtMs;
  if (underWay > 0) return sinceMs >= CANARY_LATE_MS;
  return sinceMs >= (failures > 0 ? CANARY_AGAIN_MS : CANARY_MS);
}
