/**
 * Entries of the control log `lockstep.control` (one partition): what a coordinator may say. The value of a record is one
 * JSON object, its key the author's region, for people; no header is used. The decoder is total: an entry, or the text that
 * names the first thing that does not fit.
 *
 *   {"format":1,"author":"eu","session":"<32 hex>","number":7,"clockMs":...,"command":{"kind":"claim",...}}
 *
 * `session` is the random life of a process; `number` grows with each entry that it appends (gaps are fine). So a
 * repeated copy, and a copy that lands behind a later entry of its session, changes nothing whatever it says.
 * Commands that need authority carry the term; others carry what they expect.
 */
import { canonicalJson } from '../entry/canonical-json.js';
import { parseJson } from '../entry/json.js';
import { EVIDENCE_CHARACTERS_MAX, EVIDENCE_KINDS, OPINIONS } from '../failover/vote.js';
import {
  epoch,
  isId128,
  isRegionName,
  parseShardName,
  type RegionName,
  type ShardName,
} from '../identity/identity.js';
import { STAGE_EVENTS, OPEN_STAGES } from '../promotion/promotion-machine.js';
import { MEMBERS_MAX } from '../quorum/demand.js';
import { A_SCOPE_IS, isScope } from './scope.js';
import {
  anyObject,
  as,
  boolean,
  choice,
  integer,
  list,
  named,
  nullable,
  object,
  oneOf,
  ordinal,
  text,
  toJson,
  type Decoded,
  type Fields,
  type Shape,
  type ShapeOf,
} from './shape.js';

export const CONTROL_FORMAT = 1;
/** Longer values are malformed; a snapshot is the longest entry. */
export const CONTROL_CHARACTERS_MAX = 4 * 1024 * 1024;
export const REASON_CHARACTERS_MAX = 512;
/** Moves of one evacuation. */
export const EVACUATED_SHARDS_MAX = 512;
const INPUTS_CHARACTERS_MAX = 16_384;

export const REGION: Shape<RegionName> = named(isRegionName, "a region's name");
export const SHARD: Shape<ShardName> = named(
  (value): value is ShardName => parseShardName(value) !== null,
  'a shard such as accounts/0',
);
export const SESSION: Shape<string> = named((value): value is string => isId128(value), '32 hex digits');
export const SCOPE = named(isScope, A_SCOPE_IS);
export const EPOCH = as(ordinal, epoch);
const actor = text(256);
const reason = text(REASON_CHARACTERS_MAX);
const name = text(128);

/** Each once, in the order of priority: the first is preferred where nothing else decides. */
export const MEMBERS: Shape<readonly RegionName[]> = (value, at) => {
  const decoded = list(REGION, MEMBERS_MAX)(value, at);
  if (decoded.kind === 'refused') return decoded;
  const isSet = decoded.value.length > 0 && new Set(decoded.value).size === decoded.value.length;
  return isSet ? decoded : { kind: 'refused', reason: `${at} must name at least one region, each once` };
};

/** What validity depends on besides the log; the same for all, because it stands in the log. */
const SETTINGS_FIELDS = {
  /** How long a suspected leader has to answer, in log time. */
  graceMs: integer,
  /** How old the last heartbeat must be before a suspected leader can be followed, in log time. */
  leaseMs: integer,
  /** A candidate may lag at most this much when a move is decided and when it is caught up. */
  lagRecordsMax: integer,
} satisfies Fields;
export const SETTINGS = object(SETTINGS_FIELDS);
export type ControlSettings = ShapeOf<typeof SETTINGS>;
export const DEFAULT_CONTROL_SETTINGS: ControlSettings = {
  graceMs: 1_000,
  leaseMs: 5_000,
  lagRecordsMax: 10_000,
};

/** By a hand-over that loses nothing and waits for the home, or without the home. */
export const MOVE_KINDS = ['switchover', 'failover'] as const;
export type MoveKind = (typeof MOVE_KINDS)[number];

/** One shard that shall get another home. */
const MOVE_FIELDS = {
  move: choice(...MOVE_KINDS),
  shard: SHARD,
  from: REGION,
  to: REGION,
  expectedEpoch: EPOCH,
  reason,
  actor,
  /** The operator takes the loss of what the log does not hold. Never needed where the log survives. */
  acceptLoss: boolean,
} satisfies Fields;

/** What was known when it was judged (`MoveInputs` as JSON): from this alone the judgement is repeated (I15). */
const inputs: Shape<{ readonly [name: string]: unknown }> = (value, at) => {
  const decoded = anyObject(value, at);
  if (decoded.kind === 'refused' || canonicalJson(decoded.value).length <= INPUTS_CHARACTERS_MAX)
    return decoded;
  return { kind: 'refused', reason: `${at} must have at most ${INPUTS_CHARACTERS_MAX} characters` };
};

export const VOTE_FIELDS = {
  about: REGION,
  opinion: choice(...OPINIONS),
  kinds: list(choice(...EVIDENCE_KINDS), EVIDENCE_KINDS.length),
  evidence: text(EVIDENCE_CHARACTERS_MAX),
} satisfies Fields;

const EVACUATED_SHARDS = list(object({ shard: SHARD, to: REGION }), EVACUATED_SHARDS_MAX);

