/**
 * The coordinator as far as it exists: it creates the topics, begins the logs of shards at home, activates the
 * catalogue's configurations, probes idle shards, changes quorum rules, and answers what the cluster looks like. Elections and
 * failover come later; nothing of a write's path depends on it.
 */
import {
  CONTROL_TOPIC,
  decideEstablishment,
  groupOfPartition,
  needsProbe,
  parseShardName,
  placeReplicas,
  topicOf,
  WATERMARK_TOPIC,
  type ConfigurationContent,
  type ConfigurationHash,
  type DatasetName,
  type FailoverMode,
  type FailoverPolicy,
  type PlacedBroker,
  type RegionName,
  type RuleRequest,
  type ShardName,
  type Thresholds,
} from '@lockstep/protocol';
import { Moves } from '../control/moves.js';
import { OperatorCalls } from '../control/operator-calls.js';
import { RegionWatch } from '../control/region-watch.js';
import { Candidacy } from '../control/candidacy.js';
import type { ControlLog } from '../control/control-log.js';
import { describeLeadership } from '../control/leadership-description.js';
import { Gate, waitAtMost } from '../gate.js';
import type { LedgerFeed } from '../gateway/ledger-feed.js';
import { messageOf, reportLoopFailure } from '../loop-failure.js';
import type { Canary } from '../ports/canary.js';
import type { Compression, Log, TopicDescription, TopicFinding } from '../ports/log.js';
import type { Outboxes } from '../ports/outboxes.js';
import type { Observer } from '../ports/observer.js';
import type { Signer } from '../ports/signing.js';
import type { QueryStore } from '../ports/store.js';
import type { Clock, Identities } from '../ports/world.js';
import { shardsOf } from '../shards-of.js';
import {
  clusterOutlook,
  quorumOutlooks,
  type ClusterOutlook,
  type QuorumOutlook,
} from './cluster-outlook.js';
import { ControlEntries } from './control-entries.js';
import { RuleChanges, type RuleChange } from './rule-changes.js';

const ROUND_MS = 500;
const RETRY_PAUSE_MS = 500;
const PROBE_ROUND_MS_MAX = 60_000;
const CONTROL_RETENTION_MS = 7 * 24 * 60 * 60 * 1000;

export interface CoordinatedDataset {
  readonly content: ConfigurationContent;
  readonly hash: ConfigurationHash;
  readonly partitions: number;
  readonly logRetentionMs: number;
  readonly failover: FailoverMode;
  /** Per cent of the keys that a new home takes writes of first; null: all at once. */
  readonly openFirst: number | null;
}

export interface CoordinatorOptions {
  readonly region: RegionName;
  readonly regions: readonly RegionName[];
  readonly datasets: ReadonlyMap<DatasetName, CoordinatedDataset>;
  readonly replication: { readonly factor: number; readonly minInsyncReplicas: number };
  /** Of the datasets' topics; what the cluster itself writes is small and rare. */
  readonly compression: Compression;
  readonly feed: LedgerFeed;
  /** Run and stopped by whoever composes the process, after this coordinator has ended. */
  readonly control: ControlLog;
  readonly log: Log;
  readonly store: QueryStore;
  readonly clock: Clock;
  readonly identities: Identities;
  readonly observer: Observer;
  readonly signer: Signer | null;
  readonly canary: Canary;
  readonly outboxes?: Outboxes;
  readonly failover: FailoverPolicy;
  /** From when on a region is found unfit. */
  readonly thresholdsOf: (about: RegionName) => Thresholds;
}

export class Coordinator {
  private readonly stopping = new Gate();
  private missing: readonly string[] = ['topics not checked yet'];
  private readonly entries: ControlEntries;
  private readonly rules: RuleChanges;
  private readonly candidacy: Candidacy;
  private readonly moves: Moves;
  private readonly watch: RegionWatch | null;
  /** What operators ask about homes. */
  readonly operator: OperatorCalls;

