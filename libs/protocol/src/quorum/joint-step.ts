/**
 * When a joint step may end: as soon as every earlier entry is known to meet the new rule alone. The rule before need not
 * be met for that: its regions may be the reason for the change.
 */
import type { ControlBody } from '../entry/body.js';
import type { RegionName } from '../identity/identity.js';
import { highestMet } from './demand.js';
import type { Tally } from './ledger.js';

/** The entry that ends the joint step; null when none is under way, or it may not end yet. */
export function endOfJointStep(
  { committed, rules }: Tally,
  region: RegionName,
): Extract<ControlBody, { kind: 'rule' }> | null {
  const present = rules.at(-1);
  if (present === undefined || present.jointly.length === 0) return null;
  const { demands, from, text, withdrawn } = present;
  if (highestMet(demands, committed) < from) return null;
  const reason = 'every earlier entry meets this rule';
  return { kind: 'rule', expected: from, rule: text, withdrawn, reason, actor: `coordinator of ${region}` };
}
