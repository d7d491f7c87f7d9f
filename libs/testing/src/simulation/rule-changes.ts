/**
 * An operator in a simulated world: changes the quorum rules of datasets while faults come and go, withdraws regions, and at the
 * end asks for what the datasets say. What is asked while a coordinator is down or paused is not asked, or late, or twice.
 */
import type { ChangedShard } from '@lockstep/engine';
import { ruleTextOf, type RegionName } from '@lockstep/protocol';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import type { Chance } from '../world/chance.js';
import type { Process } from '../world/process.js';
import type { Profile } from './profile.js';

const CHANGE_MS_MAX = 2_000;
const RETRY_PAUSE_MS = 500;
/** What a change sent may come to stand for so long after it was asked for: twice the time of an append, in a cut network. */
const STRAY_MS_MAX = CHANGE_MS_MAX + 10_000;

interface Change {
  readonly by: Process;
  readonly askedAtMs: number;
  /** Answered, by one that does not know what became of it. */
  isOpen: boolean;
}

export class RuleChanges {
  private readonly chance: Chance;
  /** Those of which something may come to stand behind whatever is asked meanwhile. */
  private readonly changing = new Set<Change>();

  constructor(
    private readonly cluster: SimulatedCluster,
    private readonly profile: Profile,
  ) {
    this.chance = cluster.options.world.branch('rule changes');
  }

  /** As many changes as the profile says, at any time of the chaos. */
  begin(): void {
    const { world } = this.cluster.options;
    for (let change = 0; change < this.profile.ruleChanges; change += 1)
      world.after(this.chance.below(this.profile.chaosMs), 'rule', () => this.change());
  }

  /** Every dataset has its own rule again, in every shard, and every region counts. Resolves when that is so. */
  async restore(): Promise<void> {
    if (this.profile.ruleChanges === 0) return;
    const { datasets, regions, world } = this.cluster.options;
    while ([...this.changing].some((change) => this.mayStillStand(change)))
      await world.clock().sleep(RETRY_PAUSE_MS).done;
    for (const [dataset, { configuration }] of datasets) {
      const rule = ruleTextOf(configuration.content);
      for (let isRestored = false; !isRestored;) {
        const { coordinator } = this.cluster.region(this.chance.pick(regions));
        const request = { rule, withdrawn: [], reason: 'as it was', timeoutMs: CHANGE_MS_MAX };
        const change = await coordinator.changeRule(dataset, request, 'operator');
        isRestored = change?.kind === 'asked' && change.shards.every(({ state }) => state === 'in-force');
        if (!isRestored) await world.clock().sleep(RETRY_PAUSE_MS).done;
      }
    }
  }

  private change(): void {
    const { datasets, regions } = this.cluster.options;
    const region = this.cluster.region(this.chance.pick(regions));
    const rule = this.drawRule(regions);
    const withdrawn = this.chance.below(4) === 0 ? [this.chance.pick(regions)] : [];
    const dataset = this.chance.pick([...datasets.keys()]);
    const name = this.profile.roles === 'apart' ? 'coordinator' : 'gateway';
    const running = region.served(name);
    if (running === null) return;
    const request = { rule, withdrawn, reason: 'chaos', timeoutMs: CHANGE_MS_MAX };
    const { coordinator, process } = running;
    process.enter(() => {
      const askedAtMs = this.cluster.options.world.elapsedMs();
      const change: Change = { by: process, askedAtMs, isOpen: false };
      this.changing.add(change);
      void coordinator!.changeRule(dataset, request, 'operator').then((answer) => {
        change.isOpen = answer?.kind === 'asked' && answer.shards.some(({ state }) => isOpen(state));
        if (!change.isOpen) this.changing.delete(change);
      });
    });
  }

  private mayStillStand({ askedAtMs, by, isOpen }: Change): boolean {
    const isStray = this.cluster.options.world.elapsedMs() < askedAtMs + STRAY_MS_MAX;
    return by.hasEnded || isOpen ? isStray : true;
  }

  private drawRule(regions: readonly RegionName[]): string {
    const of = regions.filter(() => this.chance.below(2) === 0);
    const some = of.length === 0 ? [regions[0]!] : of;
    const any = `any ${1 + this.chance.below(some.length)} of [${some.join(', ')}]`;
    return this.chance.pick(['majority', 'all', 'home', any, any, any]);
  }
}

const isOpen = (state: ChangedShard['state']): boolean => state === 'joint' || state === 'unknown';
