/**
 * Snapshots of the control log, so that nothing of the control plane lives in a database (decision 0031): the leader appends one
 * every 1,000 entries; a coordinator that starts looks backwards for the latest one and folds from there; everybody
 * compares each one with its own state.
 */
import { decodeControlEntry, type ControlCommandOf } from './command.js';
import { foldControl, type ControlRecord } from './fold-control.js';
import {
  controlStateHash,
  controlStateJson,
  EMPTY_CONTROL_STATE,
  readControlState,
  type ControlState,
} from './state.js';

export const SNAPSHOT_INTERVAL = 1_000n;

/** The snapshot that the leader appends now; null when none is due. One that is superseded is due again. */
export function dueSnapshot(state: ControlState): ControlCommandOf<'snapshot'> | null {
  if (state.sequence - state.snapshotAt < SNAPSHOT_INTERVAL) return null;
  const stateJson = controlStateJson(state);
  return {
    kind: 'snapshot',
    term: state.election.term,
    at: state.sequence,
    hash: controlStateHash(stateJson),
    state: stateJson,
  };
}

export type ControlStart =
  /** Fold on from the record behind the snapshot (`offset` of the state + 1), or from the log's first record. */
  | { readonly kind: 'start'; readonly state: ControlState }
  /** No snapshot among these records: read records before them too. */
  | { readonly kind: 'look-further-back' }
  /** The log begins with neither its first record nor a usable snapshot: its beginning is lost. */
  | { readonly kind: 'lost'; readonly detail: string };

/**
 * Where a coordinator starts.
 * @param records in log order, without a gap between them, up to the log's end or beyond the latest snapshot.
 * @param isLogStart true when the first of them is the first that the log still holds.
 */
export function findControlStart(records: readonly ControlRecord[], isLogStart: boolean): ControlStart {
  for (let index = records.length - 1; index >= 0; index -= 1) {
    const state = stateOfSnapshot(records[index]!, records[index - 1] ?? null);
    if (state !== null) return { kind: 'start', state };
  }
  if (!isLogStart) return { kind: 'look-further-back' };
  const first = records[0];
  if (first === undefined || first.offset === 0n) return { kind: 'start', state: EMPTY_CONTROL_STATE };
  const detail = `the control log begins at offset ${first.offset} and holds no usable snapshot`;
  return { kind: 'lost', detail };
}

/**
 * The state behind a record that is a usable snapshot, or null.
 * @param before the record before it, null when that is not known.
 */
export function stateOfSnapshot(record: ControlRecord, before: ControlRecord | null): ControlState | null {
  const state = snapshotIn(record);
  if (state === null) return null;
  // Nothing may stand between the state and its snapshot; the offset before it says so, gaps in offsets included.
  const isAdjacent = before === null ? state.offset + 1n === record.offset : state.offset === before.offset;
  if (!isAdjacent) return null;
  const step = foldControl(state, record);
  return step.kind === 'folded' && step.verdict === 'accepted' ? step.state : null;
}

function snapshotIn({ valueText }: ControlRecord): ControlState | null {
  const decoded = decodeControlEntry(valueText);
  if (decoded.kind === 'refused' || decoded.value.command.kind !== 'snapshot') return null;
  const { at, hash, state } = decoded.value.command;
  if (controlStateHash(state) !== hash) return null;
  const read = readControlState(state);
  return read.kind === 'value' && read.value.sequence === at ? read.value : null;
}
