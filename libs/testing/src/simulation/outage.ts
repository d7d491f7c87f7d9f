/**
 * What becomes of a cluster when everything is repaired but one region, whose processes do not come back, stand still, or are cut
 * off. The others go on: within a minute each shard takes writes again that can do without the region (P25, I20), and
 * a home that is there is replaced in the time that a failover may take (P16). Then the region is repaired as well.
 *
 * Can do without it: a shard at home elsewhere, one that every region writes, and one at home there that is automatic and that no cool-down or
 * budget of failovers holds there. A write waits for its quorum where the rule in force is met without the region,
 * otherwise for its verdict.
 */
import { CONTROL_TOPIC, parseShardName, topicOf, type RegionName, type ShardName } from '@lockstep/protocol';
import type { SimulatedCluster, SimulatedRegion } from '../cluster/simulated-cluster.js';
import { controlHistoryOf } from '../history/control-history.js';
import type { AuditedCommand } from '../history/control-audit.js';
import { BUDGET, judgeFailoverTimes } from '../history/failover-times.js';
import { isQuorum } from '../history/stage-truth.js';
import type { Cut } from '../world/network.js';
import { START_MS } from '../world/world.js';
import { shardsIn } from './judge-cluster.js';
import type { Load } from './load.js';
import type { Outage, Profile } from './profile.js';
import type { Services } from './services.js';
import type { Tally } from './tally.js';
import { violationsOf, type Violation } from './violation.js';

export const PROGRESS_MS_MAX = 60_000;
const LOOK_MS = 50;
const ASK_WHY_MS = 1_000;
const SAVE_AGAIN_MS = 250;

/** What is expected of a shard while the region is away. */
interface Awaited {
  readonly shard: ShardName;
  readonly homeBefore: string;
  /** When a new write was taken, in the time of the history; null so far. */
  acceptedT: number | null;
  /** What the last attempt came to. */
  said: string;
  /** Why it is not expected to take writes; null while it is. */
  whyLeft: string | null;
  /** From when on the rule in force has been met without the region; Infinity while it is not. */
  ruleMetT: number;
}

export class RegionalOutage {
  private readonly others: readonly SimulatedRegion[];
  private isOver = false;
  private fromT = 0;
  private orderlyT = Infinity;
  private lookedAtMs = -Infinity;
  private askedWhyAtMs = 0;

  constructor(
    private readonly cluster: SimulatedCluster,
    private readonly profile: Profile,
    private readonly outage: Outage,
    private readonly asked: { readonly load: Load; readonly services: Services; readonly tally: Tally },
  ) {
    this.others = [...cluster.regions.values()].filter(({ region }) => region !== outage.region);
  }

  /** From when the region goes until it has been started again. */
  async run(): Promise<readonly Violation[]> {
    const { asked, cluster, outage } = this;
    const { world } = cluster.options;
    asked.load.stop();
    asked.services.stop();
    world.note(`outage ${outage.region} ${outage.how}`);
    const end = this.begin();
    this.fromT = this.t;
    const ends = this.ends();
    const awaited = shardsIn(cluster).map((shard): Awaited => ({
      shard,
      homeBefore: this.homeOf(shard),
      acceptedT: null,
      said: 'nothing was answered',
      whyLeft: null,
      ruleMetT: Infinity,
    }));
    for (const one of awaited) one.whyLeft = this.whyLeft(one);
    const open = awaited.filter(({ whyLeft }) => whyLeft === null);
    for (const one of open) void (this.isOutboxOnly(one.shard) ? this.save(one) : this.write(one));
    try {
      await world.runUntil(() => {
        this.look(ends, open);
        return open.every(({ acceptedT, whyLeft }) => acceptedT !== null || whyLeft !== null);
      }, PROGRESS_MS_MAX);
    } catch {
      // What has not gone on is named below.
    }
    this.isOver = true;
    const violations = [...this.judgeProgress(awaited), ...this.judgeTimes(awaited)];
    world.note(`outage of ${outage.region} is over`);
    end();
    return violations;
  }

  private judgeProgress(awaited: readonly Awaited[]): readonly Violation[] {
    const { region } = this.outage;
    const left: Awaited[] = [];
    for (const one of awaited) {
      const where = one.homeBefore === region && !this.isOfAll(one.shard) ? 'home gone' : 'home elsewhere';
      if (one.acceptedT === null && one.whyLeft === null) left.push(one);
      this.asked.tally.add(`progress: ${one.acceptedT === null ? (one.whyLeft ?? where) : where}`);
    }
    const sentence = 'Without one region, writes that can do without it were not taken within a minute.';
    const examples = left.map(
      ({ homeBefore, said, shard }) => `${shard} of ${homeBefore} without ${region}: ${said}`,
    );
    return violationsOf({ invariant: 'I20', code: 'no-progress-without-region', sentence }, examples);
  }

