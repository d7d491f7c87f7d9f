/** Figures as people read them; what is not known is said to be. */
export const UNKNOWN = 'unknown';

export const countWords = (count: number | null | undefined): string =>
  count === null || count === undefined ? UNKNOWN : String(count).replaceAll(/\B(?=(\d{3})+$)/g, ' ');

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${countWords(count)} ${count === 1 ? one : many}`;

export function durationWords(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return UNKNOWN;
  if (ms < 10) return `${Math.round(10 * ms) / 10} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}

/** Of a time that was told: `17:03:12`, in UTC as everywhere in logs. */
export const clockWords = (at: string): string => /T(\d\d:\d\d:\d\d)/.exec(at)?.[1] ?? at;

export const agoWords = (at: string, nowMs: number): string =>
  `${durationWords(Math.max(0, nowMs - Date.parse(at)))} ago`;

/** Natural order: `readings/10` after `readings/9`. */
export function byShard(x: { readonly shard: string }, y: { readonly shard: string }): number {
  const [xDataset = '', xNumber] = x.shard.split('/');
  const [yDataset = '', yNumber] = y.shard.split('/');
  if (xDataset !== yDataset) return xDataset < yDataset ? -1 : 1;
  return Number(xNumber) - Number(yNumber);
}

export const datasetOf = (shard: string): string => shard.split('/')[0]!;
