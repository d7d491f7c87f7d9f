/** Pauses that the leader confirms now: every move in scope that was on its way to a fence has been settled. */
import type { ControlCommandOf } from '../control/command.js';
import { unsettledUnder } from '../control/fold-control.js';
import type { ControlState } from '../control/state.js';

export const duePauses = (state: ControlState): readonly ControlCommandOf<'paused'>[] =>
  state.pauses
    .filter((pause) => pause.confirmedAt === null && unsettledUnder(state, pause).length === 0)
    .map(({ pause }) => ({ kind: 'paused', term: state.election.term, pause }));