  private judgeTimes(awaited: readonly Awaited[]): readonly Violation[] {
    const { cluster, orderlyT, outage, profile } = this;
    if (profile.failover === 'manual') return [];
    const { tally } = this.asked;
    const shards = awaited
      .filter(({ whyLeft }) => whyLeft === null)
      .filter(({ homeBefore, shard }) => homeBefore === outage.region && !this.isOfAll(shard))
      .map(({ acceptedT, ruleMetT, shard }) => ({
        shard,
        acceptedT,
        homeAtEnd: this.homeOf(shard),
        ruleMetT,
      }));
    const judged = judgeFailoverTimes(
      { region: outage.region, fromT: this.fromT, orderlyT, endT: this.t, shards },
      controlCommands(cluster),
    );
    for (const ms of judged.openedMs) tally.took(ms);
    for (const _ of [...judged.openedMs, ...judged.tooSlow]) tally.add('failover: judged');
    for (const why of judged.passedOver) tally.add(`failover: ${why}`);
    const sentence =
      'A home was gone, all else was in order, and its writes were not open elsewhere in time.';
    return violationsOf({ invariant: null, code: 'failover-slow', sentence }, judged.tooSlow);
  }

  /** Answers how it is ended. */
  private begin(): () => void {
    const { cluster, outage, others } = this;
    const gone = cluster.region(outage.region);
    switch (outage.how) {
      case 'killed':
        for (const name of gone.processNames()) gone.killProcess(name);
        return () => {
          for (const name of gone.processNames()) gone.startProcess(name);
        };
      case 'paused': {
        const processes = gone.processes();
        for (const process of processes) process.pause();
        return () => {
          for (const process of processes) process.goOn();
        };
      }
      case 'cut': {
        const cuts = [...others.map(({ region }) => region), 'log'].flatMap((other): readonly Cut[] => [
          { from: outage.region, to: other, fault: 'isolation' },
          { from: other, to: outage.region, fault: 'isolation' },
        ]);
        for (const cut of cuts) cluster.network.cut(cut);
        return () => {
          for (const cut of cuts) cluster.network.heal(cut);
        };
      }
    }
  }

  /** Why nobody moves the shard to where it could be written, as the control log stands; null when somebody must. */
  private whyLeft({ homeBefore, shard }: Pick<Awaited, 'homeBefore' | 'shard'>): string | null {
    const { region } = this.outage;
    if (this.isOfAll(shard) || this.homeOf(shard) !== region) return null;
    const came = homeBefore === region ? '' : ', went there meanwhile';
    if (this.profile.failover === 'manual') return `a person’s decision${came}`;
    const commands = controlCommands(this.cluster).filter(({ verdict }) => verdict === 'accepted');
    const there = shardsIn(this.cluster).filter((one) => this.homeOf(one) === region);
    return isHeld(commands, { region, shard, there, fromT: this.fromT }) ? `failed over before${came}` : null;
  }

  /** Writes until one is taken. */
  private async write(one: Awaited): Promise<void> {
    const { asked, others } = this;
    const { world } = this.cluster.options;
    const ask = asked.load.insisting(one.shard, 'outage');
    for (let turn = world.branch(`outage ${one.shard}`).below(others.length); !this.isOver; turn += 1) {
      const via = others[turn % others.length]!;
      const said = await ask(via.region, this.stageOf(one.shard));
      if (this.isOver) return;
      if (said === null) {
        one.acceptedT = this.t;
        return;
      }
      one.said = said;
    }
  }

  /** The same, where services write it: a row is saved at the home, and its entry leaves the outbox. */
  private async save(one: Awaited): Promise<void> {
    const { cluster, outage } = this;
    const { world } = cluster.options;
    for (; !this.isOver; await world.clock().sleep(SAVE_AGAIN_MS).done) {
      const home = this.homeOf(one.shard);
      if (home === outage.region) continue;
      try {
        await this.asked.services.saveAt(home, one.shard, 'outage');
        const { database } = cluster.region(home);
        while (!this.isOver && database.outbox().pending.length > 0) await world.clock().sleep(LOOK_MS).done;
        if (!this.isOver) one.acceptedT = this.t;
        return;
      } catch (error) {
        one.said = String(error);
      }
    }
  }

