/**
 * What would be lost if a region were lost now and its shards failed over: the sum over its shards, and unknown as soon as one of
 * them is.
 */
import type { Forecast, Shards } from '../facts.js';
import { countWords, durationWords, UNKNOWN } from './words.js';

export interface LossRow {
  readonly region: string;
  readonly shards: string;
  readonly possible: string;
  readonly lost: string;
  /** If the log were lost as well. */
  readonly atRiskAccepted: string;
  readonly atRiskQuorum: string;
  readonly gap: string;
}

export function lossRows(
  regions: readonly string[],
  forecasts: readonly Forecast[],
  shards: Shards | null,
): readonly LossRow[] {
  const homeOf = new Map(shards?.shards.map(({ home, shard }) => [shard, home]) ?? []);
  return regions.map((region) => {
    const homes = [...homeOf].filter(([, home]) => home === region).map(([shard]) => shard);
    const owned = forecasts.filter(({ shard }) => homeOf.get(shard) === region);
    if (shards === null || owned.length < homes.length)
      return unknownRow(region, shards === null ? null : homes.length);
    const allowed = owned.filter((forecast) => forecast.allowed).length;
    return {
      region,
      shards: countWords(owned.length),
      possible: allowed === owned.length ? 'all of them' : `${allowed} of ${owned.length}`,
      lost: countWords(sumOf(owned.map(({ entriesLost }) => entriesLost))),
      atRiskAccepted: countWords(sumOf(owned.map(({ atRisk }) => atRisk?.accepted))),
      atRiskQuorum: countWords(sumOf(owned.map(({ atRisk }) => atRisk?.quorum))),
      gap: gapOf(owned),
    };
  });
}

const unknownRow = (region: string, shards: number | null): LossRow => ({
  region,
  shards: countWords(shards),
  possible: UNKNOWN,
  lost: UNKNOWN,
  atRiskAccepted: UNKNOWN,
  atRiskQuorum: UNKNOWN,
  gap: UNKNOWN,
});

function sumOf(figures: readonly (number | null | undefined)[]): number | null {
  let sum = 0;
  for (const figure of figures) {
    if (figure === null || figure === undefined) return null;
    sum += figure;
  }
  return sum;
}

/** Shards move side by side: the slowest counts. */
function gapOf(owned: readonly Forecast[]): string {
  const times = owned.map(({ expectedMs }) => expectedMs ?? null);
  if (times.length === 0) return durationWords(0);
  return times.includes(null) ? UNKNOWN : durationWords(Math.max(...(times as number[])));
}
