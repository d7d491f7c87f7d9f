/**
 * What a move of a shard would cost if it were decided now, and what it did cost when it is over. Pure: from the newest
 * watermarks, the rules that judge the log, a measured speed and the moves of the past.
 *
 * Upheld here: unknown is null, never zero. A bound on loss is never too low for what the regions have told: a region that
 * is not heard may have folded, and told its callers, everything that the log holds. What was appended since the watermarks
 * were told is in no figure.
 *
 * A move takes effect only through the log that holds what the candidate lacks: whatever was acknowledged is folded before the
 * new home opens (I13), so it loses nothing. What would be lost with the log too is told beside it, by the stage that callers were promised.
 */
import type { MoveKind } from '../control/command.js';
import { integer, nullable, object, type ShapeOf } from '../control/shape.js';
import { sequence, type RegionName, type Sequence } from '../identity/identity.js';
import { reachedRanges } from '../quorum/ledger.js';
import type { RuleInForce } from '../quorum/rule-in-force.js';
import type { MoveOutcome, MoveStage } from './promotion-machine.js';
import { seenRegion, type SeenRegion, type SeenShard } from './seen-shard.js';

const count = nullable(integer);

export const PREDICTION = object({
  /** Entries that the move loses: 0 where the end of the log is known, so that the candidate folds up to it. */
  lostEntries: count,
  /** Entries that the candidate lacks, at most: lost if the log were lost with the home. By the stage that callers may have been told. */
  atRisk: object({ logged: count, accepted: count, quorum: count }),
  /** Records that the candidate folds before it can write, how fast it folded when it last had to, and so how long it takes. */
  recordsToFold: count,
  foldRecordsPerSecond: count,
  catchUpMs: count,
  /** How long nobody takes writes: as the measured moves and the catching up say, and as the worst of them does. */
  gapMs: count,
  gapMsWorst: count,
  /** Finished moves that the times were taken from. */
  measuredMoves: integer,
});
export interface Prediction extends ShapeOf<typeof PREDICTION> {}
export type AtRisk = Prediction['atRisk'];

/** A move as the control state remembers it. */
export interface PastMove {
  readonly move: MoveKind;
  readonly outcome: MoveOutcome;
  readonly passed: readonly { readonly stage: MoveStage; readonly atMs: number }[];
}

export interface Foreseen {
  readonly move: MoveKind;
  readonly to: RegionName;
  readonly seen: SeenShard;
  /** Which judge the shard's positions, as far as told; empty when nobody has told any. */
  readonly rules: readonly RuleInForce[];
  /** Of the candidate on this shard; null when it had nothing to catch up with while it was watched. */
  readonly foldRecordsPerSecond: number | null;
  /** Oldest first. */
  readonly past: readonly PastMove[];
}

/** Times are taken from so many of the latest moves. */
const MEASURED_MAX = 16;

export function predictMove(foreseen: Foreseen): Prediction {
  const { foldRecordsPerSecond, move, past, seen, to } = foreseen;
  const told = seenRegion(seen, to)?.told ?? null;
  const recordsToFold = told?.lagRecords ?? null;
  const catchUpMs = told?.halted === null ? catchUpOf(recordsToFold, foldRecordsPerSecond) : null;
  const gaps = past.flatMap((one) => gapOf(one) ?? []);
  const fenceMs = gaps.map((gap) => gap.fenceMs).slice(-MEASURED_MAX);
  const holdMs = gaps.flatMap((gap) => gap.holdMs ?? []).slice(-MEASURED_MAX);
  const measured = move === 'switchover' ? [fenceMs, holdMs] : [fenceMs];
  const isMeasured = catchUpMs !== null && measured.every(({ length }) => length > 0);
  const sum = (of: (timesMs: readonly number[]) => number): number | null =>
    isMeasured ? measured.reduce((total, timesMs) => total + of(timesMs), catchUpMs) : null;
  return {
    lostEntries: endOfLog(seen) === null ? null : 0,
    atRisk: atRiskOf(foreseen),
    recordsToFold,
    foldRecordsPerSecond: foldRecordsPerSecond === null ? null : Math.round(foldRecordsPerSecond),
    catchUpMs,
    gapMs: sum(median),
    gapMsWorst: sum((timesMs) => Math.max(...timesMs)),
    measuredMoves: Math.min(...measured.map(({ length }) => length)),
  };
}

function catchUpOf(records: number | null, perSecond: number | null): number | null {
  if (records === 0) return 0;
  return records === null || perSecond === null || perSecond <= 0
    ? null
    : Math.ceil((records / perSecond) * 1_000);
}

/** What it has told is what it holds now, up to the delay of its stream. */
const isHeard = ({ isConnected, told }: SeenRegion): boolean => isConnected && told !== null;

/** The last position of the log, as told by whoever is heard and reads it; null when nobody is and does. */
function endOfLog({ regions }: SeenShard): bigint | null {
  const ends = regions.flatMap((region) => {
    const { told } = region;
    const reads = isHeard(region) && told!.halted === null && told!.lagRecords !== null;
    return reads ? [told!.sequence + BigInt(told!.lagRecords!)] : [];
  });
  const folded = regions.flatMap(({ told }) => told?.sequence ?? []);
  return ends.length === 0 ? null : latest([...ends, ...folded]);
}

const UNKNOWN_RISK: AtRisk = { logged: null, accepted: null, quorum: null };

