/** Who leads, who may, who is doubted, and what is or will be paused, as coordinators tell it to people. */
import { time, votesAgainst, type ControlState } from '@lockstep/protocol';

export function describeLeadership(state: ControlState | null): object {
  if (state === null) return { term: null, leader: null, members: [], doubts: [], paused: [], windows: [] };
  const { configuration, election, pauses, windows } = state;
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
    windows: windows.map(({ fromMs, owner, reason, scope, untilMs, window }) => ({
      window: Number(window),
      scope,
      owner,
      reason,
      from: time(fromMs),
      until: time(untilMs),
    })),
  };
}
