/**
 * What folding the control log leaves: the same in every coordinator at the same control sequence. Everything in it is
 * bounded (I17). Its text is what a snapshot carries, its hash what every coordinator compares.
 */
import { canonicalJson } from '../entry/canonical-json.js';
import { Absorber, hashToHex, ZERO_HASH } from '../entry/digest.js';
import { NO_OFFSET, offset } from '../identity/identity.js';
import { NO_ELECTION } from '../election/election.js';
import type { ElectionPhase } from '../election/election-machine.js';
import { OPEN_STAGES, OUTCOMES } from '../promotion/promotion-machine.js';
import { VOTES_MAX } from '../failover/vote.js';
import { PREDICTION } from '../promotion/prediction.js';
import {
  EPOCH,
  EVACUATED_SHARDS_MAX,
  MEMBERS,
  MOVE_KINDS,
  REASON_CHARACTERS_MAX,
  REGION,
  SCOPE,
  SESSION,
  SETTINGS,
  SHARD,
  VOTE_FIELDS,
} from './command.js';
import {
  anyObject,
  boolean,
  choice,
  integer,
  list,
  nullable,
  object,
  ordinal,
  as,
  text,
  toJson,
  type Decoded,
  type ShapeOf,
} from './shape.js';

export const OPEN_MOVES_MAX = 512;
export const FINISHED_MOVES_KEPT = 256;
export const TERMS_KEPT = 64;
export const EVACUATIONS_MAX = 8;
/** With the windows in which some will begin. */
export const PAUSES_MAX = 64;
export const APPROVALS_MAX = 256;
export const FLAGS_MAX = 256;
export const FAILOVERS_KEPT = 32;
export const HELD_KEPT = 32;
export const GOVERNED_KEPT = 32;
/** Stages of a move that are remembered, the latest. */
export const PASSED_KEPT = 32;

const PASSED = list(
  object({
    stage: choice(...OPEN_STAGES, ...OUTCOMES),
    /** Control sequence of the entry that brought it. */
    at: ordinal,
    /** Log time of that entry. */
    atMs: integer,
  }),
  PASSED_KEPT,
);

const MOVE_FIELDS = {
  /** Control sequence of its entry. */
  decision: ordinal,
  move: choice(...MOVE_KINDS),
  shard: SHARD,
  from: REGION,
  to: REGION,
  expectedEpoch: EPOCH,
  reason: text(REASON_CHARACTERS_MAX),
  actor: text(256),
  evacuation: nullable(ordinal),
  /** Oldest first; the last is the present stage. */
  passed: PASSED,
};
const OPEN_MOVE = object({
  ...MOVE_FIELDS,
  stage: choice(...OPEN_STAGES),
  /** Control sequence of the entry that brought the stage. */
  stageAt: ordinal,
  acceptLoss: boolean,
  /** The term that decided it, and the term that carries it out: they differ when it was adopted. */
  decidedTerm: ordinal,
  term: ordinal,
  /** How often it had to let held writes go before they had drained. */
  undrained: integer,
});
const FINISHED_MOVE = object({ ...MOVE_FIELDS, outcome: choice(...OUTCOMES), detail: text(512) });
const EVACUATION = object({
  decision: ordinal,
  region: REGION,
  move: choice(...MOVE_KINDS),
  concurrency: integer,
  reason: text(REASON_CHARACTERS_MAX),
  actor: text(256),
  isCancelled: boolean,
  /** `decision`: 0 until its move is decided. */
  shards: list(
    object({
      shard: SHARD,
      to: REGION,
      decision: ordinal,
      outcome: nullable(choice(...OUTCOMES, 'declined')),
    }),
    EVACUATED_SHARDS_MAX,
  ),
});
const PAUSE = object({
  /** Control sequence of its entry. */
  pause: ordinal,
  scope: SCOPE,
  owner: text(256),
  reason: text(REASON_CHARACTERS_MAX),
  untilMs: integer,
  /** Control sequence of the `paused` entry; null until then. */
  confirmedAt: nullable(ordinal),
});
/** A pause that is to come. */
const WINDOW = object({
  /** Control sequence of its entry. */
  window: ordinal,
  scope: SCOPE,
  owner: text(256),
  reason: text(REASON_CHARACTERS_MAX),
  fromMs: integer,
  untilMs: integer,
});
const VOTE = object({
  observer: REGION,
  ...VOTE_FIELDS,
  /** Control sequence and log time of its entry. */
  at: ordinal,
  atMs: integer,
});
/** A failover of a region that the leader decided by itself. */
const FAILOVER = object({ at: ordinal, atMs: integer, region: REGION });
/** One that it considered and did not decide, with the checks that forbade it. */
const HELD = object({ at: ordinal, atMs: integer, region: REGION, codes: list(text(64), 32) });
/** Either of the two as it was judged, with the inputs that are recorded with it. */
const GOVERNED = object({
  at: ordinal,
  atMs: integer,
  region: REGION,
  act: choice('fail-over', 'held'),
  inputs: anyObject,
});
const PREDICTED = object({ decision: ordinal, predicted: PREDICTION });
/** A decision that accepts loss, with the word of the second person. */
const AGREED = object({ decision: ordinal, approval: ordinal, actor: text(256) });
const PHASES = ['vacant', 'led', 'suspected', 'silenced'] as const satisfies readonly ElectionPhase[];
const LEADER = object({ region: REGION, session: SESSION });
const ELECTION = object({
  term: ordinal,
  leader: nullable(LEADER),
  phase: choice(...PHASES),
  heartbeat: ordinal,
  heartbeatAtMs: integer,
  suspectedAtMs: nullable(integer),
  silent: list(REGION, 12),
});
const STATE = object({
  /** Ordinal of the last folded record; 0 before the first. */
  sequence: ordinal,
  /** Offset of that record; -1 before the first. */
  offset: as(integer, (value) => offset(BigInt(value))),
  logTimeMs: integer,
  /** Null before genesis. `at` = control sequence of the entry that brought it. */
  configuration: nullable(object({ at: ordinal, members: MEMBERS, settings: SETTINGS })),
  /** The process that holds each member's vote, and the number of its last entry. */
  sessions: list(object({ region: REGION, session: SESSION, number: ordinal }), 12),
  election: ELECTION,
  /** By number. */
  open: list(OPEN_MOVE, OPEN_MOVES_MAX),
  /** Oldest first. */
  finished: list(FINISHED_MOVE, FINISHED_MOVES_KEPT),
  evacuations: list(EVACUATION, EVACUATIONS_MAX),
  pauses: list(PAUSE, PAUSES_MAX),
  /** That have not begun. */
  windows: list(WINDOW, PAUSES_MAX),
  approvals: list(
    object({ at: ordinal, subject: text(128), actor: text(256), untilMs: integer }),
    APPROVALS_MAX,
  ),
  /** The latest of each observer about each other region, in the order of their names. */
  votes: list(VOTE, VOTES_MAX),
  /** Oldest first. */
  failovers: list(FAILOVER, FAILOVERS_KEPT),
  held: list(HELD, HELD_KEPT),
  governed: list(GOVERNED, GOVERNED_KEPT),
  /** Of moves that are remembered, oldest first. */
  predictions: list(PREDICTED, OPEN_MOVES_MAX + FINISHED_MOVES_KEPT),
  agreed: list(AGREED, OPEN_MOVES_MAX + FINISHED_MOVES_KEPT),
  flags: list(object({ at: ordinal, name: text(128), value: text(256), actor: text(256) }), FLAGS_MAX),
  /** Latest terms, oldest first; `because` = the phase in which the claim was valid. */
  terms: list(
    object({ term: ordinal, leader: REGION, at: ordinal, atMs: integer, because: choice(...PHASES) }),
    TERMS_KEPT,
  ),
  /** Control sequence of the last valid snapshot entry; 0 before the first. */
  snapshotAt: ordinal,
});

