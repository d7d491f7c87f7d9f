/**
 * Does the leader fail a region over by itself? Pure: from what is recorded with the decision, anybody decides the same
 * later (I14, I15). Automatic only where nothing acknowledged can be lost, which holds while the log survives (placement
 * `stretched`): the next home folds every acknowledged write before it opens. Everything else is a person's decision.
 */
import { unmetCodes, type Check } from '../control/check.js';
import { EVACUATED_SHARDS_MAX, REGION, VOTE_FIELDS, type ControlCommandOf } from '../control/command.js';
import { isEvacuationOver } from '../control/fold-control.js';
import {
  boolean,
  integer,
  list,
  nullable,
  object,
  ordinal,
  toJson,
  type Decoded,
  type ShapeOf,
} from '../control/shape.js';
import { covers } from '../control/scope.js';
import type { ControlState } from '../control/state.js';
import type { RegionName, ShardName } from '../identity/identity.js';
import { trustedCandidate } from '../promotion/preflight.js';
import { ownershipOf, type SeenShard } from '../promotion/seen-shard.js';
import { agreedUnfit, isPlausible, observersNeeded, votesAgainst } from './agreement.js';
import { acknowledgementOf, VOTES_MAX } from './vote.js';

export interface FailoverPolicy {
  /** After a failover of a region none of it happens by itself for so long, in log time. */
  readonly coolDownMs: number;
  /** At most so many failovers happen by themselves within the window, of whatever regions. */
  readonly budget: number;
  readonly windowMs: number;
}

export const DEFAULT_FAILOVER_POLICY: FailoverPolicy = {
  coolDownMs: 600_000,
  budget: 3,
  windowMs: 3_600_000,
};

const FAILOVER_INPUTS = object({
  /** Control sequence up to which the control log was folded, and its log time. */
  at: ordinal,
  logTimeMs: integer,
  region: REGION,
  /** Observers that find it unfit now, and how many are needed. */
  against: list(object({ observer: REGION, at: ordinal }), VOTES_MAX),
  needed: integer,
  /** Regions that enough observers find unfit, this one included where it is. */
  unfit: list(REGION, 12),
  isPlausible: boolean,
  /** Shards at home there that are automatic: those with a region that may and can take them, and all. */
  movable: integer,
  automatic: integer,
  /** A pause of everything or of the region; where no shard may be moved, a narrower one that keeps a shard there. */
  pause: nullable(ordinal),
  /** The evacuation of the region that is not over. */
  evacuation: nullable(ordinal),
  /**
   * Log time of the last failover of the region that was decided here and nobody has acknowledged, of those that moved one of the
   * shards that would be moved now; null when none is known.
   */
  lastAtMs: nullable(integer),
  /** Failovers that were decided here within the window and nobody has acknowledged. */
  spent: integer,
  coolDownMs: integer,
  budget: integer,
  windowMs: integer,
  /** What those observers said, in the order of `against`: for people, nothing is judged by it. Null: not recorded. */
  votes: nullable(
    list(
      object({ observer: REGION, kinds: VOTE_FIELDS.kinds, evidence: VOTE_FIELDS.evidence, atMs: integer }),
      VOTES_MAX,
    ),
  ),
});
export interface FailoverInputs extends ShapeOf<typeof FAILOVER_INPUTS> {}

/** Inputs from before votes were recorded with them lack the name. */
export const readFailoverInputs = (value: { readonly [name: string]: unknown }): Decoded<FailoverInputs> =>
  FAILOVER_INPUTS({ votes: null, ...value }, 'inputs');

export const FAILOVER_CHECKS = [
  'agreed',
  'plausible',
  'automatic',
  'candidate',
  'paused',
  'evacuation',
  'cool-down',
  'budget',
] as const;
export type FailoverCheckCode = (typeof FAILOVER_CHECKS)[number];

export type FailoverCheck = Check<FailoverCheckCode>;

