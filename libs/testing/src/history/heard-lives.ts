/**
 * Whether the regions that a stage speaks of counted: at some moment the gateway that told it must have known of all of them, by what it
 * had heard, that their present stores had committed so far; or another one, whose word it read when it started. A store that went back votes for nothing until it is verified,
 * and what it told in a former life does not count once a later one has been heard of (I12).
 *
 * The lines of the ledger are kept here once more, because the protocol's ledger is judged.
 */
import { generationOf, type StoreIncarnation } from '@lockstep/protocol';
import type { FindingList } from './finding.js';
import type { RunHistory } from './operations.js';
import type { RefoldedLog } from './refold.js';
import type { MembersOf } from './stage-truth.js';

/** For so long faults may keep a gateway that has started from reading what others wrote down. */
const READ_NS_MAX = 10_000 * 1e6;

/** A watermark as it reached somebody who counts. */
export interface HeardWatermark {
  readonly t: number;
  /** Where it was heard: `eu/gateway`, and the how-manieth life of a process that is. */
  readonly place: string;
  readonly life: number;
  readonly region: string;
  readonly shard: string;
  readonly storeIncarnation: StoreIncarnation;
  readonly sequence: bigint;
  readonly isWithheld: boolean;
}

/** Which regions held a position, as a gateway said when it was asked, between two moments. */
export interface ToldHolders {
  readonly askedAt: number;
  readonly t: number;
  readonly place: string;
  readonly shard: string;
  readonly sequence: bigint;
  readonly regions: readonly string[];
}

interface Question {
  readonly op: number;
  readonly shard: string;
  readonly sequence: bigint;
  readonly regions: readonly string[];
  readonly stage: string;
  readonly t: number;
  /** The gateway that was asked, and those of the shard's homes, one of which may have answered for it. */
  readonly places: readonly string[];
  /** When another one knew it first. */
  elsewhereAt: number | null;
}

type Lines = Map<string, HeardWatermark>;

export function judgeLives(
  history: RunHistory,
  heard: readonly HeardWatermark[],
  log: RefoldedLog,
  members: MembersOf,
  found: FindingList,
): void {
  const doubtful = doubtfulStores(heard);
  if (doubtful.size === 0) return;
  const open = new Map<string, Set<Question>>();
  for (const question of questionsOf(history, log, members)) {
    if (!question.regions.some((region) => doubtful.has(`${region} ${question.shard}`))) continue;
    const questions = open.get(question.shard);
    if (questions === undefined) open.set(question.shard, new Set([question]));
    else questions.add(question);
  }
  const ledgers = new Map<string, Lines>();
  const starts = new Map<number, Pick<HeardWatermark, 'place' | 't'>>();
  for (const told of heard) {
    const { life, place, region, shard, t } = told;
    if (!starts.has(life)) starts.set(life, { place, t });
    const questions = open.get(shard);
    if (questions === undefined) continue;
    const name = `${life} ${shard}`;
    const lines: Lines = ledgers.get(name) ?? new Map();
    ledgers.set(name, lines);
    if (isFormer(told, lines.get(region))) continue;
    lines.set(region, told);
    for (const question of questions) {
      if (question.t < t || !isFounded(question, lines)) continue;
      if (question.places.includes(place)) questions.delete(question);
      else question.elsewhereAt ??= t;
    }
  }
  for (const question of [...open.values()].flatMap((questions) => [...questions])) {
    const { elsewhereAt, op, places, regions, sequence, shard, stage, t } = question;
    const isRead = [...starts.values()].some(
      (start) =>
        places.includes(start.place) &&
        elsewhereAt !== null &&
        start.t + READ_NS_MAX > elsewhereAt &&
        start.t <= t,
    );
    const detail = `${stage} with ${regions.join(', ')}`;
    if (!isRead)
      found.add('former-life-counted', { operations: [op], shard, sequence: Number(sequence), detail });
  }
}

/** A holder is one by what its gateway knows when it is asked, whatever it knew before. */
export function judgeHolders(
  told: readonly ToldHolders[],
  heard: readonly HeardWatermark[],
  found: FindingList,
): void {
  const doubtful = doubtfulStores(heard);
  const asked = told.flatMap(({ regions, ...one }) =>
    regions.filter((region) => doubtful.has(`${region} ${one.shard}`)).map((region) => ({ ...one, region })),
  );
  if (asked.length === 0) return;
  /** By gateway, region and shard, and then by its lives: what it knew, from when on. */
  const known = new Map<string, Map<number, HeardWatermark[]>>();
  for (const each of heard) {
    if (!doubtful.has(`${each.region} ${each.shard}`)) continue;
    const name = `${each.place} ${each.region} ${each.shard}`;
    const lives = known.get(name) ?? new Map<number, HeardWatermark[]>();
    known.set(name, lives);
    const steps = lives.get(each.life) ?? [];
    lives.set(each.life, steps);
    if (!isFormer(each, steps.at(-1))) steps.push(each);
  }
  for (const { askedAt, place, region, sequence, shard, t } of asked) {
    const isKnown = [...(known.get(`${place} ${region} ${shard}`)?.values() ?? [])].some((steps) =>
      steps.some(
        (step, index) =>
          step.t <= t &&
          (steps[index + 1]?.t ?? Infinity) >= askedAt &&
          step.sequence >= sequence &&
          !step.isWithheld,
      ),
    );
    if (isKnown) continue;
    const detail = `${region} named by ${place} as a holder`;
    found.add('former-life-counted', { region, shard, sequence: Number(sequence), detail });
  }
}

const isFormer = (told: HeardWatermark, known: HeardWatermark | undefined): boolean =>
  known !== undefined &&
  (told.storeIncarnation === known.storeIncarnation
    ? told.sequence < known.sequence
    : generationOf(told.storeIncarnation) < generationOf(known.storeIncarnation));

const isFounded = ({ regions, sequence }: Question, lines: Lines): boolean =>
  regions.every((region) => {
    const line = lines.get(region);
    return line !== undefined && !line.isWithheld && line.sequence >= sequence;
  });

/** `region shard` of stores of which more than one life was heard, or a vote that is withheld: of all others everything counts. */
function doubtfulStores(heard: readonly HeardWatermark[]): ReadonlySet<string> {
  const first = new Map<string, StoreIncarnation>();
  const doubtful = new Set<string>();
  for (const { isWithheld, region, shard, storeIncarnation } of heard) {
    const name = `${region} ${shard}`;
    const known = first.get(name) ?? storeIncarnation;
    first.set(name, known);
    if (isWithheld || known !== storeIncarnation) doubtful.add(name);
  }
  return doubtful;
}

function questionsOf(
  { operations }: RunHistory,
  { audit }: RefoldedLog,
  members: MembersOf,
): readonly Question[] {
  const owners = audit.owners();
  return [...operations.values()].flatMap(({ end, invoke: { op, region } }) => {
    const receipt = end?.receipt;
    if (!end || receipt?.outcome !== 'accepted' || receipt.sequence === undefined) return [];
    const { shard, stages } = receipt;
    const sequence = BigInt(receipt.sequence);
    const homes = (owners.get(shard) ?? []).map(({ home }) => home);
    const places = [region, ...homes].map((each) => `${each}/gateway`);
    const told = { op, shard, sequence, t: end.t, places, elsewhereAt: null };
    const holders = stages.everywhere === undefined ? null : members(shard);
    return [
      ...(stages.quorum === undefined ? [] : [{ ...told, stage: 'quorum', regions: stages.quorum.regions }]),
      ...(holders === null ? [] : [{ ...told, stage: 'everywhere', regions: holders }]),
    ];
  });
}
