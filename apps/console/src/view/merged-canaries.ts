/** Canaries that were told before, and what came since: only the difference is asked for each time. */
import type { Canaries } from '../facts.js';
import { WINDOW_MS } from './time-line.js';

/** What was counted in a slice may have grown since. */
const OVERLAP_MS = 10_000;

export const sinceOf = (before: Canaries | null): string | null =>
  before === null ? null : new Date(Date.parse(before.at) - OVERLAP_MS).toISOString();

export function mergedCanaries(before: Canaries | null, next: Canaries): Canaries {
  const fromMs = Date.parse(next.at) - WINDOW_MS;
  return {
    ...next,
    regions: next.regions.map(({ region, slices }) => {
      const known = before?.regions.find((one) => one.region === region)?.slices ?? [];
      const [firstNew] = slices;
      const kept = known.filter(
        ({ at }) => Date.parse(at) >= fromMs && (firstNew === undefined || at < firstNew.at),
      );
      return { region, slices: [...kept, ...slices] };
    }),
  };
}