interface Planned extends Pick<FailoverInputs, 'automatic' | 'movable' | 'pause'> {
  /** That would be moved; of none any failover of the region counts. */
  readonly shards: readonly ShardName[];
}

export function failoverInputs(
  state: ControlState,
  region: RegionName,
  { automatic, movable, pause: narrower, shards }: Planned,
  { budget, coolDownMs, windowMs }: FailoverPolicy,
): FailoverInputs {
  const covering =
    state.pauses.find(({ scope }) => scope === 'all' || scope === `region:${region}`) ??
    state.pauses.find(({ pause }) => movable === 0 && pause === narrower);
  const evacuation = state.evacuations.find((one) => one.region === region && !isEvacuationOver(one));
  const votes = votesAgainst(state, region);
  const unseen = unacknowledged(state);
  const last = unseen.findLast((one) => one.region === region && hasMoved(state, one.at, shards));
  return {
    at: state.sequence,
    logTimeMs: state.logTimeMs,
    region,
    against: votes.map(({ at, observer }) => ({ observer, at })),
    needed: observersNeeded(state),
    unfit: agreedUnfit(state),
    isPlausible: isPlausible(state),
    movable,
    automatic,
    pause: covering?.pause ?? null,
    evacuation: evacuation?.decision ?? null,
    lastAtMs: last?.atMs ?? null,
    spent: unseen.filter(({ atMs }) => state.logTimeMs - atMs < windowMs).length,
    coolDownMs,
    budget,
    windowMs,
    votes: votes.map(({ atMs, evidence, kinds, observer }) => ({ observer, kinds, evidence, atMs })),
  };
}

const unacknowledged = (state: ControlState): ControlState['failovers'] =>
  state.failovers.filter(
    ({ at }) => !state.approvals.some(({ subject }) => subject === acknowledgementOf(at)),
  );

/**
 * Whether the failover was of one of these shards, or nobody remembers of which it was. What a pause kept out of it, or had nowhere to go
 * then, comes and goes with no home: it does not wait until that one has cooled down.
 */
function hasMoved(state: ControlState, failover: bigint, shards: readonly ShardName[]): boolean {
  const moved = state.evacuations.find(({ decision }) => decision === failover)?.shards;
  return moved === undefined || shards.length === 0 || moved.some(({ shard }) => shards.includes(shard));
}

/** Log times that a leader may have taken for the last failover, whatever it was to move; it may have known of none. */
export const failoverTimes = (state: ControlState, region: RegionName): readonly number[] =>
  unacknowledged(state).flatMap((one) => (one.region === region ? [one.atMs] : []));

export const failoverInputsJson = ({
  votes,
  ...inputs
}: FailoverInputs): { readonly [name: string]: unknown } =>
  toJson(votes === null ? inputs : { ...inputs, votes }) as { readonly [name: string]: unknown };

/** Every check, met or not, in the order of `FAILOVER_CHECKS`. */
export function judgeFailover(inputs: FailoverInputs): readonly FailoverCheck[] {
  const { against, automatic, budget, coolDownMs, evacuation, lastAtMs, logTimeMs, movable } = inputs;
  const { needed, pause, region, spent, unfit, windowMs } = inputs;
  const by = against.map(({ observer }) => observer).join(', ');
  const isCool = lastAtMs === null || logTimeMs - lastAtMs >= coolDownMs;
  const check = (code: FailoverCheckCode, isMet: boolean, text: string): FailoverCheck => ({
    code,
    isMet,
    text,
  });
  return [
    check(
      'agreed',
      against.length >= needed,
      `${against.length} observers find ${region} unfit${by === '' ? '' : ` (${by})`}, ${needed} must`,
    ),
    check(
      'plausible',
      inputs.isPlausible,
      inputs.isPlausible
        ? 'most regions are fit'
        : `${unfit.join(', ')} would be unfit at once: rather my own fault`,
    ),
    check('automatic', automatic > 0, `${automatic} shards at home there are moved without a person`),
    check('candidate', movable > 0, `${movable} of them have a region that may and can take them`),
    check('paused', pause === null, pause === null ? 'nothing is paused here' : `pause ${pause} covers it`),
    check(
      'evacuation',
      evacuation === null,
      evacuation === null ? 'no evacuation is under way' : `evacuation ${evacuation} is under way`,
    ),
    check(
      'cool-down',
      isCool,
      lastAtMs === null
        ? 'it has not been failed over lately'
        : `it was failed over ${logTimeMs - lastAtMs} ms ago; none happens by itself for ${coolDownMs} ms, or until somebody acknowledges that one`,
    ),
    check(
      'budget',
      spent < budget,
      `${spent} of ${budget} failovers within ${windowMs} ms have happened by themselves`,
    ),
  ];
}

