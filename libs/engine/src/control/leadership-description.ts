/** Who leads, who may, who is doubted, and what is paused, as coordinators tell it to people. */
import { time, votesAgainst, type ControlState } from '@lockstep/protocol';

export function describeLeadership(state: ControlState | null): object {
  if (state === null) return { term: null, leader: null, members: [], doubts: [], paused: [] };
  const { configuration, election, pauses } = state;
  return {
    term: election.term === 0n ? null : Number(election.term),
    leader: election.phase === 'vacant' ? null : (election.leader?.region ?? null),
    members: configuration?.members ?? [],
    doubts: (configuration?.members ?? []).flatMap((about) =>
      votesAgainst(state, about).map(({ atMs, evidence, kinds, observer }) => ({
        region: about,
        by: observer,
        kinds,
        evidence,
        at: time(atMs),
      })),
    ),
    paused: pauses.map(({ confirmedAt, owner, pause, reason, scope, untilMs }) => ({
      pause: Number(pause),
      scope,
      owner,
      reason,
      until: time(untilMs),
      confirmed: confirmedAt !== null,
    })),
  };
}
