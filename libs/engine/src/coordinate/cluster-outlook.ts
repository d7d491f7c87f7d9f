/**
 * What a coordinator knows of the cluster at one moment, in figures: for metrics, and for nothing that is decided. Unknown is
 * null, never zero.
 */
import {
  allDemands,
  meets,
  votesAgainst,
  type ControlState,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import type { ControlLog } from '../control/control-log.js';
import type { FailoverForecast } from '../control/moves.js';
import type { LedgerFeed } from '../gateway/ledger-feed.js';
import type { Clock } from '../ports/world.js';

export interface ClusterOutlook {
  /** This process leads. */
  readonly leads: boolean;
  /** Null before the first claim was read. */
  readonly term: bigint | null;
  /** The control log was read to its end a moment ago. */
  readonly isControlCurrent: boolean;
  /** Null before the control log was read. */
  readonly pauses: number | null;
  readonly openMoves: number | null;
  /** In log time; null while none is open. */
  readonly oldestMoveMs: number | null;
  /** Every other region. */
  readonly regions: readonly {
    readonly about: RegionName;
    /** Since its streams told something last; null before they told anything. */
    readonly heardMsAgo: number | null;
    /** Regions that find it unfit; null before the control log was read. */
    readonly doubts: number | null;
  }[];
  readonly quorums: readonly QuorumOutlook[];
  readonly forecasts: readonly FailoverForecast[];
}

export interface QuorumOutlook {
  readonly shard: ShardName;
  /** Regions that count for the shard, are heard and go on. */
  readonly voters: number;
  /** These can meet the rule in force; null while nobody has told one. */
  readonly isReachable: boolean | null;
}

export interface OutlookOptions {
  readonly region: RegionName;
  readonly regions: readonly RegionName[];
  readonly shards: readonly ShardName[];
  readonly control: ControlLog;
  readonly feed: LedgerFeed;
  readonly clock: Clock;
}

export function clusterOutlook({
  clock,
  control,
  feed,
  region,
  regions,
  shards,
}: OutlookOptions): Omit<ClusterOutlook, 'forecasts' | 'leads'> {
  const state = control.state();
  const nowMs = clock.monotonicMs();
  return {
    term: state === null || state.election.term === 0n ? null : state.election.term,
    isControlCurrent: control.isCurrent(),
    pauses: state?.pauses.length ?? null,
    openMoves: state?.open.length ?? null,
    oldestMoveMs: state === null ? null : oldestMoveMs(state),
    regions: regions
      .filter((about) => about !== region)
      .map((about) => {
        const heardAtMs = feed.heardAtMs(about);
        return {
          about,
          heardMsAgo: heardAtMs === null ? null : nowMs - heardAtMs,
          doubts: state === null ? null : votesAgainst(state, about).length,
        };
      }),
    quorums: quorumOutlooks({ feed, shards }),
  };
}

export function quorumOutlooks({
  feed,
  shards,
}: Pick<OutlookOptions, 'feed' | 'shards'>): readonly QuorumOutlook[] {
  const connected = feed.connected();
  return shards.map((shard) => quorumOf(feed, connected, shard));
}

function quorumOf(feed: LedgerFeed, connected: ReadonlySet<RegionName>, shard: ShardName): QuorumOutlook {
  const { committed, rules } = feed.tally(shard);
  const voters = [...committed.keys()].filter(
    (region) => connected.has(region) && feed.watermark(shard, region)?.halted === null,
  );
  const rule = rules.at(-1);
  const isReachable = rule === undefined ? null : meets(allDemands(rule), voters);
  return { shard, voters: voters.length, isReachable };
}

function oldestMoveMs({ logTimeMs, open }: ControlState): number | null {
  const decidedAtMs = open.flatMap(({ passed }) => passed[0]?.atMs ?? []);
  return decidedAtMs.length === 0 ? null : logTimeMs - Math.min(...decidedAtMs);
}