  constructor(private readonly options: CoordinatorOptions) {
    this.entries = new ControlEntries(options);
    this.rules = new RuleChanges({ ...options, entries: this.entries });
    this.candidacy = new Candidacy(options);
    const { candidacy, entries } = this;
    this.moves = new Moves({
      ...options,
      candidacy,
      entries,
      contentOf: (shard) => this.contentOf(shard),
      shards: () => this.shards(),
      openFirst: (shard) => options.datasets.get(parseShardName(shard)!.dataset)?.openFirst ?? null,
      isAutomatic: (shard) => options.datasets.get(parseShardName(shard)!.dataset)?.failover === 'automatic',
    });
    this.operator = new OperatorCalls({ ...options, candidacy, moves: this.moves });
    // Where every failover is a person's, nobody asks for votes.
    const watched = new Map([...options.datasets].filter(([, { failover }]) => failover === 'automatic'));
    this.watch = watched.size === 0 ? null : new RegionWatch({ ...options, datasets: watched });
  }

  /** Runs until `stop`. */
  async run(): Promise<void> {
    await Promise.all([this.candidacy.run(), this.moves.run(), this.watch?.run(), this.care()]);
  }

  stop(): void {
    this.stopping.open();
    this.candidacy.stop();
    this.watch?.stop();
    this.moves.stop();
  }

  /** What keeps the shards at home from taking writes, or this process from being of use; empty when nothing does. */
  notReady(): readonly string[] {
    const { control, region } = this.options;
    return [
      ...this.missing,
      ...(control.halted() === null ? [] : [`control log: ${control.halted()}`]),
      ...(this.candidacy.isDisplaced() ? [`another coordinator process holds the vote of ${region}`] : []),
    ];
  }

  /** The body of GET /v1/cluster. */
  describe(): object {
    const { control, feed, region, regions } = this.options;
    const connected = feed.connected();
    const state = control.state();
    return {
      region,
      ...describeLeadership(state),
      control: {
        sequence: state === null ? null : Number(state.sequence),
        current: control.isCurrent(),
        halted: control.halted(),
      },
      regions: regions.map((name) => ({
        region: name,
        stream: connected.has(name) ? 'connected' : 'disconnected',
        shards: this.shards().map((shard) => {
          const watermark = feed.watermark(shard, name);
          return {
            shard,
            sequence: watermark === null ? null : Number(watermark.sequence),
            lagRecords: watermark?.lagRecords ?? null,
            halted: watermark?.halted ?? null,
            withheld: watermark?.withheld ?? null,
            differs: feed.differing(shard).has(name),
          };
        }),
      })),
    };
  }

  quorums(): readonly QuorumOutlook[] {
    return quorumOutlooks({ feed: this.options.feed, shards: this.shards() });
  }

  /** What is asked at each look at the metrics. */
  outlook(): ClusterOutlook {
    const { candidacy, moves } = this;
    return {
      ...clusterOutlook({ ...this.options, shards: this.shards() }),
      leads: candidacy.leads(),
      forecasts: moves.forecasts(),
    };
  }

  /** Null for a dataset that is not in the catalogue. */
  async changeRule(dataset: string, request: RuleRequest, actor: string): Promise<RuleChange | null> {
    const known = this.options.datasets.get(dataset as DatasetName);
    if (known === undefined) return null;
    return this.rules.change(
      known.content,
      shardsOf(known.content.dataset, known.partitions),
      request,
      actor,
    );
  }

  private async care(): Promise<void> {
    await this.untilDone('topics', () => this.ensureTopics());
    await this.untilDone('shards', () => this.establishShards());
    await Promise.all([
      this.eachRound(this.probeRoundMs(), () => this.probeIdleShards()),
      this.eachRound(ROUND_MS, () => this.rules.endJointSteps(this.shards())),
    ]);
  }

  private async eachRound(roundMs: number, step: () => Promise<void>): Promise<void> {
    while (!this.stopping.isOpen) {
      await waitAtMost(this.stopping, this.options.clock, roundMs);
      if (!this.stopping.isOpen) await step();
    }
  }

  private async untilDone(loop: string, step: () => Promise<readonly string[]>): Promise<void> {
    while (!this.stopping.isOpen) {
      try {
        this.missing = await step();
        if (this.missing.length === 0) return;
        await waitAtMost(this.stopping, this.options.clock, ROUND_MS);
      } catch (error) {
        this.missing = [messageOf(error)];
        reportLoopFailure(this.options.observer, loop, error);
        await waitAtMost(this.stopping, this.options.clock, RETRY_PAUSE_MS);
      }
    }
  }

