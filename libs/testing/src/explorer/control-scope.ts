/** Worlds of two coordinators that are small enough to be explored whole. A decision is caught up when they begin. */
import type { ControlScope } from './control-world.js';

const NOTHING = { decisions: 0, pauses: 0, cancels: 0, crashes: 0, heartbeats: 0, late: 0, termsMax: 2 };

export const CONTROL_SCOPES: readonly ControlScope[] = [
  { ...NOTHING, name: 'another term takes over', late: 1, controlLengthMax: 10, shardLengthMax: 3 },
  { ...NOTHING, name: 'two decisions', decisions: 1, controlLengthMax: 10, shardLengthMax: 2 },
  { ...NOTHING, name: 'a pause', pauses: 1, late: 1, controlLengthMax: 9, shardLengthMax: 2 },
  { ...NOTHING, name: 'a cancel', cancels: 1, late: 1, controlLengthMax: 9, shardLengthMax: 2 },
  { ...NOTHING, name: 'a crash', crashes: 1, controlLengthMax: 10, shardLengthMax: 2 },
];
