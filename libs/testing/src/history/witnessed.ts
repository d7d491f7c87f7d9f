/**
 * What was seen inside of a cluster while it ran: commits of its stores, and what its regions told each other. A simulated
 * cluster gives all of it, with times; of a real one the copies on `lockstep.watermarks` are left. Times are those of the
 * history.
 *
 * Judged here: hashes at every sequence that was ever told and not only at the end (I11), places with one content (I2),
 * verdicts and owners as the log has them (I3, I7), and that nothing is told before it is committed (I7).
 */
import type { Verdict } from '@lockstep/protocol';
import { Commits, type Commit } from './commits.js';
import type { ControlHistory } from './control-audit.js';
import type { Evidence, FindingList } from './finding.js';
import type { HeardWatermark, ToldHolders } from './heard-lives.js';
import { ownerAt } from './log-audit.js';
import type { RefoldedLog } from './refold.js';
import { placeOf } from './standing.js';

export interface Witnessed {
  /** In the order of time; null where nobody saw them. */
  readonly commits: readonly Commit[] | null;
  readonly watermarks: readonly WitnessedWatermark[];
  readonly verdicts: readonly WitnessedVerdict[];
  /** In the order of time. */
  readonly heard: readonly HeardWatermark[];
  readonly toldHolders: readonly ToldHolders[];
  /** Null where nobody has all of it. */
  readonly control: ControlHistory | null;
}

/** Nobody looked. */
export const NOT_WITNESSED: Witnessed = {
  commits: null,
  watermarks: [],
  verdicts: [],
  heard: [],
  toldHolders: [],
  control: null,
};

/** A watermark, or one of its marks. What the witness did not see is null. */
export interface WitnessedWatermark {
  readonly t: number | null;
  readonly region: string;
  readonly shard: string;
  readonly logIncarnation: string;
  readonly sequence: bigint;
  readonly inputHash: string;
  readonly effectsHash: string;
  readonly offset: bigint | null;
  readonly owner: { readonly epoch: bigint; readonly home: string } | null;
}

/** The verdict of one entry, as a region told it to gateways. */
export interface WitnessedVerdict {
  readonly t: number;
  readonly region: string;
  readonly shard: string;
  readonly sequence: bigint;
  readonly epoch: bigint;
  /** `publisher:number`. */
  readonly id: string;
  readonly verdict: Verdict;
}

export function judgeWitnessed(witnessed: Witnessed, log: RefoldedLog, found: FindingList): void {
  judgeHashes(witnessed.watermarks, log, found);
  judgeOwners(witnessed, log, found);
  judgeVerdicts(witnessed.verdicts, log, found);
  if (witnessed.commits === null) return;
  const commits = new Commits(witnessed.commits);
  for (const told of [...witnessed.watermarks, ...witnessed.verdicts]) {
    if (told.t === null || commits.hasCommitted(told, told.t)) continue;
    const what = 'id' in told ? `the verdict of ${told.id}` : 'a watermark';
    found.add('told-before-commit', { ...at(told), detail: `${what}, told at ${told.t} ns` });
  }
}

const at = (told: WitnessedWatermark | WitnessedVerdict): Evidence => ({
  region: told.region,
  shard: told.shard,
  sequence: Number(told.sequence),
});

function judgeHashes(
  watermarks: readonly WitnessedWatermark[],
  { shards }: RefoldedLog,
  found: FindingList,
): void {
  const hashes = new Map<string, { readonly by: string; readonly pair: string }>();
  const offsets = new Map<string, WitnessedWatermark>();
  for (const told of watermarks) {
    const place = `${told.logIncarnation} ${placeOf(told.shard, told.sequence)}`;
    const pair = `${told.inputHash} ${told.effectsHash}`;
    const refolded = shards.get(told.shard as never);
    const kept =
      refolded?.logIncarnation === told.logIncarnation ? refolded.hashes.get(told.sequence) : undefined;
    const known =
      kept === undefined
        ? hashes.get(place)
        : { by: 'the log', pair: `${kept.inputHash} ${kept.effectsHash}` };
    if (known === undefined) hashes.set(place, { by: told.region, pair });
    else if (known.pair !== pair)
      found.add('told-hashes-differ', { ...at(told), detail: `compared with ${known.by}` });
    if (told.offset === null) continue;
    const other = offsets.get(place);
    if (other === undefined) offsets.set(place, told);
    else if (other.offset !== told.offset) {
      const detail = `offset ${told.offset}; ${other.offset} in ${other.region}`;
      found.add('position-inconsistent', { ...at(told), detail });
    }
  }
}

function judgeOwners({ verdicts, watermarks }: Witnessed, { audit }: RefoldedLog, found: FindingList): void {
  const owners = audit.owners();
  for (const told of watermarks) {
    if (told.owner === null) continue;
    const { epoch, home } = told.owner;
    const owner = ownerAt(owners.get(told.shard), told.sequence);
    if (owner?.epoch === epoch && owner.home === home) continue;
    found.add('epoch-untrue', { ...at(told), detail: `epoch ${epoch} of ${home} in a watermark` });
  }
  for (const told of verdicts) {
    if (ownerAt(owners.get(told.shard), told.sequence)?.epoch === told.epoch) continue;
    found.add('epoch-untrue', { ...at(told), detail: `epoch ${told.epoch} with a verdict` });
  }
}

function judgeVerdicts(
  verdicts: readonly WitnessedVerdict[],
  { entries }: RefoldedLog,
  found: FindingList,
): void {
  const byPlace = new Map(entries.map((entry) => [placeOf(entry.shard, entry.sequence), entry]));
  const told = new Map<string, WitnessedVerdict>();
  for (const one of verdicts) {
    const place = placeOf(one.shard, one.sequence);
    const entry = byPlace.get(place);
    if (entry !== undefined && entry.verdict !== one.verdict) {
      found.add('verdict-told-untrue', {
        ...at(one),
        detail: `${one.verdict}, the log has ${entry.verdict}`,
      });
    }
    const other = told.get(place);
    if ((entry !== undefined && entry.id !== one.id) || (other !== undefined && other.id !== one.id)) {
      const detail = `${one.id}, and ${entry?.id ?? other?.id} in the same place`;
      found.add('position-inconsistent', { ...at(one), detail });
    }
    told.set(place, one);
  }
}