  private stageOf(shard: ShardName): 'quorum' | 'accepted' {
    const knowing = this.others.find(({ region }) => this.cluster.region(region).served('gateway') !== null);
    const rule = knowing?.feed.tally(shard).rules.at(-1);
    const there = this.others.map(({ region }) => region as string);
    return rule !== undefined && isQuorum(rule, there) ? 'quorum' : 'accepted';
  }

  /**
   * Notes since when all others have been in order and each rule has been met by them, and now and then for which
   * shards nothing can be expected any more.
   */
  private look(ends: ReadonlyMap<ShardName, bigint>, open: readonly Awaited[]): void {
    const nowMs = this.cluster.options.world.elapsedMs();
    if (nowMs - this.lookedAtMs < LOOK_MS) return;
    this.lookedAtMs = nowMs;
    if (!this.isOrderly(ends)) this.orderlyT = Infinity;
    else if (this.orderlyT === Infinity) this.orderlyT = this.t;
    for (const one of open) {
      if (this.stageOf(one.shard) !== 'quorum') one.ruleMetT = Infinity;
      else if (one.ruleMetT === Infinity) one.ruleMetT = this.t;
    }
    if (nowMs - this.askedWhyAtMs < ASK_WHY_MS) return;
    this.askedWhyAtMs = nowMs;
    for (const one of open) if (one.acceptedT === null) one.whyLeft = this.whyLeft(one);
  }

  private isOrderly(ends: ReadonlyMap<ShardName, bigint>): boolean {
    return this.others.every(
      (region) =>
        region.processNames().every((name) => region.served(name) !== null) &&
        region.gateway.notReady().length === 0 &&
        region.coordinator.operator.openDecisions() !== null &&
        [...ends].every(([shard, end]) => {
          const { database, feed } = region;
          const told = feed.own(shard);
          return (
            (database.cursor(shard)?.offset ?? -1n) >= end && told?.withheld === null && told.halted === null
          );
        }),
    );
  }

  private ends(): ReadonlyMap<ShardName, bigint> {
    const { log } = this.cluster;
    return new Map(
      shardsIn(this.cluster).map((shard) => {
        const { dataset, partition } = parseShardName(shard)!;
        return [shard, log.records(topicOf(dataset), partition).at(-1)?.offset ?? -1n];
      }),
    );
  }

  /** As the other regions have folded it, the furthest of them. */
  private homeOf(shard: ShardName): RegionName {
    const cursors = this.others.flatMap(({ database }) => database.cursor(shard) ?? []);
    const furthest = cursors.reduce((most, one) => (one.sequence > most.sequence ? one : most));
    return furthest.home ?? (this.outage.region as RegionName);
  }

  private contentOf(shard: ShardName) {
    return this.cluster.options.datasets.get(parseShardName(shard)!.dataset)!.configuration.content;
  }

  private isOfAll(shard: ShardName): boolean {
    return this.contentOf(shard).writers === 'any';
  }

  private isOutboxOnly(shard: ShardName): boolean {
    return this.contentOf(shard).writers === 'outbox';
  }

  private get t(): number {
    return (this.cluster.options.world.nowMs() - START_MS) * 1e6;
  }
}

/**
 * Whether a failover waits for a person: three were, or one before was of a shard that is at home there again, which holds those
 * back that would go with it (decision 0091). No run lasts longer than a cool-down.
 */
function isHeld(
  commands: readonly AuditedCommand[],
  {
    fromT,
    region,
    shard,
    there,
  }: {
    readonly region: string;
    readonly shard: ShardName;
    /** Shards at home there now. */
    readonly there: readonly ShardName[];
    readonly fromT: number;
  },
): boolean {
  const failovers = commands.flatMap(({ command, t }) =>
    command.kind === 'fail-over'
      ? [{ t, region: command.region, shards: command.shards.map((one) => one.shard) }]
      : [],
  );
  if (failovers.some((one) => one.t >= fromT && one.shards.includes(shard))) return false;
  const isWarm = failovers.some(
    (one) => one.t < fromT && one.region === region && one.shards.some((moved) => there.includes(moved)),
  );
  return isWarm || failovers.length >= BUDGET;
}

const controlCommands = ({ log, witness }: SimulatedCluster): readonly AuditedCommand[] =>
  controlHistoryOf(
    log.records(CONTROL_TOPIC, 0),
    (record) => witness.stoodAt(record),
    () => null,
  ).commands;
