/**
 * Who leads which term, as the order of the control log decides it: the first valid claim wins (one leader per term, by
 * order). Nothing here reads a clock; log time is the caller's, and only the lease of a suspected leader uses it (I16).
 */
import type { RegionName } from '../identity/identity.js';
import { after } from '../machine/machine.js';
import { ELECTION_MACHINE, type ElectionEvent, type ElectionPhase } from './election-machine.js';

export interface Leader {
  readonly region: RegionName;
  /** The process that claimed; another process of the region does not lead. */
  readonly session: string;
}

export interface ElectionState {
  /** 0 before the first claim. */
  readonly term: bigint;
  /** Who claimed the term last, kept when the term is vacant: the incumbent. Null before the first claim. */
  readonly leader: Leader | null;
  readonly phase: ElectionPhase;
  /** Control sequence of the entry that showed the leader alive last: its claim or a heartbeat. */
  readonly heartbeat: bigint;
  readonly heartbeatAtMs: number;
  /** Log time of the suspicion that stands; null when none does. */
  readonly suspectedAtMs: number | null;
  /** Members that have not heard the leader since `heartbeat`. */
  readonly silent: readonly RegionName[];
}

export const NO_ELECTION: ElectionState = {
  term: 0n,
  leader: null,
  phase: 'vacant',
  heartbeat: 0n,
  heartbeatAtMs: 0,
  suspectedAtMs: null,
  silent: [],
};

/** Where and when an entry stands, and what its validity depends on. */
export interface ElectionContext {
  readonly at: bigint;
  readonly logTimeMs: number;
  readonly author: Leader;
  readonly members: readonly RegionName[];
  readonly graceMs: number;
  readonly leaseMs: number;
}

/** True for the process that leads now, doubted or not. */
export const leads = (election: ElectionState, { region, session }: Leader): boolean =>
  election.phase !== 'vacant' && election.leader?.region === region && election.leader.session === session;

export const majorityOf = (members: readonly RegionName[]): number => Math.floor(members.length / 2) + 1;

/** The state after a member's event; null when the event changes nothing, as a claim that is not valid yet. */
export function electionAfter(
  election: ElectionState,
  event: ElectionEvent,
  { at, author, graceMs, leaseMs, logTimeMs, members }: ElectionContext,
): ElectionState | null {
  const silent =
    event === 'silent' && !election.silent.includes(author.region)
      ? [...election.silent, author.region].sort()
      : election.silent;
  const phase = after(ELECTION_MACHINE, election.phase, event, (guard) => {
    switch (guard) {
      case 'majorityIsSilent':
        return silent.length >= majorityOf(members);
      case 'leaseIsOver':
        return (
          logTimeMs >= (election.suspectedAtMs ?? logTimeMs) + graceMs &&
          logTimeMs >= election.heartbeatAtMs + leaseMs
        );
    }
  });
  if (phase === null)
    return silent.length > election.silent.length && election.phase !== 'vacant'
      ? { ...election, silent }
      : null;
  switch (event) {
    case 'claim':
      return {
        term: election.term + 1n,
        leader: { region: author.region, session: author.session },
        phase,
        heartbeat: at,
        heartbeatAtMs: logTimeMs,
        suspectedAtMs: null,
        silent: [],
      };
    case 'heartbeat':
      return { ...election, phase, heartbeat: at, heartbeatAtMs: logTimeMs, suspectedAtMs: null, silent: [] };
    case 'suspect':
      return { ...election, phase, suspectedAtMs: logTimeMs };
    case 'silent':
      return { ...election, phase, silent };
    case 'resign':
    case 'leave':
      return { ...election, phase, suspectedAtMs: null, silent: [] };
  }
}
