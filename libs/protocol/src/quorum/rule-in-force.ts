/**
 * Which rule judges which position of a shard. Rules change by entries in its log (genesis, configuration, rule, and a
 * fence where the rule is `home`), so every region knows the rule of a position from the log alone (I3).
 *
 *   rule A --rule entry--> A and B (joint) --the same rule again--> B
 *
 * The joint step is taken where A and B can be met without a region in common: it demands both, until every earlier
 * entry is known to meet B too. Whoever looks for what was acknowledged then needs to ask by B alone.
 */
import type { ConfigurationContent } from '../configuration/content.js';
import type { RegionName, Sequence } from '../identity/identity.js';
import { groupOfPartition } from '../routing/key.js';
import { demandsOf, disjointQuorum, sameDemands, type Demand, type DemandsOfRule } from './demand.js';
import { parseRule } from './rule.js';

export interface RuleInForce {
  /** The first position that it judges: that of the entry which brought it. */
  readonly from: Sequence;
  /** As it was written. */
  readonly text: string;
  readonly withdrawn: readonly RegionName[];
  readonly demands: readonly Demand[];
  /** Demanded as well: what the rule before demanded, while the change is joint; else empty. */
  readonly jointly: readonly Demand[];
}

/** Older ones are forgotten; of positions that they judged only history tells whether they were reached. */
export const RULES_KEPT = 16;

/** What a configuration says; a dataset without a rule has `majority` (0018). */
export const ruleTextOf = ({ quorum }: ConfigurationContent): string => quorum ?? 'majority';

/** What the text demands of a shard under a configuration. */
export function demandsUnder(
  content: ConfigurationContent,
  shard: { readonly partition: number; readonly home: RegionName | null },
  change: { readonly text: string; readonly withdrawn: readonly RegionName[] },
): DemandsOfRule {
  const parsed = parseRule(change.text);
  if (parsed.kind === 'refused') return parsed;
  return demandsOf(parsed.rule, {
    members: groupOfPartition(content.groups, shard.partition).regions,
    home: shard.home,
    labels: content.labels ?? {},
    withdrawn: change.withdrawn,
  });
}

/** All that a position must meet under the rule. */
export const allDemands = (rule: RuleInForce): readonly Demand[] => [...rule.demands, ...rule.jointly];

export const ruleAt = (rules: readonly RuleInForce[], at: Sequence): RuleInForce | null =>
  rules.findLast(({ from }) => from <= at) ?? null;

/**
 * The rules after a change at a position; null when a joint step is under way, which must end first.
 * The same rule again ends a joint step; where none is under way it changes nothing.
 */
export function changeRule(
  rules: readonly RuleInForce[],
  next: Omit<RuleInForce, 'jointly'>,
): readonly RuleInForce[] | null {
  const present = rules.at(-1);
  if (present === undefined) return [{ ...next, jointly: [] }];
  const isSame = sameDemands(present.demands, next.demands);
  if (present.jointly.length > 0) return isSame ? append(rules, { ...next, jointly: [] }) : null;
  if (isSame && present.text === next.text && sameRegions(present.withdrawn, next.withdrawn)) return rules;
  const isApart = disjointQuorum(present.demands, next.demands) !== null;
  return append(rules, { ...next, jointly: isApart ? present.demands : [] });
}

/**
 * The rules after the same rule again, where a joint step to it is under way; null where none is. What it demands was decided
 * when the step began: were it asked anew, `home` could not be demanded once a withdrawn region is home, and the step never end.
 */
export function endJointStep(
  rules: readonly RuleInForce[],
  same: Pick<RuleInForce, 'from' | 'text' | 'withdrawn'>,
): readonly RuleInForce[] | null {
  const present = rules.at(-1);
  if (present === undefined || present.jointly.length === 0) return null;
  const isSame = present.text === same.text && sameRegions(present.withdrawn, same.withdrawn);
  return isSame ? append(rules, { ...present, from: same.from, jointly: [] }) : null;
}

/** The rules after one that needs no joint step, whatever is under way. */
export const replaceRule = (
  rules: readonly RuleInForce[],
  next: Omit<RuleInForce, 'jointly'>,
): readonly RuleInForce[] => append(rules, { ...next, jointly: [] });

const sameRegions = (x: readonly RegionName[], y: readonly RegionName[]): boolean => x.join() === y.join();

const append = (rules: readonly RuleInForce[], rule: RuleInForce): readonly RuleInForce[] =>
  [...rules, rule].slice(-RULES_KEPT);
