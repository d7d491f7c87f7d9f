/**
 * The ledger: which regions have committed a shard's log how far, counted as a set of regions, never as a counter
 * (B41). Rebuilt from watermarks by whoever waits; holds nothing that must survive.
 *
 * A region does not count while its hashes differ from those of a strict majority at the same mark, and nobody counts
 * where no strict majority agrees (I11). A watermark of another log incarnation, of a former life of the region's store,
 * or whose region withholds its vote, does not count (I12), nor that of a region that an operator has withdrawn.
 */
import {
  generationOf,
  sequence,
  type LogIncarnation,
  type RegionName,
  type Sequence,
} from '../identity/identity.js';
import { sameHash } from '../entry/digest.js';
import type { Mark } from '../fold/state.js';
import type { Watermark } from '../position/watermark.js';
import { highestMet } from './demand.js';
import { allDemands, type RuleInForce } from './rule-in-force.js';

export interface ShardLedger {
  readonly regions: ReadonlyMap<RegionName, RegionLine>;
}

interface RegionLine {
  readonly watermark: Watermark;
  /** Newest last, bounded, so that a region that runs ahead can still be compared. */
  readonly marks: readonly Mark[];
}

const MARKS_KEPT = 16;

export const EMPTY_LEDGER: ShardLedger = { regions: new Map() };

/** The ledger after one more watermark; the same object when it brings nothing new. */
export function recordWatermark(ledger: ShardLedger, watermark: Watermark): ShardLedger {
  const line = ledger.regions.get(watermark.region);
  const next = line === undefined ? newLine(watermark) : nextLine(line, watermark);
  if (next === line) return ledger;
  return { regions: new Map(ledger.regions).set(watermark.region, next) };
}

function nextLine(line: RegionLine, watermark: Watermark): RegionLine {
  const known = line.watermark;
  if (watermark.storeIncarnation !== known.storeIncarnation) {
    // A region tells by several streams, and what a former life told may be heard after the present one.
    const isFormer = generationOf(watermark.storeIncarnation) < generationOf(known.storeIncarnation);
    return isFormer ? line : newLine(watermark);
  }
  if (watermark.logIncarnation !== known.logIncarnation && watermark.logIncarnation !== null)
    return newLine(watermark);
  if (watermark.sequence < known.sequence) return line;
  return { watermark, marks: addMarks(line.marks, watermark.marks) };
}

/** Both lists, oldest first, each mark once; the newest are kept. What was heard first of a place stays. */
export function addMarks(kept: readonly Mark[], told: readonly Mark[]): readonly Mark[] {
  const missing = told.filter((mark) => !kept.some((one) => one.sequence === mark.sequence));
  if (missing.length === 0) return kept;
  const all = [...kept, ...missing].sort((x, y) => (x.sequence < y.sequence ? -1 : 1));
  return all.slice(-MARKS_KEPT);
}

const newLine = (watermark: Watermark): RegionLine => ({
  watermark,
  marks: addMarks([], watermark.marks),
});

/**
 * True when the region's newer watermark says nothing else that `tallyOf` asks for: it tells only that the shard is
 * quiet. The rules up to a position are what the fold makes of the log, so that they are the same where it is.
 */
export function isRetold(before: ShardLedger, after: ShardLedger, region: RegionName): boolean {
  const known = before.regions.get(region);
  const line = after.regions.get(region);
  if (known === undefined || line === undefined) return known === line;
  const [was, is] = [known.watermark, line.watermark];
  return (
    known.marks === line.marks &&
    was.sequence === is.sequence &&
    was.storeIncarnation === is.storeIncarnation &&
    was.logIncarnation === is.logIncarnation &&
    was.withheld?.code === is.withheld?.code
  );
}

/** What a ledger says of one life of the shard's log. */
export interface Tally {
  /** Regions that count, and how far each has committed. */
  readonly committed: ReadonlyMap<RegionName, Sequence>;
  /** Regions whose hashes contradict those of others at a mark that both have told. */
  readonly differing: ReadonlySet<RegionName>;
  /** As the region knows them that counts and has folded furthest; empty when none counts. */
  readonly rules: readonly RuleInForce[];
}

export function tallyOf(ledger: ShardLedger, logIncarnation: LogIncarnation): Tally {
  const { differing, undecided } = compareMarks(ledger, logIncarnation);
  const counting: Watermark[] = [];
  for (const [region, { watermark }] of ledger.regions) {
    const isOfLog = watermark.logIncarnation === logIncarnation && watermark.withheld === null;
    if (isOfLog && !undecided && !differing.has(region)) counting.push(watermark);
  }
  const furthest = counting.reduce<Watermark | null>(
    (best, next) => (best !== null && best.sequence >= next.sequence ? best : next),
    null,
  );
  const rules = furthest?.rules ?? [];
  const withdrawn = rules.at(-1)?.withdrawn ?? [];
  const committed = new Map<RegionName, Sequence>();
  for (const { region, sequence: at } of counting) if (!withdrawn.includes(region)) committed.set(region, at);
  return { committed, differing, rules };
}

/**
 * Regions that have committed the position and count, by name. A gateway keeps thousands of these lists: `toSorted` makes one that
 * is as long as it must be, where `flatMap` leaves room for fourteen more.
 */
export const holders = ({ committed }: Tally, at: Sequence): readonly RegionName[] =>
  [...committed].flatMap(([region, reached]) => (reached >= at ? [region] : [])).toSorted();

/** Positions that one rule judges, and how far they are reached. */
export interface ReachedRange {
  readonly from: Sequence;
  /** The highest sequence of the range that meets the rule; below `from` when none does. */
  readonly reached: Sequence;
}

/** How far each rule's positions meet it, oldest rule first. An older rule may be met less far than a newer one. */
export function reachedRanges({
  committed,
  rules,
}: Pick<Tally, 'committed' | 'rules'>): readonly ReachedRange[] {
  return rules.map((rule, index) => {
    const met = highestMet(allDemands(rule), committed);
    const next = rules[index + 1];
    return {
      from: rule.from,
      reached: next === undefined || met < next.from ? met : sequence(next.from - 1n),
    };
  });
}

/** `undecided`: at some mark no strict majority of those that told it agrees; then not even a silent region counts. */
function compareMarks(
  ledger: ShardLedger,
  logIncarnation: LogIncarnation,
): { readonly differing: ReadonlySet<RegionName>; readonly undecided: boolean } {
  const told = new Map<bigint, { readonly region: RegionName; readonly mark: Mark }[]>();
  for (const [region, line] of ledger.regions) {
    if (line.watermark.logIncarnation !== logIncarnation) continue;
    for (const mark of line.marks) {
      const at = told.get(mark.sequence);
      if (at === undefined) told.set(mark.sequence, [{ region, mark }]);
      else at.push({ region, mark });
    }
  }
  const differing = new Set<RegionName>();
  let undecided = false;
  for (const witnesses of told.values()) {
    const agreeing = largestAgreement(witnesses.map((witness) => witness.mark));
    const majority = agreeing.length * 2 > witnesses.length;
    if (!majority) undecided = true;
    for (const { region, mark } of witnesses) {
      if (!majority || !agreeing.includes(mark)) differing.add(region);
    }
  }
  return { differing, undecided };
}

function largestAgreement(marks: readonly Mark[]): readonly Mark[] {
  let largest: readonly Mark[] = [];
  for (const mark of marks) {
    const agreeing = marks.filter(
      (other) => sameHash(other.inputHash, mark.inputHash) && sameHash(other.effectsHash, mark.effectsHash),
    );
    if (agreeing.length > largest.length) largest = agreeing;
  }
  return largest;
}
