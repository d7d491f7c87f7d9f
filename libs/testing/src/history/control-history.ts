/** A control log, folded once more as a whole, as its audits take it. */
import { EMPTY_CONTROL_STATE, foldControl, type ControlRecord } from '@lockstep/protocol';
import type { AuditedCommand, ControlHistory } from './control-audit.js';

/**
 * @param records from the first of the log on.
 * @param stood when a record of the control log came to stand, in the time of the history; null for one that is not told of.
 */
export function controlHistoryOf<Record extends ControlRecord>(
  records: Iterable<Record>,
  stood: (record: Record) => number | null,
  stoodAt: ControlHistory['stoodAt'],
): ControlHistory {
  const commands: AuditedCommand[] = [];
  let state = EMPTY_CONTROL_STATE;
  for (const record of records) {
    const step = foldControl(state, record);
    // No coordinator goes on behind it either.
    if (step.kind === 'halted') break;
    ({ state } = step);
    const { at, entry, verdict } = step;
    const t = stood(record);
    const { appendTimeMs } = record;
    if (entry !== null && t !== null) commands.push({ ...entry, at, t, appendTimeMs, verdict });
  }
  return { commands, finished: state.finished, stoodAt };
}
