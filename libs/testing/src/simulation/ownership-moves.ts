/**
 * Homes that move in a simulated world, in two ways, at any time of the chaos. An operator asks the leader for switchovers and
 * failovers, or pauses them, and may cancel or pause again what was just asked. And somebody who knows of no leader sends fences: to any region of the shard, now and then for
 * an epoch that is over, by a decision that was overtaken, twice, or long after it was made. Which of them is valid is the
 * log's to say (I5, I6); the clients' writes follow. At the end no decision is left open (I20), and each follows again from
 * what was recorded with it (I15).
 */
import type { Coordinator } from '@lockstep/engine';
import {
  CONTROL_TOPIC,
  epoch,
  groupOfPartition,
  parseShardName,
  replayDecisions,
  topicOf,
  type RegionName,
  type Scope,
  type ShardName,
} from '@lockstep/protocol';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { controlRecord } from '../log/control-record.js';
import type { Chance } from '../world/chance.js';
import type { Drills } from './drills.js';
import { shardsIn } from './judge-cluster.js';
import type { Process } from '../world/process.js';
import type { Profile } from './profile.js';

type OperatorCalls = Coordinator['operator'];
/** As operators are told of it. */
type Decision = { readonly decision: number; readonly stage: string };

const NOT_AFTER_MS = 30_000;
const LATE_MS_MAX = 3_000;
const PAUSE_MS_MAX = 4_000;
/** Later most moves are over. */
const CHANGED_MIND_MS_MAX = 1_500;
const LOOK_AGAIN_MS = 5;
const EVERYWHERE = 'all' as Scope;
const MOVE = { reason: 'chaos', acceptLoss: false, timeoutMs: 5_000, actor: null };

export class OwnershipMoves {
  private readonly chance: Chance;
  /** Whether and when a move that was asked for is taken back or paused. */
  private readonly changedMinds: Chance;
  private decisions = 0n;

  constructor(
    private readonly cluster: SimulatedCluster,
    private readonly profile: Profile,
    private readonly drills: Drills,
  ) {
    this.chance = cluster.options.world.branch('ownership moves');
    this.changedMinds = cluster.options.world.branch('changed minds');
  }

  /** As many as the profile says, at any time of the chaos. */
  begin(): void {
    const { world } = this.cluster.options;
    for (let move = 0; move < this.profile.moves; move += 1)
      world.after(this.chance.below(this.profile.chaosMs), 'move', () => this.move());
  }

  private move(): void {
    const { chance, cluster } = this;
    const { datasets } = cluster.options;
    const shard = chance.pick(shardsIn(cluster));
    const { dataset, partition } = parseShardName(shard)!;
    const { groups } = datasets.get(dataset)!.configuration.content;
    const home = chance.pick(groupOfPartition(groups, partition).regions);
    if (chance.below(2) === 0) {
      this.ask(shard, home);
      return;
    }
    this.sendFence(shard, home, chance);
  }

  /** By somebody who knows of no leader, but what some region has folded: the present epoch, or one that is over. */
  private sendFence(shard: ShardName, home: RegionName, chance: Chance): void {
    const { cluster } = this;
    const { regions, world } = cluster.options;
    const { dataset, partition } = parseShardName(shard)!;
    const known = cluster.region(chance.pick(regions)).database.cursor(shard);
    if (known === null || known.epoch === 0n) return;
    const isOver = chance.below(6) === 0 && known.epoch > 1n;
    const expectedEpoch = isOver ? epoch(known.epoch - 1n) : known.epoch;
    this.decisions += 1n;
    const next = known.decision < this.decisions ? this.decisions : known.decision + 1n;
    const decision = chance.below(6) === 0 ? next / 2n : next;
    const term = known.term > 1n ? known.term : 1n;
    const fence = {
      kind: 'fence',
      expectedEpoch,
      epoch: epoch(expectedEpoch + 1n),
      home,
      term,
      decision,
    } as const;
    const copies = chance.below(5) === 0 ? 2 : 1;
    const nowMs = world.nowMs();
    const record = controlRecord(fence, { region: home, nowMs, notAfterMs: nowMs + NOT_AFTER_MS });
    for (let copy = 0; copy < copies; copy += 1) {
      const lateMs = chance.below(3) === 0 ? chance.below(LATE_MS_MAX) : 0;
      world.after(lateMs, `fence ${shard} ${home}`, () =>
        cluster.log.appendForeign(topicOf(dataset), partition, record),
      );
    }
  }

