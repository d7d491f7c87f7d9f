/**
 * What the leader does next for one open move: one step, from the control state and from what is seen of the shard. Everything
 * that matters later is an entry first (I19): the leader appends, reads the verdict back, and asks again.
 *
 * Before `fencing` nothing has happened that a cancel would have to undo. `fencing` is read back as accepted before the
 * fence is sent; whoever cancels, pauses or takes the term over meanwhile appends a `term` entry with a higher pair to the
 * shard's log, and what the shard says behind that entry is final: the fence stands before it or loses (I5, I13).
 *
 * Monotonic times of this process decide when to try again, when to give up before the fence and when to decide anew behind it,
 * never what is valid (I16).
 */
import type { ControlCommand } from '../control/command.js';
import type { ControlState, OpenMove } from '../control/state.js';
import type { ControlBody } from '../entry/body.js';
import { epoch, type RegionName, type Sequence, type ShardName } from '../identity/identity.js';
import { GOVERNOR } from '../failover/vote.js';
import type { LeaderPlacement } from '../placement/replicas.js';
import { HOLD_MS_MAX, trustedCandidate } from './preflight.js';
import type { StageEvent } from './promotion-machine.js';
import { obstacleOf, ownershipOf, seenRegion, type Ownership, type SeenShard } from './seen-shard.js';

export interface MoveView {
  readonly nowMs: number;
  /** When this process folded the entry that brought the present stage, or the move's term. */
  readonly stageSinceMs: number;
  /** When this process last took a step outside the control log for the present stage and term; null when it has not. */
  readonly actedAtMs: number | null;
  readonly seen: SeenShard;
  /** When this process read `parked`, from when on the home's gateways hold new writes; null while they hold none. */
  readonly heldSinceMs: number | null;
  /** What the home last said of its outbox at this stage: `none` where the dataset has none; null: it was not asked yet. */
  readonly outbox: 'none' | AskedOutbox | null;
  /**
   * An entry that the candidate has folded: behind its fence at `folded`, behind what it had folded after `SHARE_MS` of
   * `share`; null until there is one.
   */
  readonly canary: { readonly sequence: Sequence; readonly isAtQuorum: boolean } | null;
  /** What became of the log's leader when this process asked for it in the new home; null when it has not asked. */
  readonly leader: AskedLeader | null;
  /** The shard's failovers need no person. */
  readonly isAutomatic: boolean;
  /** Per cent of the keys that a new home of the dataset takes writes of first; null: all at once. */
  readonly openFirst: number | null;
}

export type AskedLeader = LeaderPlacement | { readonly kind: 'failed' | 'unknown'; readonly code: string };

/** @param parkedFor the parking (`parkingOf`) for which its outbox takes nothing new; null: it takes all. */
export type AskedOutbox =
  | { readonly kind: 'told'; readonly parkedFor: string | null; readonly pending: number }
  | { readonly kind: 'unknown'; readonly code: string };

/** An entry of the shard's own log. */
export type ShardEntry =
  | Extract<ControlBody, { readonly kind: 'fence' }>
  | { readonly kind: 'term'; readonly term: bigint; readonly decision: bigint };

export type MoveStep =
  /** To the control log. Ask again when its verdict was read back. */
  | { readonly kind: 'append'; readonly command: ControlCommand }
  /** To the shard's log, valid for `timeoutMs`. Its effect is seen in watermarks, so no answer need be waited for. */
  | {
      readonly kind: 'append-entry';
      readonly shard: ShardName;
      readonly entry: ShardEntry;
      readonly timeoutMs: number;
    }
  /** Somebody appends a `probe` to the shard, the region where it can. */
  | { readonly kind: 'probe'; readonly shard: ShardName; readonly region: RegionName }
  /** To the home: how many entries its outbox has pending, parked. Tells the view. */
  | { readonly kind: 'ask-outbox'; readonly shard: ShardName; readonly region: RegionName }
  /** To the brokers: the leader of the shard's log is to stand in the region. Tells the view what became of it. */
  | { readonly kind: 'place-leader'; readonly shard: ShardName; readonly region: RegionName }
  /** A failover of the shard is to be judged and decided as any: to a further epoch, by which this move ends. */
  | {
      readonly kind: 'fall-back';
      readonly shard: ShardName;
      readonly to: RegionName;
      readonly reason: string;
    }
  /** Ask again then, or when something changed. */
  | { readonly kind: 'wait'; readonly reason: string; readonly untilMs: number | null };

