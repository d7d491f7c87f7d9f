/**
 * Replays decisions: folds a control log again and judges every recorded decision once more (I15). Equal, or a difference
 * by name: other rules in this version, inputs that do not say what the log said, or a coordinator that decided against
 * its own rules.
 *
 * A log whose beginning retention has removed is replayed from its first snapshot on: that one is believed, as a coordinator
 * that starts would believe it; all later ones are compared.
 */
import { unmetCodes } from './check.js';
import { canonicalJson } from '../entry/canonical-json.js';
import {
  failoverInputs,
  failoverInputsJson,
  failoverTimes,
  judgeFailover,
  readFailoverInputs,
  type FailoverInputs,
} from '../failover/govern.js';
import type { Offset } from '../identity/identity.js';
import { judgeMove, moveInputs, moveInputsJson, readMoveInputs } from '../promotion/preflight.js';
import type { ControlCommand, ControlCommandOf } from './command.js';
import { foldControl, type ControlRecord } from './fold-control.js';
import { stateOfSnapshot } from './snapshot.js';
import { EMPTY_CONTROL_STATE, type ControlState } from './state.js';

interface Json {
  readonly [name: string]: unknown;
}

/** From what it was judged, and the checks that refused it; none when it was decided. */
export interface Judgement {
  readonly inputs: Json;
  readonly refusedBy: readonly string[];
}

export interface DecisionDifference {
  /** Control sequence of the entry. */
  readonly at: bigint;
  readonly offset: Offset;
  readonly code:
    'inputs-unreadable' | 'inputs-of-another-move' | 'inputs-differ' | 'judged-differently' | 'state-differs';
  readonly detail: string;
  /** Null for an entry that is no decision. */
  readonly recorded: Judgement | null;
  /** Null where nothing can be judged. */
  readonly recomputed: Judgement | null;
}

export interface Replay {
  /** Records that were folded. */
  readonly entries: number;
  /** Records that were not: before the first snapshot of a log whose beginning is gone, or behind a state that differs. */
  readonly unfolded: number;
  /** Terms that began. */
  readonly terms: number;
  /** Entries that were judged again. */
  readonly decisions: number;
  /** Those of them whose inputs were compared with the log too; the states that others rest on are not known any more. */
  readonly compared: number;
  readonly differences: readonly DecisionDifference[];
  /** The latest states in their order; empty until there is one to fold from. */
  readonly states: readonly ControlState[];
  /** The record before the next one. */
  readonly before: ControlRecord | null;
}

export const NOTHING_REPLAYED: Replay = {
  entries: 0,
  unfolded: 0,
  terms: 0,
  decisions: 0,
  compared: 0,
  differences: [],
  states: [],
  before: null,
};

/** A decision lands within seconds of the state that it was judged by, or never; a heartbeat stands in each quarter of one. */
const STATES_KEPT = 256;

type Judged = ControlCommandOf<'decision' | 'declined' | 'fail-over' | 'held'>;

const isJudged = (command: ControlCommand): command is Judged =>
  ['decision', 'declined', 'fail-over', 'held'].includes(command.kind);

/**
 * @param records in log order, the first of them the first that the log still holds.
 * @param replayed what came of the records before them, when they are read piece by piece.
 */
export const replayDecisions = (records: readonly ControlRecord[], replayed = NOTHING_REPLAYED): Replay =>
  records.reduce(replayRecord, replayed);

function replayRecord(replayed: Replay, record: ControlRecord): Replay {
  const { differences, entries, states } = replayed;
  const next: Replay = { ...replayed, before: record };
  const present = states.at(-1) ?? (record.offset === 0n ? EMPTY_CONTROL_STATE : null);
  if (present === null) {
    const state = stateOfSnapshot(record, replayed.before);
    return state === null
      ? { ...next, unfolded: next.unfolded + 1 }
      : { ...next, entries: entries + 1, states: [state] };
  }
  if (differences.at(-1)?.code === 'state-differs') return { ...next, unfolded: next.unfolded + 1 };
  const step = foldControl(present, record);
  const place = { at: present.sequence + 1n, offset: record.offset };
  if (step.kind === 'halted') {
    const { detail } = step;
    const difference = { ...place, code: 'state-differs', detail, recorded: null, recomputed: null } as const;
    return { ...next, entries: entries + 1, differences: [...differences, difference] };
  }
  const folded: Replay = {
    ...next,
    entries: entries + 1,
    states: [...states.slice(1 - STATES_KEPT), step.state],
  };
  const command = step.entry?.command;
  if (command?.kind === 'claim' && step.verdict === 'accepted') return { ...folded, terms: folded.terms + 1 };
  // What had no authority was never a decision.
  const hadAuthority = step.verdict === 'accepted' || step.verdict === 'refused';
  if (!hadAuthority || command === undefined || !isJudged(command)) return folded;
  const { difference, isCompared } = judgeAgain(states, command);
  return {
    ...folded,
    decisions: folded.decisions + 1,
    compared: folded.compared + (isCompared ? 1 : 0),
    differences: difference === null ? differences : [...differences, { ...place, ...difference }],
  };
}