export interface ControlState extends ShapeOf<typeof STATE> {}
export interface OpenMove extends ShapeOf<typeof OPEN_MOVE> {}
export interface FinishedMove extends ShapeOf<typeof FINISHED_MOVE> {}
export interface Evacuation extends ShapeOf<typeof EVACUATION> {}
export interface Vote extends ShapeOf<typeof VOTE> {}
export interface Governed extends ShapeOf<typeof GOVERNED> {}
export interface Pause extends ShapeOf<typeof PAUSE> {}
export interface MaintenanceWindow extends ShapeOf<typeof WINDOW> {}

export const EMPTY_CONTROL_STATE: ControlState = {
  sequence: 0n,
  offset: NO_OFFSET,
  logTimeMs: 0,
  configuration: null,
  sessions: [],
  election: NO_ELECTION,
  open: [],
  finished: [],
  evacuations: [],
  pauses: [],
  windows: [],
  approvals: [],
  votes: [],
  failovers: [],
  held: [],
  governed: [],
  predictions: [],
  agreed: [],
  flags: [],
  terms: [],
  snapshotAt: 0n,
};

/** Names that came later are absent while they are empty: states from before them keep their hashes. */
const CAME_LATER = ['windows', 'votes', 'failovers', 'held', 'governed', 'predictions', 'agreed'] as const;

export function controlStateJson(state: ControlState): { readonly [name: string]: unknown } {
  const json = toJson(state) as { readonly [name: string]: unknown };
  const empty = new Set<string>(CAME_LATER.filter((name) => state[name].length === 0));
  return Object.fromEntries(Object.entries(json).filter(([name]) => !empty.has(name)));
}

export const readControlState = (value: unknown): Decoded<ControlState> =>
  STATE(
    typeof value === 'object' && value !== null
      ? { ...Object.fromEntries(CAME_LATER.map((name) => [name, []])), ...value }
      : value,
    'state',
  );

/** 32 hex digits over the canonical JSON of a state. */
export function controlStateHash(stateJson: { readonly [name: string]: unknown }): string {
  const absorber = new Absorber(ZERO_HASH);
  absorber.text(canonicalJson(stateJson));
  return hashToHex(absorber.finish());
}
