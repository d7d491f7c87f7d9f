/** What the leader says about pauses. */
import type { ControlCommandOf } from '../control/command.js';
import { unsettledUnder } from '../control/fold-control.js';
import type { ControlState } from '../control/state.js';

/** Windows whose time has come. */
export const dueWindows = (state: ControlState): readonly ControlCommandOf<'begin'>[] =>
  state.windows
    .filter(({ fromMs }) => fromMs <= state.logTimeMs)
    .map(({ window }) => ({ kind: 'begin', term: state.election.term, window }));

/** Pauses that are confirmed now: every move in scope that was on its way to a fence has been settled. */
export const duePauses = (state: ControlState): readonly ControlCommandOf<'paused'>[] =>
  state.pauses
    .filter((pause) => pause.confirmedAt === null && unsettledUnder(state, pause).length === 0)
    .map(({ pause }) => ({ kind: 'paused', term: state.election.term, pause }));
