/**
 * May this shard move there? Judged before a move is decided, from what is recorded with the decision, so that anybody can
 * judge it again later (I14, I15). The same checks answer an operator before the button is pressed.
 */
import { unmetCodes, type Check } from '../control/check.js';
import { EPOCH, MOVE_KINDS, REGION, type MoveKind, type MoveRequest } from '../control/command.js';
import {
  boolean,
  choice,
  integer,
  nullable,
  object,
  ordinal,
  toJson,
  type Decoded,
  type ShapeOf,
} from '../control/shape.js';
import { covers } from '../control/scope.js';
import type { ControlState } from '../control/state.js';
import { votesAgainst } from '../failover/agreement.js';
import { GOVERNOR } from '../failover/vote.js';
import type { RegionName } from '../identity/identity.js';
import { approvalOf, APPROVED_MS } from './approval.js';
import { entriesAtRisk, lossOf, PREDICTION, whyNoGap, type Prediction } from './prediction.js';
import {
  obstacleOf,
  ownershipOf,
  SEEN_SHARD,
  seenRegion,
  type Obstacle,
  type SeenShard,
} from './seen-shard.js';

/** All that the judgement of a move depends on. */
const MOVE_INPUTS = object({
  /** Control sequence up to which the control log was folded. */
  at: ordinal,
  move: choice(...MOVE_KINDS),
  from: REGION,
  to: REGION,
  expectedEpoch: EPOCH,
  acceptLoss: boolean,
  /** Control sequence of the word of another person than the asker for accepting loss; 0 where none is asked for, or stands. */
  approval: ordinal,
  seen: SEEN_SHARD,
  lagRecordsMax: integer,
  /** The open decision on the shard, unless it is past its fence and this one gives the further epoch. */
  open: nullable(ordinal),
  /** A pause that covers the move. */
  pause: nullable(ordinal),
  /** What it was said to cost. Nothing is judged by it; it is scored when the move is over. Null: not predicted. */
  predicted: nullable(PREDICTION),
});
export interface MoveInputs extends ShapeOf<typeof MOVE_INPUTS> {}

/** What stands for nothing lacks its name, as it did before there were predictions and approvals. */
export const readMoveInputs = (value: { readonly [name: string]: unknown }): Decoded<MoveInputs> =>
  MOVE_INPUTS({ approval: 0, predicted: null, ...value }, 'inputs');

export const MOVE_CHECKS = [
  'region',
  'residency',
  'already-home',
  'epoch',
  'candidate',
  'lag',
  'home',
  'open-decision',
  'paused',
  'approval',
] as const;
export type MoveCheckCode = (typeof MOVE_CHECKS)[number];

export interface MoveCheck extends Check<MoveCheckCode> {
  /** What to do about it; null when it is met. */
  readonly next: string | null;
}

type AskedMove = Pick<
  MoveRequest,
  'move' | 'shard' | 'from' | 'to' | 'expectedEpoch' | 'acceptLoss' | 'actor'
>;

export function moveInputs(state: ControlState, asked: AskedMove, seen: SeenShard): MoveInputs {
  const { acceptLoss, actor, expectedEpoch, from, move, shard, to } = asked;
  const approval = acceptLoss ? approvalOf(state, asked, actor) : null;
  const open = state.open.find((one) => one.shard === shard);
  const isFurther =
    open !== undefined && isPastFence(open.stage) && open.expectedEpoch + 1n === expectedEpoch;
  return {
    at: state.sequence,
    move,
    from,
    to,
    expectedEpoch,
    acceptLoss,
    approval: approval?.at ?? 0n,
    seen,
    lagRecordsMax: state.configuration?.settings.lagRecordsMax ?? 0,
    open: open === undefined || isFurther ? null : open.decision,
    pause: state.pauses.find(({ scope }) => covers(scope, { shard, from, to }))?.pause ?? null,
    predicted: null,
  };
}

