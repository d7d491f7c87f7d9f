/**
 * How long a strong read takes from one region through another: the newest slice of canaries. Older than `FRESH_MS` it says
 * nothing of now.
 */
import type { Canaries } from '../facts.js';
import type { Tone } from './region-rows.js';
import { durationWords, UNKNOWN } from './words.js';

const FRESH_MS = 10_000;

export interface LatencyCell {
  readonly to: string;
  readonly tone: Tone;
  readonly text: string;
}

/** @param told by region; null of a region whose coordinator did not tell. */
export function latencyRows(
  regions: readonly string[],
  told: ReadonlyMap<string, Canaries | null>,
): readonly { readonly from: string; readonly cells: readonly LatencyCell[] }[] {
  return regions.map((from) => ({
    from,
    cells: regions.map((to) => ({ to, ...cellOf(from === to ? 'itself' : (told.get(from) ?? null), to) })),
  }));
}

function cellOf(canaries: Canaries | 'itself' | null, to: string): Omit<LatencyCell, 'to'> {
  if (canaries === 'itself') return { tone: 'well', text: '–' };
  const slices = canaries?.regions.find(({ region }) => region === to)?.slices ?? [];
  const freshFromMs = Date.parse(canaries?.at ?? '') - FRESH_MS;
  const last = slices.findLast(({ at }) => Date.parse(at) >= freshFromMs);
  if (last === undefined) return { tone: 'unknown', text: UNKNOWN };
  const bad = last.refused + last.failed;
  if (last.meanMs === null) return { tone: 'bad', text: 'no answer' };
  if (bad > 0)
    return {
      tone: 'warning',
      text: `${durationWords(last.meanMs)}, ${bad} of ${bad + last.answered} failed`,
    };
  return { tone: 'well', text: durationWords(last.meanMs) };
}
