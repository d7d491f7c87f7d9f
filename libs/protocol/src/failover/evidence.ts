/**
 * What one region has seen of another, and the opinion that follows. Evidence is of two kinds, and only both make a region
 * unfit: what it tells by itself (its streams), and what it does when it is asked (a canary: a read through its gateway,
 * the log, its fold and its store). While its gateway is there to say that it cannot, writes go on by what other regions fold,
 * and a process that died is given the time to come back. Times are monotonic ones of the observer; they decide what it says, never what is valid.
 */
import type { ControlCommandOf } from '../control/command.js';
import type { ControlState } from '../control/state.js';
import type { RegionName } from '../identity/identity.js';
import { VOTE_MS, type EvidenceKind } from './vote.js';

/** A vote that still holds is said again when this much of its time is over. */
const SAID_AGAIN_MS = VOTE_MS / 2;

/** What is borne of a region; a provider whose network or machines are slower by nature may be borne more. */
export interface Thresholds {
  /** Without a frame on any of its streams for so long it is silent. A replicator tells something every second at least. */
  readonly silentMs: number;
  /** It has folded nothing for so long though other regions are further. */
  readonly stalledMs: number;
  /** Every canary since so long has failed, and at least two, without a word of its gateway. */
  readonly canaryMs: number;
  /** The same, though its gateway still says so itself. */
  readonly refusedMs: number;
}

export const DEFAULT_THRESHOLDS: Thresholds = {
  silentMs: 1_200,
  stalledMs: 1_200,
  canaryMs: 800,
  refusedMs: 5_000,
};

/** What this process has noticed of a region. Null: not so. */
export interface RegionNoticed {
  readonly nowMs: number;
  /** When a frame of it arrived last; null before the first. */
  readonly heardAtMs: number | null;
  readonly isConnected: boolean;
  /** Since when it has been behind others without folding anything. */
  readonly stalledSinceMs: number | null;
  /** When the first of the canaries was sent that have failed without one between them that did not. */
  readonly failingSinceMs: number | null;
  readonly failures: number;
  /** When its gateway last said that it could not answer one. */
  readonly refusedAtMs: number | null;
}

export interface Opinion {
  readonly opinion: 'fit' | 'unfit';
  readonly kinds: readonly EvidenceKind[];
  /** For people: what was seen. */
  readonly evidence: string;
}

export function opinionOf(noticed: RegionNoticed, thresholds: Thresholds): Opinion {
  const { failingSinceMs, failures, heardAtMs, isConnected, nowMs, refusedAtMs, stalledSinceMs } = noticed;
  const kinds: EvidenceKind[] = [];
  const seen: string[] = [];
  const note = (kind: EvidenceKind, text: string): void => {
    kinds.push(kind);
    seen.push(text);
  };
  const silentMs = heardAtMs === null ? Infinity : nowMs - heardAtMs;
  if (!isConnected) note('silent', 'none of its streams is connected');
  else if (silentMs >= thresholds.silentMs)
    note('silent', `its streams told nothing for ${ms(silentMs)}, ${ms(thresholds.silentMs)} are borne`);
  const stalledMs = stalledSinceMs === null ? 0 : nowMs - stalledSinceMs;
  if (stalledMs >= thresholds.stalledMs)
    note(
      'stalled',
      `it folded nothing for ${ms(stalledMs)} while others did, ${ms(thresholds.stalledMs)} are borne`,
    );
  const failingMs = failingSinceMs === null ? 0 : nowMs - failingSinceMs;
  const wordlessMs = Math.min(failingMs, nowMs - (refusedAtMs ?? -Infinity));
  const isWordless = wordlessMs >= thresholds.canaryMs;
  if (failures >= 2 && (isWordless || failingMs >= thresholds.refusedMs)) {
    const borne = ms(isWordless ? thresholds.canaryMs : thresholds.refusedMs);
    note('canary', `${failures} canaries in ${ms(failingMs)} failed, ${borne} are borne`);
  }
  const isUnfit = kinds.includes('canary') && kinds.some((kind) => kind !== 'canary');
  return { opinion: isUnfit ? 'unfit' : 'fit', kinds, evidence: seen.join('; ') };
}

/** What a region says of another now; null when it has said so already, or has no reason to say anything. */
export function dueVote(
  { logTimeMs, votes }: Pick<ControlState, 'logTimeMs' | 'votes'>,
  observer: RegionName,
  about: RegionName,
  { evidence, kinds, opinion }: Opinion,
): ControlCommandOf<'vote'> | null {
  const said = votes.find((vote) => vote.observer === observer && vote.about === about);
  if ((said?.opinion ?? 'fit') === opinion) {
    const isFresh = said === undefined || logTimeMs - said.atMs < SAID_AGAIN_MS;
    if (opinion === 'fit' || isFresh) return null;
  }
  return { kind: 'vote', about, opinion, kinds, evidence };
}

/** @param status of a strong read. The row need not exist: the barrier was folded before that could be told. */
export const isCanaryAnswered = (status: number): boolean => status === 200 || status === 404;

const ms = (duration: number): string => (duration === Infinity ? 'ever' : `${Math.round(duration)} ms`);
