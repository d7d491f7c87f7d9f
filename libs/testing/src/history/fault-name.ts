import type { FaultLine } from './history.js';

/** What ends a disturbance, and orders that were not carried out. */
const NO_FAULTS: ReadonlySet<string> = new Set(['continue', 'start', 'heal', 'refused']);
const STRIKES_PROCESSES: ReadonlySet<string> = new Set(['kill', 'pause', 'stop']);

/** What a fault was and which kind of process it struck, as `kill replicator`; none for what is no disturbance. */
export function faultName({ f, value }: FaultLine): readonly string[] {
  if (NO_FAULTS.has(f) || (f === 'swallow' && value.endsWith(' 0'))) return [];
  if (!STRIKES_PROCESSES.has(f)) return [f];
  const [first, process = 'process'] = value.split(' ');
  return [`${f} ${first === 'kafka' ? 'broker' : process}`];
}
