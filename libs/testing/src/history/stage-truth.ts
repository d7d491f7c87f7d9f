/**
 * Whether a stage that was told was true: the receipt in itself, the regions that it names against the rule of its position, and, where
 * the commits were witnessed, the stores at the moment of the answer (I7).
 */
import {
  allDemands,
  decodeToken,
  groupOfPartition,
  parseShardName,
  ruleAt,
  STAGES,
  type ConfigurationContent,
  type Demand,
  type Receipt,
  type RegionName,
  type RuleInForce,
  type Sequence,
  type ShardName,
} from '@lockstep/protocol';
import { Commits, type Commit } from './commits.js';
import type { FindingList } from './finding.js';
import type { CompletionLine } from './history.js';
import { ownerAt } from './log-audit.js';
import type { Operation, RunHistory } from './operations.js';
import type { RefoldedLog } from './refold.js';
import type { Standing, StandingWrite } from './standing.js';

/** The regions that hold a shard; null where no dataset has it. */
export type MembersOf = (shard: string) => readonly RegionName[] | null;

/** The members of each shard, as a catalogue or a configuration has them. */
export function membersOf(contents: readonly ConfigurationContent[]): MembersOf {
  const byDataset = new Map(contents.map((content) => [content.dataset as string, content]));
  return (shard) => {
    const parsed = parseShardName(shard);
    const content = byDataset.get(parsed?.dataset ?? '');
    return parsed === null || content === undefined
      ? null
      : groupOfPartition(content.groups, parsed.partition).regions;
  };
}

export function judgeStages(
  history: RunHistory,
  log: RefoldedLog,
  commits: readonly Commit[] | null,
  members: MembersOf,
  found: FindingList,
): void {
  const committed = commits === null ? null : new Commits(commits);
  const owners = log.audit.owners();
  for (const operation of history.operations.values()) {
    const { end } = operation;
    const receipt = end?.receipt ?? null;
    if (end === null || receipt === null) continue;
    const at = {
      operations: [operation.invoke.op],
      shard: receipt.shard,
      ...(receipt.sequence === undefined ? {} : { sequence: receipt.sequence }),
    };
    for (const detail of contradictions(operation, end, receipt)) {
      found.add('receipt-inconsistent', { ...at, detail });
    }
    if (receipt.sequence === undefined) continue;
    const owner = ownerAt(owners.get(receipt.shard), BigInt(receipt.sequence));
    if (receipt.epoch !== undefined && owner !== null && owner.epoch !== BigInt(receipt.epoch)) {
      found.add('epoch-untrue', { ...at, detail: `epoch ${receipt.epoch} in a receipt, not ${owner.epoch}` });
    }
    const holders = members(receipt.shard);
    const rule = ruleAt(
      log.shards.get(receipt.shard as ShardName)?.rules ?? [],
      BigInt(receipt.sequence) as Sequence,
    );
    if (holders === null || rule === null || receipt.outcome !== 'accepted') continue;
    const isMet = (regions: readonly string[]): boolean => isQuorum(rule, regions);
    const named = receipt.stages.quorum?.regions;
    if (named !== undefined && !isMet(named)) {
      found.add('quorum-too-small', { ...at, detail: `${named.join(', ')} do not meet "${rule.text}"` });
    }
    if (committed === null) continue;
    const holding = committed.holders(receipt.shard, BigInt(receipt.sequence), end.t);
    for (const detail of untrueStages(receipt, holding, isMet(holding), holders)) {
      found.add('stage-untrue', { ...at, detail: `${detail}; ${holding.join(', ') || 'nobody'} had` });
    }
  }
}

/** Counted here once more, because the protocol's count is judged: a majority is more than half of what may vote. */
export function isQuorum(rule: RuleInForce, regions: readonly string[]): boolean {
  const votes = ({ domains }: Demand): number =>
    domains.filter((domain) => domain.some((region) => regions.includes(region))).length;
  const isMajority = (demand: Demand): boolean => 2 * votes(demand) > demand.domains.length;
  return (
    allDemands(rule).every((demand) => votes(demand) >= demand.needed) &&
    (rule.text !== 'majority' || rule.demands.every(isMajority))
  );
}

function untrueStages(
  { stages }: Receipt,
  holding: readonly string[],
  isQuorum: boolean,
  members: readonly string[],
): readonly string[] {
  const { accepted, everywhere, quorum } = stages;
  const named = [...(accepted === undefined ? [] : [accepted.region]), ...(quorum?.regions ?? [])];
  const lacking = named.filter((region) => !holding.includes(region));
  return [
    ...(lacking.length === 0 ? [] : [`${lacking.join(', ')} named, and had not committed`]),
    ...(quorum === undefined || isQuorum ? [] : ['quorum']),
    ...(everywhere === undefined || members.every((region) => holding.includes(region))
      ? []
      : ['everywhere']),
  ];
}

/** Stages that only an accepted write has. */
const EFFECTIVE = ['accepted', 'quorum', 'everywhere'] as const;

function contradictions({ invoke }: Operation, end: CompletionLine, receipt: Receipt): readonly string[] {
  const { degraded = false, outcome, sequence, shard, stage, stages, token } = receipt;
  const told = EFFECTIVE.filter((name) => stages[name] !== undefined);
  const highest = told.at(-1) ?? (stages.logged === undefined ? null : 'logged');
  const position = token === undefined ? null : decodeToken(token)?.get(shard as never);
  const wanted = STAGES.findIndex((name) => name === invoke.ack);
  return [
    ...(outcome === 'accepted' && !told.includes('accepted') ? ['accepted without its stage'] : []),
    ...(outcome === 'accepted' && sequence === undefined ? ['accepted without a sequence'] : []),
    ...(outcome !== 'accepted' && told.length > 0 ? [`${outcome} with the stage ${told.at(-1)}`] : []),
    ...(stage !== highest ? [`the stage ${stage} and not ${highest}`] : []),
    ...(token !== undefined && position?.sequence !== BigInt(sequence ?? 0)
      ? ['a token of another position']
      : []),
    ...(end.status === 200 &&
    outcome === 'accepted' &&
    !(degraded && invoke.ack === 'quorum') &&
    STAGES.findIndex((name) => name === stage) < wanted
      ? [`200 for ${invoke.ack} at ${stage}`]
      : []),
  ];
}

/**
 * How often an answer told a lower stage than the same write had been told before it was asked. A stage that is not known
 * is left out of a receipt, and another gateway may not know it, so this is counted and not found.
 */
export function stagesToldLower({ lines }: RunHistory, { byOperation }: Standing): number {
  const highest = new Map<StandingWrite, number>();
  const floors = new Map<number, number>();
  let lower = 0;
  for (const line of lines) {
    if (line.type === 'run' || line.type === 'fault' || line.f === 'read') continue;
    const write = byOperation.get(line.op);
    if (write === undefined) continue;
    if (line.type === 'invoke') {
      const floor = highest.get(write);
      if (floor !== undefined) floors.set(line.op, floor);
    } else if (line.receipt?.outcome === 'accepted') {
      const stage = STAGES.findIndex((name) => name === line.receipt?.stage);
      if (stage < (floors.get(line.op) ?? -1)) lower += 1;
      highest.set(write, Math.max(highest.get(write) ?? -1, stage));
    }
  }
  return lower;
}