  private async ensureTopics(): Promise<readonly string[]> {
    const findings: string[] = [];
    const brokers = await this.options.log.admin.brokers();
    for (const topic of topicsOf(this.options, brokers)) {
      for (const finding of await this.options.log.admin.ensure(topic))
        findings.push(describeFinding(topic, finding));
    }
    return findings;
  }

  private async establishShards(): Promise<readonly string[]> {
    const { feed, identities, region, store } = this.options;
    const cursors = new Map((await store.cursors(this.shards())).map((cursor) => [cursor.shard, cursor]));
    const establish = async (shard: ShardName): Promise<readonly string[]> => {
      const { dataset, partition } = parseShardName(shard)!;
      const { content, hash } = this.options.datasets.get(dataset)!;
      const group = groupOfPartition(content.groups, partition);
      const decision = decideEstablishment({
        region,
        cursor: cursors.get(shard) ?? null,
        caughtUp: feed.own(shard)?.lagRecords === 0,
        catalogue: { home: group.home, configuration: hash },
        logIncarnation: identities.logIncarnation(),
      });
      if (decision.kind === 'established') return [];
      if (decision.kind === 'wait') return [`${shard}: ${decision.reason}`];
      await this.entries.appendAndFold(shard, decision.body);
      return [`${shard}: ${decision.body.kind} appended`];
    };
    return (await Promise.all(this.shards().map(establish))).flat();
  }

  /** Keeps the logs of idle shards at home from ending before their cursors (`needsProbe`). */
  private async probeIdleShards(): Promise<void> {
    const { clock, datasets, feed, region } = this.options;
    const probe = async (shard: ShardName): Promise<void> => {
      const { dataset } = parseShardName(shard)!;
      const { logRetentionMs } = datasets.get(dataset)!;
      const question = { region, watermark: feed.own(shard), nowMs: clock.nowMs(), logRetentionMs };
      // One that fails, or whose fate is unknown, is followed by that of the next round.
      if (needsProbe(question)) await this.entries.appendAndFold(shard, { kind: 'probe' });
    };
    await Promise.all(this.shards().map(probe));
  }

  /** Several rounds within a quarter of the shortest retention. */
  private probeRoundMs(): number {
    const retentions = [...this.options.datasets.values()].map(({ logRetentionMs }) => logRetentionMs);
    return Math.min(PROBE_ROUND_MS_MAX, ...retentions.map((ms) => ms / 16));
  }

  /** Null for a shard that is not in the catalogue. */
  private contentOf(shard: ShardName): ConfigurationContent | null {
    const { dataset, partition } = parseShardName(shard)!;
    const known = this.options.datasets.get(dataset);
    return known !== undefined && partition < known.partitions ? known.content : null;
  }

  private shards(): readonly ShardName[] {
    return [...this.options.datasets.values()].flatMap(({ content, partitions }) =>
      shardsOf(content.dataset, partitions),
    );
  }
}

/**
 * Every topic of the cluster, as it must be.
 * @param brokers for topics that are about to be created: their replicas stand with the leader at home.
 */
export function topicsOf(
  options: Pick<CoordinatorOptions, 'compression' | 'datasets' | 'replication'>,
  brokers: readonly PlacedBroker[] = [],
): readonly TopicDescription[] {
  const { factor, minInsyncReplicas } = options.replication;
  const common = { replicationFactor: factor, minInsyncReplicas };
  const system = { ...common, compression: 'none', replicas: null, partitions: 1 } as const;
  return [
    ...[...options.datasets.values()].map(({ content, logRetentionMs, partitions }) => ({
      ...common,
      topic: topicOf(content.dataset),
      partitions,
      retentionMs: logRetentionMs,
      compression: options.compression,
      replicas: placeReplicas(
        brokers,
        Array.from(
          { length: partitions },
          (_, partition) => groupOfPartition(content.groups, partition).home,
        ),
        factor,
      ),
    })),
    { ...system, topic: WATERMARK_TOPIC, retentionMs: 'compacted' },
    { ...system, topic: CONTROL_TOPIC, retentionMs: CONTROL_RETENTION_MS },
  ];
}

export const describeFinding = (topic: TopicDescription, finding: TopicFinding): string =>
  `${topic.topic}: ${finding.setting} is ${finding.found}, must be ${finding.expected}`;