export type GovernorCommand = ControlCommandOf<'fail-over' | 'held'>;

/** The same reasons are told again after this, in log time; under another pause and behind a failover at once. */
const HELD_AGAIN_MS = 60_000;

/** The plan of one region: where each of its automatic shards goes. */
export interface FailoverPlan {
  readonly automatic: number;
  readonly shards: readonly { readonly shard: ShardName; readonly to: RegionName }[];
  /** A pause without which another shard would go too; null when there is none. */
  readonly pause: bigint | null;
}

/** @param homes shards at home in the region that may be failed over without a person. */
export function failoverPlan(state: ControlState, homes: readonly SeenShard[]): FailoverPlan {
  const shards = homes.flatMap((seen) => {
    const to = trustedCandidate(state, seen);
    return to === null ? [] : [{ shard: seen.shard, to }];
  });
  const kept = homes.filter((seen) => !shards.some(({ shard }) => shard === seen.shard));
  const pauses = kept.flatMap((seen) => pauseThatKeeps(state, seen) ?? []);
  return {
    automatic: homes.length,
    shards: shards.slice(0, EVACUATED_SHARDS_MAX),
    pause: pauses[0] ?? null,
  };
}

/** Null when the shard has nowhere to go without any pause either. */
function pauseThatKeeps(state: ControlState, seen: SeenShard): bigint | null {
  const to = trustedCandidate({ ...state, pauses: [] }, seen);
  const from = ownershipOf(seen)?.home ?? null;
  if (to === null || from === null) return null;
  return state.pauses.find(({ scope }) => covers(scope, { shard: seen.shard, from, to }))?.pause ?? null;
}

/**
 * What the leader says now about regions that somebody finds unfit: a failover, or why there is none; the same reasons
 * are told once a minute.
 */
export function dueFailovers(
  state: ControlState,
  planOf: (region: RegionName) => FailoverPlan,
  policy: FailoverPolicy,
): readonly GovernorCommand[] {
  const { term } = state.election;
  const members = state.configuration?.members ?? [];
  return members.flatMap((region): readonly GovernorCommand[] => {
    if (votesAgainst(state, region).length === 0) return [];
    const { automatic, pause, shards } = planOf(region);
    if (automatic === 0) return [];
    const planned = { movable: shards.length, automatic, pause, shards: shards.map(({ shard }) => shard) };
    const inputs = failoverInputs(state, region, planned, policy);
    const codes = unmetCodes(judgeFailover(inputs));
    const recorded = { term, region, inputs: failoverInputsJson(inputs) };
    if (codes.length === 0) return [{ kind: 'fail-over', ...recorded, shards }];
    return isTold(state, inputs, codes) ? [] : [{ kind: 'held', ...recorded, codes }];
  });
}

/** What was told before the present pause began, or before the last failover of the region, is not about what is held back now. */
function isTold(
  { failovers, held, logTimeMs }: ControlState,
  { pause, region }: FailoverInputs,
  codes: readonly string[],
): boolean {
  const last = held.findLast((one) => one.region === region);
  if (last?.codes.join() !== codes.join() || logTimeMs - last.atMs >= HELD_AGAIN_MS) return false;
  const failedOverAt = failovers.findLast((one) => one.region === region)?.at ?? 0n;
  return last.at > failedOverAt && last.at > (pause ?? 0n);
}