/** A step outside the control log whose effect is not seen is taken again after this. */
export const ACT_AGAIN_MS = 1_000;
/** Short, so that a fence of a stopped leader soon means nothing. */
export const FENCE_TIMEOUT_MS = 5_000;
/** A move that gets no further before its fence is given up. */
export const STAGE_MS_MAX = 30_000;
/** The log's leader is asked for so long at most: a move never waits for it, writes go on wherever it is. */
export const PLACING_MS_MAX = 5_000;
/** A share of the writes is watched for so long before an entry behind it shows whether the new home sustains them. */
export const SHARE_MS = 1_000;
/** A new home that gets no further behind its fence is left for another region, where no person is needed for that. */
export const FALL_BACK_AFTER_MS = 10_000;
/** A switchover that could not drain so often is given up. */
export const UNDRAINED_MAX = 3;

/** An outbox that is not empty after this is left behind: the rest of the hold is for the log. */
export const OUTBOX_DRAIN_MS_MAX = (HOLD_MS_MAX * 3) / 4;
const OUTBOX_ASK_AGAIN_MS = 100;
/** Longer than a fence may be on its way: what is saved while it is would be undone by it. */
export const OUTBOX_PARKED_MS_MAX = HOLD_MS_MAX + FENCE_TIMEOUT_MS;

/** Parked again after it was let go, a shard is parked anew. */
export const parkingOf = ({ decision, undrained }: Pick<OpenMove, 'decision' | 'undrained'>): string =>
  `${decision} ${undrained}`;

/** To be asked by the leader only, for each open move of its state. */
export function decideMove(state: ControlState, move: OpenMove, view: MoveView): MoveStep {
  const { term } = state.election;
  const { decision, expectedEpoch, shard, stage, to } = move;
  if (move.term < term) return { kind: 'append', command: { kind: 'adopt', term, decision } };
  const owner = ownershipOf(view.seen);
  if (owner === null || owner.epoch < expectedEpoch)
    return wait(`no region has told epoch ${expectedEpoch} of ${shard}`);
  const told: Told = { state, move, view, owner, report: reporter(term, move) };
  switch (stage) {
    case 'decided':
    case 'caught-up':
    case 'parked':
    case 'drained': {
      if (owner.epoch > expectedEpoch) return told.report('lost', `${owner.home} owns epoch ${owner.epoch}`);
      return settled(told) ?? beforeTheFence(stage, told);
    }
    case 'fencing':
    case 'withdrawing': {
      const unsettled = settled(told);
      if (unsettled !== null) return unsettled;
      if (owner.epoch > expectedEpoch) {
        const isOurs = owner.epoch === expectedEpoch + 1n && owner.home === to;
        return told.report(isOurs ? 'fenced' : 'lost', `${owner.home} owns epoch ${owner.epoch}`);
      }
      if (stage === 'withdrawing')
        return told.report('withdrawn', `epoch ${owner.epoch} behind the term entry`);
      const fence = { kind: 'fence', expectedEpoch, epoch: epoch(expectedEpoch + 1n), home: to } as const;
      return appendEntry(told, { ...fence, term, decision }, 'the fence is on its way');
    }
    case 'fenced':
    case 'folded':
    case 'canary':
    case 'share':
    case 'open':
    case 'placed': {
      const isOvertaken = owner.epoch > expectedEpoch + 1n;
      return isOvertaken
        ? told.report('lost', `${owner.home} owns epoch ${owner.epoch}`)
        : behindTheFence(stage, told);
    }
  }
}

interface Told {
  readonly state: ControlState;
  readonly move: OpenMove;
  readonly view: MoveView;
  readonly owner: Ownership;
  readonly report: (event: StageEvent, evidence: string) => MoveStep;
}

const reporter =
  (term: bigint, { decision, stage }: OpenMove): Told['report'] =>
  (event, evidence) => ({
    kind: 'append',
    command: { kind: 'stage', term, decision, from: stage, event, evidence },
  });

/**
 * Null when no fence of an older pair can win any more. A term that took the move over settles it below its own fence's
 * pair; a withdrawn move is settled above it.
 */
function settled(told: Told): MoveStep | null {
  const { decidedTerm, stage, stageAt, term } = told.move;
  const { owner } = told;
  const isWithdrawn = stage === 'withdrawing';
  if (!isWithdrawn && term === decidedTerm) return null;
  const decision = isWithdrawn ? stageAt : 0n;
  const isSettled = owner.term > term || (owner.term === term && owner.decision >= decision);
  return isSettled
    ? null
    : appendEntry(told, { kind: 'term', term, decision }, 'the term entry is on its way');
}

