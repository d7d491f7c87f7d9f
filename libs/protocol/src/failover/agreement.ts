/**
 * What the votes add up to: regions that the others agree upon as unfit. Deterministic, from the control state alone (I15).
 *
 * A vote counts for a window of log time. Who finds all others unfit is itself cut off, and is not believed. At least two
 * observers must say so, and more than half of the other members. When half of all regions or more would be unfit, the
 * picture is implausible and nobody is.
 */
import type { ControlState, Vote } from '../control/state.js';
import type { RegionName } from '../identity/identity.js';
import { VOTE_MS } from './vote.js';

type Voted = Pick<ControlState, 'configuration' | 'logTimeMs' | 'votes'>;

const OBSERVERS_MIN = 2;

/** Votes that count now against the region, by plausible observers. */
export function votesAgainst(state: Voted, about: RegionName): readonly Vote[] {
  const others = (state.configuration?.members ?? []).length - 1;
  const isDoubting = ({ atMs, opinion }: Vote): boolean =>
    opinion === 'unfit' && state.logTimeMs - atMs <= VOTE_MS;
  const doubting = state.votes.filter(isDoubting);
  const isPlausible = ({ observer }: Vote): boolean =>
    doubting.filter((vote) => vote.observer === observer).length < others;
  return doubting.filter((vote) => vote.about === about && isPlausible(vote));
}

/** How many must agree on one region. */
export const observersNeeded = ({ configuration }: Pick<Voted, 'configuration'>): number =>
  Math.max(OBSERVERS_MIN, Math.floor(((configuration?.members.length ?? 0) - 1) / 2) + 1);

/** Regions that enough others find unfit, in the order of the members. */
export const agreedUnfit = (state: Voted): readonly RegionName[] =>
  (state.configuration?.members ?? []).filter(
    (about) => votesAgainst(state, about).length >= observersNeeded(state),
  );

export const isPlausible = (state: Voted): boolean =>
  2 * agreedUnfit(state).length < (state.configuration?.members.length ?? 0);
