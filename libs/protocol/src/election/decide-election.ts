/**
 * What a coordinator appends now for the sake of leadership: at most one command, or nothing until a time. Monotonic time
 * of this process decides only when to ask; the log alone decides what is valid, so a slow, paused or wrong clock can ask
 * too early or too late and nothing else (I16).
 *
 * A stalled control log: everybody's entries land when it is back, in any order. The incumbent's next heartbeat then lands
 * within the settling time, which every candidate waits after it has *read* that the leader is doubted; so it stays.
 */
import type { ControlCommand, ControlCommandOf, ControlSettings } from '../control/command.js';
import type { ControlState } from '../control/state.js';
import { Absorber, ZERO_HASH } from '../entry/digest.js';
import type { RegionName } from '../identity/identity.js';
import { leads, type Leader } from './election.js';
import type { ElectionPhase } from './election-machine.js';

export const HEARTBEAT_MS = 250;
/** Without a sign of life for this long a member says that the leader is silent. */
export const SILENCE_MS = 1_000;
/** How long a doubted leader has to be heard again before anybody claims: several heartbeats. */
export const SETTLING_MS = 500;
/** Between candidates of neighbouring priority. */
export const BACK_OFF_MS = 150;
/** The same question is not asked again for this long, whatever became of it. */
export const ASK_AGAIN_MS = 1_000;
const CAUGHT_UP_AGAIN_MS = 100;

/** This process, and what it knows of the catalogue. */
export interface ElectionMember extends Leader {
  /** Regions of the catalogue, in the order of priority. */
  readonly members: readonly RegionName[];
  readonly settings: ControlSettings;
}

/** What this process noticed while it folded; kept by whoever folds (`watchElection`). Monotonic times of this process. */
export interface ElectionWatch {
  readonly heartbeat: bigint;
  readonly heardAtMs: number;
  readonly term: bigint;
  readonly phase: ElectionPhase;
  readonly phaseSinceMs: number;
  /** This process has held its region's vote. */
  readonly hasJoined: boolean;
}

export interface ElectionObserved {
  readonly nowMs: number;
  readonly watch: ElectionWatch;
  /** This process has folded the log to its end, as last seen, and none of its own entries is on its way. */
  readonly isCaughtUp: boolean;
  readonly isStopping: boolean;
  /** The last command of an election that this process appended, whatever became of it. */
  readonly asked: { readonly kind: ControlCommand['kind']; readonly atMs: number } | null;
}

export type ElectionStep =
  | { readonly kind: 'append'; readonly command: ControlCommand }
  /** Ask again then, or when something was folded. Null: only when something was folded. */
  | { readonly kind: 'wait'; readonly untilMs: number | null }
  /** Another process took this region's vote: this one goes on folding and says nothing until it is started anew. */
  | { readonly kind: 'displaced' };

/** To be called after every batch that was folded, and once before (`watch` null). */
export function watchElection(
  watch: ElectionWatch | null,
  { election, sessions }: ControlState,
  me: Leader,
  nowMs: number,
): ElectionWatch {
  const { heartbeat, phase, term } = election;
  const holdsVote = sessions.some(({ region, session }) => region === me.region && session === me.session);
  return {
    heartbeat,
    heardAtMs: watch?.heartbeat === heartbeat ? watch.heardAtMs : nowMs,
    term,
    phase,
    phaseSinceMs: watch?.phase === phase && watch.term === term ? watch.phaseSinceMs : nowMs,
    hasJoined: holdsVote || watch?.hasJoined === true,
  };
}

