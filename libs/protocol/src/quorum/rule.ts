/**
 * Quorum rules as people write them: which regions must have committed a position before it counts as `quorum`.
 *
 *   rule  = "majority" | "all" | "home" | "any" N "of" "[" region { "," region } "]" | "each" "[" share { "," share } "]"
 *   share = label ":" "any" N
 *
 * `majority` and `all` speak of the regions of the shard's group; a rule counts exactly the regions it lists, the home
 * only if listed; a share counts the regions of the group that bear the label (provider, zone or jurisdiction). What a
 * rule demands of a shard, and whether that can be met, says `demandsOf`.
 */
import { isRegionName, type RegionName } from '../identity/identity.js';

export type Rule =
  | { readonly kind: 'majority' }
  | { readonly kind: 'all' }
  | { readonly kind: 'home' }
  | { readonly kind: 'any'; readonly count: number; readonly of: readonly RegionName[] }
  | { readonly kind: 'each'; readonly shares: readonly Share[] };

export interface Share {
  readonly label: string;
  readonly count: number;
}

export type ParsedRule =
  | { readonly kind: 'rule'; readonly rule: Rule }
  /** `at`: index of the first character that does not fit. */
  | { readonly kind: 'refused'; readonly at: number; readonly reason: string };

/** Longer texts are no rules. */
export const RULE_CHARACTERS_MAX = 1_024;

const LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const A_RULE_IS =
  'a rule is "majority", "all", "home", "any N of [region, ...]" or "each [label: any N, ...]"';

export function parseRule(text: string): ParsedRule {
  const trimmed = text.trim();
  const start = text.length - text.trimStart().length;
  if (text.length > RULE_CHARACTERS_MAX)
    return refused(RULE_CHARACTERS_MAX, `a rule has at most ${RULE_CHARACTERS_MAX} characters`);
  if (trimmed === 'majority' || trimmed === 'all' || trimmed === 'home')
    return { kind: 'rule', rule: { kind: trimmed } };
  const head = /^(?:any\s+([0-9]+)\s+of|each)\s*\[/.exec(trimmed);
  if (head === null) return refused(start, A_RULE_IS);
  if (!trimmed.endsWith(']')) return refused(start + trimmed.length, '"]" is missing');
  const items = itemsOf(trimmed.slice(head[0].length, -1), start + head[0].length);
  return head[1] === undefined
    ? parseShares(items)
    : parseRegions(items, head[1], start + head[0].indexOf(head[1]));
}

interface Item {
  readonly text: string;
  readonly at: number;
}

function itemsOf(list: string, from: number): readonly Item[] {
  let at = from;
  return list.split(',').map((part) => {
    const item = { text: part.trim(), at: at + (part.length - part.trimStart().length) };
    at += part.length + 1;
    return item;
  });
}

function parseRegions(items: readonly Item[], countText: string, countAt: number): ParsedRule {
  const of: RegionName[] = [];
  for (const { at, text: name } of items) {
    if (!isRegionName(name)) return refused(at, `"${name}" is not a region's name`);
    if (of.includes(name)) return refused(at, `"${name}" is listed twice`);
    of.push(name);
  }
  const count = Number(countText);
  return count < 1 || count > of.length
    ? refused(countAt, `N must lie between 1 and ${of.length}, the regions listed`)
    : { kind: 'rule', rule: { kind: 'any', count, of } };
}

function parseShares(items: readonly Item[]): ParsedRule {
  const shares: Share[] = [];
  for (const { at, text } of items) {
    const colon = text.indexOf(':');
    const label = (colon < 0 ? text : text.slice(0, colon)).trim();
    if (!LABEL.test(label)) return refused(at, `"${label}" is not a label`);
    if (shares.some((share) => share.label === label)) return refused(at, `"${label}" is listed twice`);
    const count = /^\s*any\s+([1-9][0-9]{0,2})$/.exec(text.slice(colon + 1))?.[1];
    if (colon < 0 || count === undefined)
      return refused(at + label.length, `after "${label}" stands ": any N", N from 1 on`);
    shares.push({ label, count: Number(count) });
  }
  return { kind: 'rule', rule: { kind: 'each', shares } };
}

const refused = (at: number, reason: string): ParsedRule => ({ kind: 'refused', at, reason });