function beforeTheFence(
  stage: 'decided' | 'caught-up' | 'parked' | 'drained',
  { move, report, state, view }: Told,
): MoveStep {
  const { from, to } = move;
  const { nowMs, seen, stageSinceMs } = view;
  const candidate = seenRegion(seen, to);
  const lag = candidate?.told?.lagRecords ?? null;
  const obstacle = obstacleOf(candidate) ?? (keepsUp(state, lag) ? null : 'lag');
  if (obstacle !== null && (stage === 'parked' || stage === 'drained'))
    return report('undrained', `${to}: ${obstacle}`);
  const giveUpAtMs = stageSinceMs + STAGE_MS_MAX;
  const orGiveUp = (reason: string): MoveStep =>
    nowMs >= giveUpAtMs
      ? report('abort', `given up after ${STAGE_MS_MAX} ms: ${reason}`)
      : wait(reason, giveUpAtMs);
  if (obstacle !== null)
    return orGiveUp(`${to}: ${obstacle}${lag === null ? '' : ` (${lag} records behind)`}`);
  switch (stage) {
    case 'decided':
      return report('caught-up', `${to} lags ${lag} records`);
    case 'caught-up': {
      if (move.move === 'failover') return report('fencing', `${to} lags ${lag} records`);
      if (move.undrained >= UNDRAINED_MAX) return report('abort', `did not drain in ${UNDRAINED_MAX} tries`);
      return report('parked', `the gateways of ${from} hold new writes`);
    }
    case 'parked': {
      if (!isHeld(view)) return report('undrained', 'held writes were let go');
      const unemptied = emptyOutbox(move, view);
      if (unemptied !== null) return unemptied;
      const home = seenRegion(seen, from)?.told ?? null;
      const isDrained = home?.lagRecords === 0 && lag === 0 && candidate!.told!.sequence >= home.sequence;
      if (isDrained)
        return report('drained', `${from} and ${to} are at ${home.sequence}${outboxText(move, view)}`);
      return wait('the log is drained', view.heldSinceMs! + HOLD_MS_MAX);
    }
    case 'drained':
      if (!isHeld(view)) return report('undrained', 'held writes were let go');
      return report('fencing', `${to} lags ${lag} records`);
  }
}

/** One that does not know its lag does not. */
const keepsUp = ({ configuration }: ControlState, lagRecords: number | null): boolean =>
  lagRecords !== null && lagRecords <= (configuration?.settings.lagRecordsMax ?? 0);

/** Null when nothing waits there, or when it has been waited for long enough: what is left is undone by the fence, and kept. */
function emptyOutbox(move: OpenMove, { actedAtMs, heldSinceMs, nowMs, outbox }: MoveView): MoveStep | null {
  const { from, shard } = move;
  const giveUpAtMs = heldSinceMs! + OUTBOX_DRAIN_MS_MAX;
  if (outbox === 'none' || isEmptied(move, outbox) || nowMs >= giveUpAtMs) return null;
  const againAtMs = actedAtMs === null ? nowMs : actedAtMs + OUTBOX_ASK_AGAIN_MS;
  return nowMs >= againAtMs
    ? { kind: 'ask-outbox', shard, region: from }
    : wait(`the outbox of ${from} is emptied`, Math.min(againAtMs, giveUpAtMs));
}

/** What is pending tells of the end only while nothing new is taken. */
const isEmptied = (move: OpenMove, outbox: AskedOutbox | null): boolean =>
  outbox?.kind === 'told' && outbox.parkedFor === parkingOf(move) && outbox.pending === 0;

/** What the record of the move says of it. */
function outboxText(move: OpenMove, { outbox }: MoveView): string {
  const of = `the outbox of ${move.from}`;
  if (outbox === 'none') return '';
  if (isEmptied(move, outbox)) return `; ${of} is empty`;
  if (outbox?.kind !== 'told') return `; what ${of} holds is not known, the fence quarantines it`;
  return outbox.parkedFor === parkingOf(move)
    ? `; ${outbox.pending} entries are left in ${of}, the fence quarantines them`
    : `; ${of} was not parked, the fence quarantines what it holds`;
}

const isHeld = ({ heldSinceMs, nowMs }: MoveView): boolean =>
  heldSinceMs !== null && nowMs < heldSinceMs + HOLD_MS_MAX;