export function decideElection(
  state: ControlState,
  me: ElectionMember,
  observed: ElectionObserved,
): ElectionStep {
  const { isCaughtUp, isStopping, nowMs, watch } = observed;
  const { configuration, election } = state;
  if (!isCaughtUp) return { kind: 'wait', untilMs: nowMs + CAUGHT_UP_AGAIN_MS };
  const isListed = me.members.includes(me.region);
  if (configuration === null) {
    if (isStopping || !isListed) return { kind: 'wait', untilMs: null };
    return ask(observed, { kind: 'genesis', members: me.members, settings: me.settings });
  }
  if (!configuration.members.includes(me.region)) return { kind: 'wait', untilMs: null };
  const present = state.sessions.find(({ region }) => region === me.region)?.session ?? null;
  if (present !== me.session) {
    if (watch.hasJoined) return { kind: 'displaced' };
    return isStopping ? { kind: 'wait', untilMs: null } : ask(observed, { kind: 'join', replaces: present });
  }
  const { term } = election;
  if (leads(election, me)) {
    if (isStopping) return { kind: 'append', command: { kind: 'resign', term } };
    const dueMs = watch.heardAtMs + HEARTBEAT_MS;
    if (election.phase !== 'led' || election.silent.length > 0 || nowMs >= dueMs)
      return { kind: 'append', command: { kind: 'heartbeat', term } };
    const configure = dueConfiguration(configuration, me, term);
    return configure === null ? { kind: 'wait', untilMs: dueMs } : ask(observed, configure);
  }
  return isStopping ? { kind: 'wait', untilMs: null } : follow(state, configuration, me, observed);
}

type Configuration = NonNullable<ControlState['configuration']>;

function follow(
  { election }: ControlState,
  { members, settings }: Configuration,
  me: ElectionMember,
  observed: ElectionObserved,
): ElectionStep {
  const { nowMs, watch } = observed;
  const { heartbeat, phase, silent, term } = election;
  const claim: ControlCommand = { kind: 'claim', term: term + 1n, replaces: term };
  const claimAt = (atMs: number): ElectionStep =>
    nowMs >= atMs ? ask(observed, claim) : { kind: 'wait', untilMs: atMs };
  const backOffMs = backOff(members, election.leader?.region ?? null, me.region, term);
  const silentFromMs = watch.heardAtMs + SILENCE_MS;
  const isSilent = silent.includes(me.region);
  switch (phase) {
    case 'vacant':
      return claimAt(watch.phaseSinceMs + backOffMs);
    case 'silenced':
      return claimAt(watch.phaseSinceMs + SETTLING_MS + backOffMs);
    case 'led':
    case 'suspected': {
      if (nowMs < silentFromMs) return { kind: 'wait', untilMs: silentFromMs };
      if (!isSilent) return ask(observed, { kind: 'silent', term, heartbeat });
      // Too few members are left to say the same: the lease decides.
      const suspectFromMs = watch.heardAtMs + settings.leaseMs;
      if (phase === 'suspected')
        return claimAt(
          Math.max(watch.phaseSinceMs + Math.max(settings.graceMs, SETTLING_MS), suspectFromMs) + backOffMs,
        );
      if (nowMs < suspectFromMs) return { kind: 'wait', untilMs: suspectFromMs };
      return ask(observed, { kind: 'suspect', term, heartbeat });
    }
  }
}

/** The incumbent's region first, then the members in their order; the jitter of a region and term is always the same. */
function backOff(
  members: readonly RegionName[],
  incumbent: RegionName | null,
  me: RegionName,
  term: bigint,
): number {
  const rank = me === incumbent ? 0 : 1 + members.filter((one) => one !== incumbent).indexOf(me);
  const absorber = new Absorber(ZERO_HASH);
  absorber.text(`${me}/${term}`);
  return rank * BACK_OFF_MS + (absorber.finish().a % (BACK_OFF_MS / 2));
}

function dueConfiguration(
  { at, members, settings }: Configuration,
  me: ElectionMember,
  term: bigint,
): ControlCommandOf<'configure'> | null {
  const isSame =
    members.join() === me.members.join() &&
    settings.graceMs === me.settings.graceMs &&
    settings.leaseMs === me.settings.leaseMs &&
    settings.lagRecordsMax === me.settings.lagRecordsMax;
  if (isSame || !me.members.includes(me.region)) return null;
  return { kind: 'configure', term, expected: at, members: me.members, settings: me.settings };
}

/** What was asked lately is not asked again yet: its answer may still be on its way. */
function ask({ asked, nowMs }: ElectionObserved, command: ControlCommand): ElectionStep {
  const againMs = asked?.kind === command.kind ? asked.atMs + ASK_AGAIN_MS : nowMs;
  return againMs > nowMs ? { kind: 'wait', untilMs: againMs } : { kind: 'append', command };
}
