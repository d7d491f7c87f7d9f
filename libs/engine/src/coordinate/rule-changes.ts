/**
 * Changes of quorum rules: an operator's intent, carried out as a `rule` entry in every shard of the dataset. Nothing of it
 * is remembered here: the logs say which rule is in force, and a change that stopped half-way is asked for again.
 *
 * The entry is the audit record of the change and stands in the log before it has an effect (I19).
 */
import {
  demandsUnder,
  endOfJointStep,
  parseShardName,
  problem,
  type ConfigurationContent,
  type Problem,
  type RegionName,
  type RuleInForce,
  type RuleRequest,
  type ShardName,
} from '@lockstep/protocol';
import type { LedgerFeed } from '../gateway/ledger-feed.js';
import type { Clock } from '../ports/world.js';
import type { ControlEntries } from './control-entries.js';

export interface RuleChangesOptions {
  readonly region: RegionName;
  readonly feed: LedgerFeed;
  readonly entries: ControlEntries;
  readonly clock: Clock;
}

/** How long the home's coordinator is left to end a joint step. */
const OTHERS_WAIT_MS = 2_000;

/** What became of a change in one shard. */
export interface ChangedShard {
  readonly shard: ShardName;
  /** `refused`: this change was not made, and will not be. `unknown`: it may still be made. */
  readonly state: 'in-force' | 'joint' | 'refused' | 'unknown';
  readonly detail: string | null;
  readonly rule: RuleInForce | null;
}

export type RuleChange =
  | { readonly kind: 'asked'; readonly shards: readonly ChangedShard[] }
  | { readonly kind: 'refused'; readonly problem: Problem };

export class RuleChanges {
  /** Since when a joint step might have ended. */
  private readonly endableSinceMs = new Map<ShardName, number>();

  constructor(private readonly options: RuleChangesOptions) {}

  /** Waits until the rule is in force in every shard, or the time is over. */
  async change(
    content: ConfigurationContent,
    shards: readonly ShardName[],
    request: RuleRequest,
    actor: string,
  ): Promise<RuleChange> {
    const { clock, feed } = this.options;
    for (const shard of shards) {
      const { partition } = parseShardName(shard)!;
      const home = feed.home(shard);
      const change = { text: request.rule, withdrawn: request.withdrawn };
      const demanded = demandsUnder(content, { partition, home }, change);
      if (demanded.kind === 'refused')
        return { kind: 'refused', problem: problem('rule-refused', `${shard}: ${demanded.reason}`) };
    }
    const untilMs = clock.monotonicMs() + request.timeoutMs;
    const changed = shards.map((shard) => this.changeShard(shard, request, actor, untilMs));
    return { kind: 'asked', shards: await Promise.all(changed) };
  }

  /** Ends the joint steps that may end: those of shards at home at once, others when nobody else does. */
  async endJointSteps(shards: readonly ShardName[]): Promise<void> {
    const { clock, entries, feed, region } = this.options;
    const end = async (shard: ShardName): Promise<void> => {
      const body = endOfJointStep(feed.tally(shard), region);
      if (body === null) {
        this.endableSinceMs.delete(shard);
        return;
      }
      const nowMs = clock.monotonicMs();
      const sinceMs = this.endableSinceMs.get(shard) ?? nowMs;
      this.endableSinceMs.set(shard, sinceMs);
      if (feed.home(shard) !== region && nowMs - sinceMs < OTHERS_WAIT_MS) return;
      // One that fails, or whose fate is unknown, is followed by that of the next round.
      await entries.appendAndFold(shard, body);
    };
    await Promise.all(shards.map(end));
  }

  private async changeShard(
    shard: ShardName,
    { reason, rule, withdrawn }: RuleRequest,
    actor: string,
    untilMs: number,
  ): Promise<ChangedShard> {
    const { entries, feed } = this.options;
    const present = (): RuleInForce | null => feed.tally(shard).rules.at(-1) ?? null;
    const isAsked = (one: RuleInForce | null): boolean =>
      one?.text === rule && one.withdrawn.join() === withdrawn.join();
    const isFinal = (): boolean => isAsked(present()) && present()!.jointly.length === 0;
    const before = present();
    const said = (state: ChangedShard['state'], detail: string | null): ChangedShard => ({
      shard,
      state,
      detail,
      rule: present(),
    });
    if (before === null) return said('refused', 'no region that counts has told its rule yet');
    if (isAsked(before)) {
      // What is told may be older than a change that stands in the log already: this one must not be answered as if it came later.
      const probed = await entries.append(shard, { kind: 'probe' });
      const isKnown = (): boolean => probed.kind === 'logged' && feed.furthestOffset(shard) >= probed.offset;
      if (!(await feed.waitUntil(shard, isKnown, untilMs)))
        return said('unknown', 'no region has folded the log to its end in time');
      if (!isAsked(present())) return said('refused', `"${present()?.text}" was asked for at the same time`);
    } else {
      if (before.jointly.length > 0) return said('refused', `a change to "${before.text}" is under way`);
      const body = { kind: 'rule', expected: before.from, rule, withdrawn, reason, actor } as const;
      const published = await entries.append(shard, body);
      if (published.kind === 'failed') return said('refused', published.message);
      await feed.waitUntil(shard, () => present()?.from !== before.from, untilMs);
      const after = present();
      if (after?.from === before.from) return said('unknown', 'no region has told of it in time');
      if (!isAsked(after)) return said('refused', `"${after?.text}" was asked for at the same time`);
    }
    await feed.waitUntil(shard, isFinal, untilMs);
    if (isFinal()) return said('in-force', null);
    return said('joint', 'earlier entries do not meet the rule yet; the rule before is demanded as well');
  }
}
