/**
 * What a rule demands of one shard: so many of these fault domains. It is the form in which rules are compared, kept
 * and counted; a rule may demand several things at once, and all must be met.
 *
 * Regions of one fault domain (same provider and zone) count once: they are lost together. `all` alone counts regions.
 */
import type { RegionLabels } from '../configuration/content.js';
import { sequence, type RegionName, type Sequence } from '../identity/identity.js';
import type { Rule } from './rule.js';

export interface Demand {
  readonly needed: number;
  /** Each with at least one region; a region stands in one of them. */
  readonly domains: readonly (readonly RegionName[])[];
}

/** Where a rule is to hold. */
export interface Electorate {
  /** Regions that may hold the shard. */
  readonly members: readonly RegionName[];
  /** Null before genesis. */
  readonly home: RegionName | null;
  /** A region without labels is a fault domain of its own. */
  readonly labels: { readonly [region: string]: RegionLabels };
  /** Members whose vote does not count, by an operator's word. */
  readonly withdrawn: readonly RegionName[];
}

export type DemandsOfRule =
  | { readonly kind: 'demands'; readonly demands: readonly Demand[] }
  /** The rule cannot be met; `reason` is the counterexample. */
  | { readonly kind: 'refused'; readonly reason: string };

/** Rules over more regions are refused: what follows looks at sets of them. */
export const MEMBERS_MAX = 12;

export function demandsOf(rule: Rule, electorate: Electorate): DemandsOfRule {
  const { labels, members, withdrawn } = electorate;
  if (members.length > MEMBERS_MAX)
    return refused(`${members.length} regions are more than the ${MEMBERS_MAX} that a rule may count`);
  const foreign = rule.kind === 'any' ? rule.of.find((region) => !members.includes(region)) : undefined;
  if (foreign !== undefined) return refused(`${foreign} may not hold this shard: only ${list(members)} may`);
  const demands: Demand[] = [];
  for (const { what, needed, domains } of partsOf(rule, electorate)) {
    const voting = domains
      .map((domain) => domain.filter((region) => !withdrawn.includes(region)))
      .filter((domain) => domain.length > 0);
    if (needed > voting.length) {
      const left = voting.length === 0 ? 'none' : voting.map(list).join(' or ');
      const shared = domains.find((domain) => domain.length > 1);
      return refused(
        `${what} needs ${needed} fault domain${needed === 1 ? '' : 's'} and has ${voting.length} (${left})` +
          (shared === undefined
            ? ''
            : `; ${list(shared)} share ${labels[shared[0]!]!.provider}/${labels[shared[0]!]!.zone}`) +
          (withdrawn.length === 0 ? '' : `; ${list(withdrawn)} withdrawn`),
      );
    }
    demands.push({ needed, domains: voting });
  }
  return { kind: 'demands', demands };
}

interface Part extends Demand {
  /** The words of the rule that ask for it. */
  readonly what: string;
}

function partsOf(rule: Rule, { home, labels, members }: Electorate): readonly Part[] {
  switch (rule.kind) {
    case 'majority': {
      const domains = domainsOf(members, labels);
      return [{ what: 'majority', needed: Math.floor(domains.length / 2) + 1, domains }];
    }
    case 'all':
      return [{ what: 'all', needed: members.length, domains: members.map((region) => [region]) }];
    case 'home':
      return [{ what: 'home', needed: 1, domains: home === null ? [] : [[home]] }];
    case 'any':
      return [{ what: 'any', needed: rule.count, domains: domainsOf(rule.of, labels) }];
    case 'each':
      return rule.shares.map(({ count, label }) => {
        const bearing = members.filter((region) => {
          const { jurisdiction, provider, zone } = labels[region] ?? {};
          return [provider, zone, jurisdiction].includes(label);
        });
        return { what: label, needed: count, domains: domainsOf(bearing, labels) };
      });
  }
}

function domainsOf(
  regions: readonly RegionName[],
  labels: Electorate['labels'],
): readonly (readonly RegionName[])[] {
  const byPlace = new Map<string, RegionName[]>();
  for (const region of regions) {
    const known = labels[region];
    const place = known === undefined ? region : `${known.provider}/${known.zone}`;
    const domain = byPlace.get(place);
    if (domain === undefined) byPlace.set(place, [region]);
    else domain.push(region);
  }
  return [...byPlace.values()];
}

/** True when regions that hold a position meet every demand. Nothing demanded is nothing promised: then false. */
export function meets(demands: readonly Demand[], holders: readonly RegionName[]): boolean {
  const isMet = ({ domains, needed }: Demand): boolean =>
    domains.filter((domain) => domain.some((region) => holders.includes(region))).length >= needed;
  return demands.length > 0 && demands.every(isMet);
}

/** The highest sequence whose holders meet every demand; 0 when there is none. */
export function highestMet(
  demands: readonly Demand[],
  committed: ReadonlyMap<RegionName, Sequence>,
): Sequence {
  const highest = demands.map(({ domains, needed }) => {
    const reached = domains
      .map((domain) => domain.reduce((best, region) => later(best, committed.get(region)), NONE))
      .sort((x, y) => (x > y ? -1 : 1));
    return reached[needed - 1] ?? NONE;
  });
  return highest.length === 0 ? NONE : highest.reduce((x, y) => (x < y ? x : y));
}

const NONE = sequence(0n);
const later = (best: Sequence, other: Sequence | undefined): Sequence =>
  other !== undefined && other > best ? other : best;

/**
 * Regions that meet `demands` while all others together meet `others`: the two can be met without a region in common.
 * Null when they always share one.
 */
export function disjointQuorum(
  demands: readonly Demand[],
  others: readonly Demand[],
): readonly RegionName[] | null {
  const regions = [...new Set([...demands, ...others].flatMap(({ domains }) => domains.flat()))];
  for (let set = 0; set < 1 << regions.length; set += 1) {
    const inside = regions.filter((_, index) => (set & (1 << index)) !== 0);
    const outside = regions.filter((_, index) => (set & (1 << index)) === 0);
    if (meets(demands, inside) && meets(others, outside)) return inside;
  }
  return null;
}

/** Equal demands in the same order. */
export const sameDemands = (x: readonly Demand[], y: readonly Demand[]): boolean =>
  JSON.stringify(x) === JSON.stringify(y);

const list = (regions: readonly RegionName[]): string => regions.join(', ');
const refused = (reason: string): DemandsOfRule => ({ kind: 'refused', reason });