/** Entries of the log that the candidate lacks, at most; null where nobody knows. */
export const entriesAtRisk = (seen: SeenShard, to: RegionName): number | null =>
  atRiskOf({ rules: [], seen, to }).logged;

function atRiskOf({ rules, seen, to }: Pick<Foreseen, 'rules' | 'seen' | 'to'>): AtRisk {
  const candidate = seenRegion(seen, to);
  // What a store that is not verified holds is not known to be what the log says.
  if (candidate === null || candidate.told === null || candidate.differs || candidate.told.withheld !== null)
    return UNKNOWN_RISK;
  const from = candidate.told.sequence;
  const beyond = (end: bigint | null): number | null =>
    end === null ? null : end > from ? Number(end - from) : 0;
  const end = endOfLog(seen);
  const heard = seen.regions.filter(isHeard);
  const isUnheard = (region: RegionName): boolean => !heard.some((one) => one.region === region);
  const unheard = seen.legal.filter(isUnheard);
  const told = latest(heard.map((region) => region.told!.sequence));
  const accepted = unheard.length === 0 ? told : end;
  if (accepted === null) return { ...UNKNOWN_RISK, logged: beyond(end) };
  // Under a rule that only an unheard region has folded, it may have told of any position that no other has.
  const committed = new Map<RegionName, Sequence>([
    ...heard.map((region) => [region.region, region.told!.sequence] as const),
    ...unheard.map((region) => [region, sequence(accepted)] as const),
  ]);
  const quorum =
    unheard.length > 0 && accepted > told ? accepted : highestReached(rules, committed, accepted);
  return { logged: beyond(end), accepted: beyond(accepted), quorum: beyond(quorum) };
}

/** The last position that any rule in its range can call reached; every position before the first rule known can be. */
function highestReached(
  rules: readonly RuleInForce[],
  committed: ReadonlyMap<RegionName, Sequence>,
  accepted: bigint,
): bigint {
  const [first] = rules;
  if (first === undefined) return accepted;
  const ranges = reachedRanges({ committed, rules }).filter(({ from, reached }) => reached >= from);
  const most = latest([...ranges.map(({ reached }) => reached), first.from - 1n]);
  return most < accepted ? most : accepted;
}

/** From when nobody takes writes until the new home does; null when that did not come to pass, or is not remembered. */
export interface Gap {
  /** Gateways held writes before there was a fence; null of a failover, which holds none. */
  readonly holdMs: number | null;
  /** From when the fence could stand in the log until the new home was open. */
  readonly fenceMs: number;
}

export function gapOf({ move, passed }: Pick<PastMove, 'move' | 'passed'>): Gap | null {
  const fencing = passed.findLast(({ stage }) => stage === 'fencing');
  const open = passed.findLast(({ stage }) => stage === 'open');
  const parked = passed.findLast(({ stage }) => stage === 'parked');
  if (fencing === undefined || open === undefined) return null;
  const isHeld = move === 'switchover';
  if (isHeld && parked === undefined) return null;
  return { holdMs: isHeld ? fencing.atMs - parked!.atMs : null, fenceMs: open.atMs - fencing.atMs };
}

/** What a move that is over did cost, and how far its prediction was off. */
export interface Score {
  readonly gapMs: number | null;
  /** Real minus predicted: above zero, it took longer than was said. */
  readonly gapErrorMs: number | null;
  /** 0 where the new home folded its fence, and with it all that stands before it, or where nothing moved. */
  readonly lostEntries: number | null;
  /** Not more was lost than was said; null where one of the two is not known. */
  readonly isLossCovered: boolean | null;
}

export function scoreMove(move: PastMove, predicted: Prediction | null): Score {
  const gap = gapOf(move);
  const gapMs = gap === null ? null : (gap.holdMs ?? 0) + gap.fenceMs;
  const predictedMs = predicted?.gapMs ?? null;
  const predictedLoss = predicted?.lostEntries ?? null;
  const hasFolded = move.passed.some(({ stage }) => stage === 'folded');
  const lostEntries = hasFolded || move.outcome === 'cancelled' ? 0 : null;
  return {
    gapMs,
    gapErrorMs: gapMs === null || predictedMs === null ? null : gapMs - predictedMs,
    lostEntries,
    isLossCovered: lostEntries === null || predictedLoss === null ? null : lostEntries <= predictedLoss,
  };
}

/** Why the expected gap is not known; null when it is. */
export function whyNoGap({ catchUpMs, gapMs, recordsToFold }: Prediction): string | null {
  if (gapMs !== null) return null;
  if (recordsToFold === null) return 'how far the candidate is behind is not known';
  if (catchUpMs === null) return 'how fast the candidate folds is not known';
  return 'no finished move tells how long one takes';
}

/** Why nothing is lost, or why nobody knows. */
export const lossOf = ({ lostEntries }: Prediction, acceptLoss: boolean): string =>
  lostEntries === null
    ? 'Nobody who is heard knows where the log ends. A move takes effect only through the log and waits for it; if the log is lost for good, what is at risk is lost.'
    : 'Nothing is lost while the log survives: the next home folds every acknowledged write before it opens' +
      (acceptLoss
        ? '; acceptLoss is not needed, and asks for a second person where something is at risk.'
        : '.');

const latest = (positions: readonly bigint[]): bigint =>
  positions.reduce((most, one) => (one > most ? one : most), 0n);

function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  return sorted[sorted.length >> 1]!;
}