function behindTheFence(
  stage: 'fenced' | 'folded' | 'canary' | 'share' | 'open' | 'placed',
  told: Told,
): MoveStep {
  const { move, report, state, view } = told;
  const { expectedEpoch, shard, to } = move;
  const { canary, leader, nowMs, openFirst, seen, stageSinceMs } = view;
  switch (stage) {
    case 'fenced': {
      const candidate = seenRegion(seen, to)?.told ?? null;
      if (candidate?.epoch === expectedEpoch + 1n && candidate.home === to)
        return report('folded', `${to} has folded epoch ${candidate.epoch} at ${candidate.sequence}`);
      return (
        fallBack(told, 'did not fold its fence') ??
        wait(`${to} has not folded its fence; if it is lost, decide a failover to a further epoch`)
      );
    }
    case 'folded': {
      if (canary?.isAtQuorum === true) return report('canary', `probe ${canary.sequence} is at quorum`);
      const further = fallBack(told, 'brought no entry to quorum');
      if (further !== null) return further;
      if (canary !== null) return wait(`probe ${canary.sequence} is not at quorum yet`);
      return act(view, { kind: 'probe', shard, region: to }, `${to} is asked for a probe`);
    }
    case 'canary':
      return openFirst === null
        ? report('open', `${to} takes writes`)
        : report('share', `${to} takes writes of ${openFirst} % of the keys`);
    case 'share': {
      const lag = seenRegion(seen, to)?.told?.lagRecords ?? null;
      const isBehind = !keepsUp(state, lag);
      if (canary?.isAtQuorum === true && !isBehind)
        return report('open', `entry ${canary.sequence} is at quorum, ${to} lags ${lag} records`);
      const further = fallBack(told, 'did not sustain its first writes');
      if (further !== null) return further;
      if (canary !== null) {
        const missing = isBehind ? `it lags ${lag} records` : `entry ${canary.sequence} is not at quorum yet`;
        return wait(`${to} takes a share of the writes: ${missing}`);
      }
      const watchedAtMs = stageSinceMs + SHARE_MS;
      if (nowMs < watchedAtMs) return wait(`${to} takes a share of the writes`, watchedAtMs);
      return act(view, { kind: 'probe', shard, region: to }, 'the share is proven by a probe');
    }
    case 'open':
      return leader === null || (isUnsettled(leader) && nowMs < stageSinceMs + PLACING_MS_MAX)
        ? act(view, { kind: 'place-leader', shard, region: to }, `the log's leader is asked to ${to}`)
        : report('placed', leaderText(leader, to));
    case 'placed':
      // Who took the move over here asks once more, to tell what is.
      return leader === null
        ? act(view, { kind: 'place-leader', shard, region: to }, `the log's leader is asked to ${to}`)
        : report('done', `${to} is home; ${leaderText(leader, to)}`);
  }
}

/**
 * Null while the new home is waited for. Once only: where the next one gets no further either, something else is wrong, and it is
 * a person's decision. Only a region that has folded the fence itself is asked: it goes on.
 */
function fallBack({ move, state, view }: Told, failing: string): MoveStep | null {
  const { actor, evacuation, expectedEpoch, shard, to } = move;
  const { isAutomatic, nowMs, seen, stageSinceMs } = view;
  const isFallback = actor === GOVERNOR && evacuation === null;
  if (!isAutomatic || isFallback || nowMs < stageSinceMs + FALL_BACK_AFTER_MS) return null;
  const isBehind = (region: RegionName): boolean =>
    seenRegion(seen, region)?.told?.epoch === expectedEpoch + 1n;
  const next = trustedCandidate(state, { ...seen, legal: seen.legal.filter(isBehind) });
  if (next === null) return null;
  const reason = `${to} ${failing} for ${FALL_BACK_AFTER_MS} ms`;
  return act(view, { kind: 'fall-back', shard, to: next, reason }, `${next} is to take it instead`);
}

const isUnsettled = ({ kind }: AskedLeader): boolean => kind === 'failed' || kind === 'unknown';

function leaderText(leader: AskedLeader, region: RegionName): string {
  switch (leader.kind) {
    case 'placed':
      return `broker ${leader.broker} in ${region} leads its log`;
    case 'preferred':
      return `broker ${leader.broker} in ${region} leads its log as soon as it is in sync`;
    case 'no-replica':
      return `the leader of its log stays: no broker in ${region} holds a replica`;
    case 'failed':
      return `the leader of its log stays: ${leader.code}`;
    case 'unknown':
      return `where the leader of its log is, is not known: ${leader.code}`;
  }
}

const appendEntry = ({ move, view }: Told, entry: ShardEntry, reason: string): MoveStep =>
  act(view, { kind: 'append-entry', shard: move.shard, entry, timeoutMs: FENCE_TIMEOUT_MS }, reason);

/** The step, unless it was taken a moment ago. */
function act({ actedAtMs, nowMs }: MoveView, step: MoveStep, reason: string): MoveStep {
  const againAtMs = actedAtMs === null ? nowMs : actedAtMs + ACT_AGAIN_MS;
  return nowMs >= againAtMs ? step : wait(reason, againAtMs);
}

const wait = (reason: string, untilMs: number | null = null): MoveStep => ({ kind: 'wait', reason, untilMs });
