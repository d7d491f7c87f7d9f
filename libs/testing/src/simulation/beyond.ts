/**
 * What is demanded of a run whose faults take away more than was promised (DESIGN section 3): a right answer or a named
 * halt. Loss may be told by nobody's receipt, but it must be told: each region either has what the log that is left
 * makes of it, or says by name why it has not.
 */
import { hashToHex, type ShardName } from '@lockstep/protocol';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import type { FindingCode, RefoldedLog } from '../history/index.js';
import { FAULTS, type Fault } from './fault.js';
import { shardsIn } from './judge-cluster.js';
import { violationsOf, type Violation } from './violation.js';

/** No loss explains these: what stands in a log is folded once, whole, and by its rules. */
const NEVER: ReadonlySet<string> = new Set<FindingCode>([
  'history-broken',
  'effect-twice',
  'expected-version-ignored',
  'balance-negative',
  'session-read-stale',
  'entry-torn',
  'told-before-commit',
  'number-twice',
  'epoch-jumped',
  'two-owners',
  'owner-ignored',
  'fence-unfounded',
]);

/** Nobody asks again: unknown is a right answer here. */
const NOT_ASKED = 'unknown-stays-unknown';

export const isBeyond = (faults: readonly Fault[]): boolean =>
  faults.some(({ kind }) => FAULTS[kind].is === 'beyond');

/** What is left to complain of. @param found what the judge of survivable runs found. */
export function violationsBeyond(
  cluster: SimulatedCluster,
  log: RefoldedLog,
  found: readonly Violation[],
): readonly Violation[] {
  const silent = silentlyDifferent(cluster, log);
  const isNamed = namedShards(cluster).size > 0;
  const left = found.filter(({ code }) => NEVER.has(code) || (!isNamed && code !== NOT_ASKED));
  const sentence = 'A region differs from what the log makes of it, and does not say so.';
  return [...left, ...violationsOf({ invariant: 'I11', code: 'differs-unnamed', sentence }, silent)];
}

function silentlyDifferent(cluster: SimulatedCluster, log: RefoldedLog): readonly string[] {
  return [...cluster.regions.values()].flatMap(({ database, facts, region }) => {
    const halted = new Set<ShardName>();
    for (const fact of facts) {
      if (fact.kind === 'shard-halted') halted.add(fact.shard);
      if (fact.kind === 'shard-resumed') halted.delete(fact.shard);
    }
    return shardsIn(cluster).flatMap((shard) => {
      const cursor = database.cursor(shard);
      const refolded = log.shards.get(shard);
      if (halted.has(shard)) return [];
      const isEqual =
        (cursor?.sequence ?? 0n) === (refolded?.sequence ?? 0n) &&
        (cursor === null ||
          refolded === undefined ||
          (hashToHex(cursor.inputHash) === refolded.inputHash &&
            hashToHex(cursor.effectsHash) === refolded.effectsHash));
      return isEqual ? [] : [`${region} ${shard}: ${cursor?.sequence} of ${refolded?.sequence}`];
    });
  });
}

/** Shards of which some region has told a halt or withheld its vote. */
function namedShards(cluster: SimulatedCluster): ReadonlySet<ShardName> {
  const named = new Set<ShardName>();
  for (const { facts } of cluster.regions.values()) {
    for (const fact of facts) {
      if (fact.kind === 'shard-halted') named.add(fact.shard);
      if (fact.kind === 'vote' && fact.withheld !== null) named.add(fact.shard);
      if (fact.kind === 'store-went-back') for (const shard of fact.shards) named.add(shard);
    }
  }
  return named;
}