interface JudgedAgain {
  readonly isCompared: boolean;
  readonly difference: Omit<DecisionDifference, 'at' | 'offset'> | null;
}

/** @param states up to the one before the entry. */
function judgeAgain(states: readonly ControlState[], command: Judged): JudgedAgain {
  const recorded: Judgement = {
    inputs: command.inputs,
    refusedBy: 'codes' in command ? command.codes : [],
  };
  const again =
    command.kind === 'decision' || command.kind === 'declined'
      ? moveAgain(states, command)
      : failoverAgain(states, command);
  if (again.kind === 'refused') {
    const difference = {
      code: 'inputs-unreadable',
      detail: again.reason,
      recorded,
      recomputed: null,
    } as const;
    return { isCompared: false, difference };
  }
  const { isCompared, of, own, recomputed } = again;
  const differs = (code: DecisionDifference['code'], detail: string): JudgedAgain => ({
    isCompared,
    difference: { code, detail, recorded, recomputed },
  });
  if (differing(recorded.inputs, own).length > 0)
    return differs('inputs-of-another-move', `not those of ${of}`);
  const contradicted = differing(recorded.inputs, recomputed.inputs);
  if (contradicted.length > 0)
    return differs('inputs-differ', `the log says otherwise of ${contradicted.join(', ')}`);
  if (recomputed.refusedBy.join() === recorded.refusedBy.join()) return { isCompared, difference: null };
  return differs(
    'judged-differently',
    `refused by: recorded ${list(recorded.refusedBy)}, judged again ${list(recomputed.refusedBy)}`,
  );
}

type Again =
  | { readonly kind: 'refused'; readonly reason: string }
  | {
      readonly kind: 'judged';
      /** What the entry is about. */
      readonly of: string;
      readonly isCompared: boolean;
      /** The recorded inputs, about that. */
      readonly own: Json;
      readonly recomputed: Judgement;
    };

function moveAgain(
  states: readonly ControlState[],
  command: ControlCommandOf<'decision' | 'declined'>,
): Again {
  const decoded = readMoveInputs(command.inputs);
  if (decoded.kind === 'refused') return decoded;
  const inputs = decoded.value;
  const { acceptLoss, actor, expectedEpoch, from, move, shard, to } = command;
  const asked = { acceptLoss, actor, expectedEpoch, from, move, shard, to };
  const own = { ...inputs, acceptLoss, expectedEpoch, from, move, to, seen: { ...inputs.seen, shard } };
  const base = stateAt(states, inputs.at);
  // A prediction is no judgement: what came of the move scores it.
  const { predicted } = inputs;
  const known = base === null ? own : { ...moveInputs(base, asked, own.seen), predicted };
  return {
    kind: 'judged',
    of: `${shard} to ${to}`,
    isCompared: base !== null,
    own: moveInputsJson(own),
    recomputed: { inputs: moveInputsJson(known), refusedBy: unmetCodes(judgeMove(known)) },
  };
}

function failoverAgain(
  states: readonly ControlState[],
  command: ControlCommandOf<'fail-over' | 'held'>,
): Again {
  const decoded = readFailoverInputs(command.inputs);
  if (decoded.kind === 'refused') return decoded;
  const { region } = command;
  const own = { ...decoded.value, region };
  const base = stateAt(states, own.at);
  const told = base === null ? own : failoverInputsOf(base, command, own);
  const known = own.votes === null ? { ...told, votes: null } : told;
  return {
    kind: 'judged',
    of: region,
    isCompared: base !== null,
    own: failoverInputsJson(own),
    recomputed: { inputs: failoverInputsJson(known), refusedBy: unmetCodes(judgeFailover(known)) },
  };
}

/**
 * A `held` does not say what would have been moved, so that any failover of the region may have been the last of that, or none; and
 * an entry from before that mattered counts a later one than it must.
 */
function failoverInputsOf(
  base: ControlState,
  command: ControlCommandOf<'fail-over' | 'held'>,
  own: FailoverInputs,
): FailoverInputs {
  const { region } = command;
  const shards = command.kind === 'fail-over' ? command.shards.map(({ shard }) => shard) : [];
  const told = failoverInputs(base, region, { ...own, shards }, own);
  const { lastAtMs } = own;
  const isKnown = lastAtMs === null || failoverTimes(base, region).includes(lastAtMs);
  const isLate = command.kind === 'held' ? own.movable > 0 : (lastAtMs ?? 0) >= (told.lastAtMs ?? 0);
  return isKnown && isLate ? { ...told, lastAtMs } : told;
}

/** The state that a coordinator had folded so far; the present one where it claims a later one. Null when it is not known any more. */
function stateAt(states: readonly ControlState[], at: bigint): ControlState | null {
  const present = states.at(-1)!;
  return at >= present.sequence ? present : (states[Number(at - states[0]!.sequence)] ?? null);
}

/** What the two do not say alike. */
const differing = (one: Json, other: Json): readonly string[] =>
  Object.keys(other).filter(
    (name) => !Object.hasOwn(one, name) || canonicalJson(one[name]) !== canonicalJson(other[name]),
  );
const list = (codes: readonly string[]): string => (codes.length === 0 ? 'none' : codes.join(', '));