/** The inputs of a wish, asked of the owner that is seen; null when no region has told its home. */
export function considerMove(
  state: ControlState,
  wish: Omit<AskedMove, 'from' | 'expectedEpoch'>,
  seen: SeenShard,
): MoveInputs | null {
  const owner = ownershipOf(seen);
  if (owner === null || owner.home === null) return null;
  return moveInputs(state, { ...wish, from: owner.home, expectedEpoch: owner.epoch }, seen);
}

/** The `inputs` of a `decision` or `declined` entry. */
export const moveInputsJson = ({
  approval,
  predicted,
  ...inputs
}: MoveInputs): { readonly [name: string]: unknown } =>
  toJson({
    ...inputs,
    ...(approval === 0n ? {} : { approval }),
    ...(predicted === null ? {} : { predicted }),
  }) as { readonly [name: string]: unknown };

export const isPastFence = (stage: string): boolean =>
  ['fenced', 'folded', 'canary', 'share', 'open', 'placed'].includes(stage);

const OBSTACLES: { readonly [O in Obstacle]: readonly [text: string, next: string] } = {
  'not-connected': ['is not connected', 'start its replicator, or name another region'],
  'nothing-told': ['has told nothing of this shard', 'await its first watermark, or name another region'],
  halted: ['is halted on this shard', 'act on the reason in /v1/shards, or name another region'],
  withheld: ['withholds its vote', 'await its verification, or name another region'],
  differs: ['holds other data than the others', 'rebuild it, or name another region'],
};

/** Every check, met or not, in the order of `MOVE_CHECKS`. Pure: the same inputs give the same answer in every year. */
export function judgeMove(inputs: MoveInputs): readonly MoveCheck[] {
  const { expectedEpoch, from, lagRecordsMax, move, open, pause, seen, to } = inputs;
  const candidate = seenRegion(seen, to);
  const owner = ownershipOf(seen);
  const lag = candidate?.told?.lagRecords ?? null;
  const obstacle = obstacleOf(candidate);
  const obstacleAtHome = move === 'switchover' ? obstacleOf(seenRegion(seen, from)) : null;
  const isExpected = owner !== null && owner.epoch === expectedEpoch && owner.home === from;
  const check = (code: MoveCheckCode, isMet: boolean, text: string, next: string): MoveCheck => ({
    code,
    isMet,
    text,
    next: isMet ? null : next,
  });
  return [
    check(
      'region',
      candidate !== null,
      candidate === null ? `${to} is not a region` : `${to} is a region`,
      'name a region of the catalogue',
    ),
    check(
      'residency',
      seen.legal.includes(to),
      `${seen.legal.join(', ')} may hold the shard`,
      'name one of them; residency is never overridden',
    ),
    check(
      'already-home',
      to !== from && owner?.home !== to,
      `${owner?.home ?? 'no region'} is home`,
      'nothing is to be done',
    ),
    check(
      'epoch',
      isExpected,
      owner === null ? 'nobody has told the epoch' : `${owner.home ?? 'no region'} owns epoch ${owner.epoch}`,
      'look at the shard again and decide again',
    ),
    check(
      'candidate',
      obstacle === null,
      `${to} ${obstacle === null ? 'is connected, verified and going on' : OBSTACLES[obstacle][0]}`,
      obstacle === null ? '' : OBSTACLES[obstacle][1],
    ),
    check(
      'lag',
      lag !== null && lag <= lagRecordsMax,
      lag === null
        ? `the lag of ${to} is not known`
        : `${to} lags ${lag} records, at most ${lagRecordsMax} are allowed`,
      'wait until it has caught up',
    ),
    check(
      'home',
      obstacleAtHome === null,
      move === 'failover'
        ? 'a failover does not need the home'
        : `${from} ${obstacleAtHome === null ? 'can hand over' : OBSTACLES[obstacleAtHome][0]}`,
      'ask for a failover, which does not need the home',
    ),
    check(
      'open-decision',
      open === null,
      open === null ? 'no decision is open on the shard' : `decision ${open} is open on the shard`,
      'await or cancel it first',
    ),
    check(
      'paused',
      pause === null,
      pause === null ? 'nothing is paused here' : `pause ${pause} covers it`,
      'resume it, or wait until it ends',
    ),
    ...(inputs.acceptLoss && move === 'failover' ? [judgeApproval(inputs, check)] : []),
  ];
}

