/** Another intent for the same rows, as somebody asks for it who takes an idempotency key for a second write. */
import type { HistoryEvent } from '../history/index.js';

/** As long and as well-formed as what it replaces, and never equal to it. */
export function otherPayload([first, ...others]: readonly HistoryEvent[]): readonly HistoryEvent[] {
  return first === undefined ? [] : [otherEvent(first), ...others];
}

function otherEvent(event: HistoryEvent): HistoryEvent {
  const changed = Object.entries(event.data).find(([name]) => CHANGED.has(name));
  // A payment says nothing of itself.
  if (changed === undefined) return { ...event, type: 'cancelled', data: { reason: 'another payload' } };
  const [name, value] = changed;
  const other = typeof value === 'number' ? value + 1 : `${String(value)}, another`;
  return { ...event, data: { ...event.data, [name]: other } };
}

/** Properties that may have any other value. */
const CHANGED: ReadonlySet<string> = new Set(['amount', 'total', 'value', 'owner', 'carrier', 'reason']);