  /** Of whoever leads, as some coordinator knows it; what is asked of one that does not is refused. */
  private ask(shard: ShardName, to: RegionName): void {
    const { chance, cluster } = this;
    const { regions, roles, world } = cluster.options;
    const name = roles === 'apart' ? 'coordinator' : 'gateway';
    const running = regions.flatMap((region) => cluster.region(region).served(name) ?? []);
    const leading = running.filter(({ coordinator }) => coordinator!.operator.leaderElsewhere() === null);
    if (running.length === 0) return;
    const asked = chance.pick(leading.length > 0 ? leading : running);
    const { operator } = asked.coordinator!;
    const kind = chance.pick(['switchover', 'switchover', 'failover'] as const);
    const isPause = chance.below(6) === 0;
    const untilMs = Math.floor(world.nowMs() + chance.below(PAUSE_MS_MAX));
    asked.process.enter(() => {
      if (isPause)
        void operator.pause({ scope: EVERYWHERE, reason: 'chaos', fromMs: null, untilMs }, 'operator');
      else void this.drills.moveAfterDrill(operator, kind, shard, { ...MOVE, to }, 'operator');
    });
    if (!isPause && this.changedMinds.below(2) === 0) this.changeMind(operator, asked.process, shard);
  }

  /**
   * At any stage of the move, or as soon as its fence may be on its way: it is cancelled, its shard is paused, or somebody
   * else fences the shard.
   */
  private changeMind(operator: OperatorCalls, process: Process, shard: ShardName): void {
    const { changedMinds } = this;
    const { regions, world } = this.cluster.options;
    const change = changedMinds.pick(['cancel', 'pause', 'fence'] as const);
    const awaitsFencing = changedMinds.below(2) === 0;
    const home = changedMinds.pick(regions);
    const pausedMs = 1 + changedMinds.below(PAUSE_MS_MAX);
    const atMs = world.nowMs() + changedMinds.below(CHANGED_MIND_MS_MAX);
    const look = (): void => {
      const { body } = operator.decisions({ shard, decision: null, limit: 1 });
      const { decisions = [] } = JSON.parse(body) as { decisions?: readonly Decision[] };
      const [newest] = decisions;
      const isDue = awaitsFencing ? newest?.stage === 'fencing' : world.nowMs() >= atMs;
      if (!isDue && world.nowMs() < atMs) {
        world.after(LOOK_AGAIN_MS, null, () => process.enter(look));
        return;
      }
      const untilMs = Math.floor(world.nowMs() + pausedMs);
      if (change === 'fence') this.sendFence(shard, home, changedMinds);
      else if (change === 'pause')
        void operator.pause(
          { scope: `shard:${shard}` as Scope, reason: 'chaos', fromMs: null, untilMs },
          'operator',
        );
      else if (newest !== undefined) void operator.cancel(BigInt(newest.decision), 'chaos', 'operator');
    };
    process.enter(look);
  }

  /** No coordinator has an open decision. */
  isSettled(): boolean {
    const { regions, roles } = this.cluster.options;
    const name = roles === 'apart' ? 'coordinator' : 'gateway';
    return regions.every((region) => {
      const coordinator = this.cluster.region(region).served(name)?.coordinator;
      return coordinator?.operator.openDecisions() === 0;
    });
  }

  /** Decisions that do not follow from what was recorded with them. */
  differences(): readonly string[] {
    const { differences } = replayDecisions(this.cluster.log.records(CONTROL_TOPIC, 0));
    return differences.map(({ at, code, detail }) => `${at}: ${code}: ${detail}`);
  }
}