/** Loss is accepted by two persons, unless it is known that there is nothing to lose. */
function judgeApproval(
  { approval, seen, to }: MoveInputs,
  check: (code: MoveCheckCode, isMet: boolean, text: string, next: string) => MoveCheck,
): MoveCheck {
  const lacking = entriesAtRisk(seen, to);
  const lacks = `${to} lacks ${lacking ?? 'an unknown number of'} entries`;
  const next = `let another person approve it (lockstep approve ${seen.shard} ${to}), and ask again within ${APPROVED_MS / 60_000} minutes`;
  if (lacking === 0) return check('approval', true, `${to} lacks nothing, so that nothing can be lost`, '');
  return approval === 0n
    ? check('approval', false, `${lacks}, and nobody else has approved that they may be lost`, next)
    : check('approval', true, `${lacks}, and approval ${approval} of a second person accepts it`, '');
}

export interface Candidate {
  readonly to: RegionName;
  /** Every check is met. */
  readonly isAllowed: boolean;
}

/** The region that the shard had best go to: allowed, then the least behind, then the first by name. Null: none may hold it. */
export function bestCandidate(state: ControlState, seen: SeenShard, move: MoveKind): Candidate | null {
  const owner = ownershipOf(seen);
  const wish = { move, acceptLoss: false, actor: GOVERNOR };
  const ranked = seen.legal
    .filter((to) => to !== owner?.home)
    .flatMap((to) => {
      const inputs = considerMove(state, { ...wish, shard: seen.shard, to }, seen);
      if (inputs === null) return [];
      const isAllowed = judgeMove(inputs).every(({ isMet }) => isMet);
      return [{ to, isAllowed, lag: seenRegion(seen, to)?.told?.lagRecords ?? Infinity }];
    })
    .sort((x, y) => Number(y.isAllowed) - Number(x.isAllowed) || x.lag - y.lag || (x.to < y.to ? -1 : 1));
  const [best] = ranked;
  return best === undefined ? null : { to: best.to, isAllowed: best.isAllowed };
}

/** The region that may take the shard without a person: nobody finds it unfit. Null when none may. */
export function trustedCandidate(state: ControlState, seen: SeenShard): RegionName | null {
  const legal = seen.legal.filter((region) => votesAgainst(state, region).length === 0);
  const best = bestCandidate(state, { ...seen, legal }, 'failover');
  return best?.isAllowed === true ? best.to : null;
}

export interface PreflightReport extends Prediction {
  readonly isAllowed: boolean;
  readonly checks: readonly MoveCheck[];
  /** New writes are held at most so long; 0 for a failover, which holds none. */
  readonly writesHeldMsMax: number;
  /** Why nothing is lost, or why nobody knows. */
  readonly loss: string;
  /** Why the expected gap is not known; null when it is. */
  readonly gapUnknown: string | null;
}

/** How long gateways hold new writes for one try of a switchover. */
export const HOLD_MS_MAX = 2_000;

export function preflight(inputs: MoveInputs, predicted: Prediction): PreflightReport {
  const checks = judgeMove(inputs);
  return {
    ...predicted,
    isAllowed: unmetCodes(checks).length === 0,
    checks,
    writesHeldMsMax: inputs.move === 'switchover' ? HOLD_MS_MAX : 0,
    loss: lossOf(predicted, inputs.acceptLoss),
    gapUnknown: whyNoGap(predicted),
  };
}