const COMMAND = oneOf({
  /** First entry of the log; a second one is superseded. It also begins its author's session. */
  genesis: { members: MEMBERS, settings: SETTINGS },
  /** Leader. Other members or settings; `expected` = control sequence of the entry that brought the present ones. */
  configure: { term: ordinal, expected: ordinal, members: MEMBERS, settings: SETTINGS },
  /** A process takes its region's vote from the process before it. A leader whose process is replaced has left. */
  join: { replaces: nullable(SESSION) },
  /** Leader. */
  heartbeat: { term: ordinal },
  /** `heartbeat` = control sequence of the last sign of life that the author knows. */
  suspect: { term: ordinal, heartbeat: ordinal },
  silent: { term: ordinal, heartbeat: ordinal },
  /** Leader. */
  resign: { term: ordinal },
  /** term = replaces + 1. */
  claim: { term: ordinal, replaces: ordinal },
  /** Leader. The control sequence of this entry is the decision's number. `evacuation`: of which it is a part. */
  decision: { term: ordinal, ...MOVE_FIELDS, evacuation: nullable(ordinal), inputs },
  /** Leader. Moves in their order, at most `concurrency` of them open at once. */
  evacuate: {
    term: ordinal,
    region: REGION,
    move: choice(...MOVE_KINDS),
    concurrency: integer,
    shards: EVACUATED_SHARDS,
    reason,
    actor,
  },
  /** Leader. A move that was asked for and refused: `codes` are the checks that refused it. Audit only. */
  declined: {
    term: ordinal,
    ...MOVE_FIELDS,
    evacuation: nullable(ordinal),
    inputs,
    codes: list(text(64), 32),
  },
  /** Leader of a later term: the open move is now this term's. */
  adopt: { term: ordinal, decision: ordinal },
  /** Leader. `from` = the stage that the author saw. */
  stage: {
    term: ordinal,
    decision: ordinal,
    from: choice(...OPEN_STAGES),
    event: choice(...STAGE_EVENTS),
    evidence: reason,
  },
  /** Of a move or an evacuation, by its number. */
  cancel: { decision: ordinal, reason, actor },
  /** Its control sequence is the pause's number. Holds until resumed or until log time passes `untilMs`. */
  pause: { scope: SCOPE, owner: actor, reason, untilMs: integer },
  /** A maintenance window: when log time has reached `fromMs` it becomes a pause. Its control sequence is its number. */
  window: { scope: SCOPE, owner: actor, reason, fromMs: integer, untilMs: integer },
  /** Leader. The window has begun: a pause of this entry's number, as if its owner said so now. */
  begin: { term: ordinal, window: ordinal },
  /** Leader. From here on no fence of a move in scope can win. */
  paused: { term: ordinal, pause: ordinal },
  /** By the number of a pause, or of a window that has not begun. */
  resume: { pause: ordinal, actor },
  /** A person agrees with something that is named; `subject` is what asks for it. */
  approval: { subject: name, reason, actor, untilMs: integer },
  /** `expected` = control sequence of the entry that set the present value, 0 when there is none. Null removes it. */
  flag: { name, value: nullable(text(256)), expected: ordinal, actor },
  /** What the author says of another region; its latest counts, for a window of log time. */
  vote: VOTE_FIELDS,
  /**
   * Leader. Every shard whose home the region is moves to where it is named, all at once. Its control sequence is the
   * decision's number.
   */
  'fail-over': { term: ordinal, region: REGION, shards: EVACUATED_SHARDS, inputs },
  /** Leader. A failover that was considered and not decided: `codes` are the checks that forbid it. */
  held: { term: ordinal, region: REGION, codes: list(text(64), 32), inputs },
  /** Something for the history that changes nothing. */
  fact: { what: name, detail: text(1_024) },
  /** Leader. The state before this entry; valid only when `at` is its sequence. */
  snapshot: { term: ordinal, at: ordinal, hash: SESSION, state: anyObject },
});
export type ControlCommand = ShapeOf<typeof COMMAND>;
export type ControlCommandOf<Kind extends ControlCommand['kind']> = Extract<ControlCommand, { kind: Kind }>;
export type MoveRequest = ShapeOf<ReturnType<typeof object<typeof MOVE_FIELDS>>>;

const ENTRY = object({
  format: integer,
  author: REGION,
  session: SESSION,
  number: ordinal,
  clockMs: integer,
  command: COMMAND,
});

export interface ControlEntry {
  readonly author: RegionName;
  readonly session: string;
  readonly number: bigint;
  /** The author's wall clock; bounds how far the broker's clock can move log time. */
  readonly clockMs: number;
  readonly command: ControlCommand;
}

/** The value of the record. */
export const controlEntryText = (entry: ControlEntry): string =>
  canonicalJson(toJson({ format: CONTROL_FORMAT, ...entry }));

/** @param valueText of the record; null when it is no text. */
export function decodeControlEntry(valueText: string | null): Decoded<ControlEntry> {
  if (valueText === null || valueText.length > CONTROL_CHARACTERS_MAX)
    return { kind: 'refused', reason: 'the value is no text, or too long' };
  const parsed = parseJson(valueText);
  if (parsed.kind === 'refused') return parsed;
  const decoded = ENTRY(parsed.value, 'entry');
  if (decoded.kind === 'refused') return decoded;
  const { format, ...entry } = decoded.value;
  if (format !== CONTROL_FORMAT) return { kind: 'refused', reason: `entry.format must be ${CONTROL_FORMAT}` };
  return { kind: 'value', value: entry };
}
