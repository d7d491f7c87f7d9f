/**
 * Quorum rules: which regions must have committed a position before it counts as `quorum`.
 *
 *   rule = "majority" | "all" | "home" | "any" N "of" "[" region { "," region } "]"
 *
 * `majority` and `all` speak of the regions of the shard's group; a rule counts exactly the regions it lists, the home
 * only if listed. Checks of satisfiability and intersection, `each`, and rule entries come with quorum management.
 */
import { isRegionName, type RegionName } from '../identity/identity.js';

export type Rule =
  | { readonly kind: 'majority' }
  | { readonly kind: 'all' }
  | { readonly kind: 'home' }
  | { readonly kind: 'any'; readonly count: number; readonly of: readonly RegionName[] };

export type ParsedRule =
  | { readonly kind: 'rule'; readonly rule: Rule }
  /** `at`: index of the first character that does not fit. */
  | { readonly kind: 'refused'; readonly at: number; readonly reason: string };

export function parseRule(text: string): ParsedRule {
  const trimmed = text.trim();
  const start = text.length - text.trimStart().length;
  if (trimmed === 'majority' || trimmed === 'all' || trimmed === 'home') {
    return { kind: 'rule', rule: { kind: trimmed } };
  }
  const head = /^any\s+([0-9]+)\s+of\s*\[/.exec(trimmed);
  if (head === null) {
    const reason = 'a rule is "majority", "all", "home" or "any N of [region, ...]"';
    return { kind: 'refused', at: start, reason };
  }
  if (!trimmed.endsWith(']'))
    return { kind: 'refused', at: start + trimmed.length, reason: '"]" is missing' };
  const of: RegionName[] = [];
  let at = start + head[0].length;
  for (const part of trimmed.slice(head[0].length, -1).split(',')) {
    const name = part.trim();
    const place = at + (part.length - part.trimStart().length);
    if (!isRegionName(name))
      return { kind: 'refused', at: place, reason: `"${name}" is not a region's name` };
    if (of.includes(name)) return { kind: 'refused', at: place, reason: `"${name}" is listed twice` };
    of.push(name);
    at += part.length + 1;
  }
  const count = Number(head[1]);
  if (count < 1 || count > of.length) {
    return {
      kind: 'refused',
      at: start + head[0].indexOf(head[1]!),
      reason: `N must lie between 1 and ${of.length}, the regions listed`,
    };
  }
  return { kind: 'rule', rule: { kind: 'any', count, of } };
}

/** The regions that the rule counts, and how many of them it needs. */
export function voters(
  rule: Rule,
  members: readonly RegionName[],
  home: RegionName | null,
): { readonly regions: readonly RegionName[]; readonly needed: number } {
  switch (rule.kind) {
    case 'majority':
      return { regions: members, needed: Math.floor(members.length / 2) + 1 };
    case 'all':
      return { regions: members, needed: members.length };
    case 'home':
      return { regions: home === null ? [] : [home], needed: 1 };
    case 'any':
      return { regions: rule.of, needed: rule.count };
  }
}
