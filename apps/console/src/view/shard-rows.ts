/** Who owns what, and how far each region is: rows of the table of shards, and which of them a filter leaves. */
import type { Shard, Shards } from '../facts.js';
import type { Tone } from './region-rows.js';
import { byShard, countWords, UNKNOWN } from './words.js';

export interface ShardRow {
  readonly shard: string;
  readonly home: string;
  readonly epoch: string;
  readonly tone: Tone;
  readonly state: string;
  readonly regions: readonly { readonly region: string; readonly tone: Tone; readonly text: string }[];
  readonly parked: number;
}

export const shardRows = (shards: Shards, regions: readonly string[], filter: string): readonly ShardRow[] =>
  [...shards.shards]
    .sort(byShard)
    .map((shard) => rowOf(shard, regions))
    .filter((row) => matches(row, filter));

function rowOf(
  { epoch, home, reason, regions: told, shard, state }: Shard,
  regions: readonly string[],
): ShardRow {
  return {
    shard,
    home: home ?? UNKNOWN,
    epoch: countWords(epoch),
    tone: state === 'open' ? 'well' : state === 'halted' ? 'bad' : 'unknown',
    state: reason === null ? state : `${state}: ${reason}`,
    regions: regions.map((region) => ({ region, ...placeOf(told[region] ?? null) })),
    parked: Object.values(told).reduce((sum, one) => sum + (one?.parked.length ?? 0), 0),
  };
}

function placeOf(told: Shard['regions'][string]): { readonly tone: Tone; readonly text: string } {
  if (told === null || told === undefined) return { tone: 'unknown', text: UNKNOWN };
  const place = countWords(told.sequence);
  if (told.differs) return { tone: 'bad', text: `${place}, differs` };
  if (told.halted !== null) return { tone: 'bad', text: `${place}, halted (${told.halted.code})` };
  if (told.withheld !== null) return { tone: 'warning', text: `${place}, does not vote` };
  if (told.lagRecords === null) return { tone: 'unknown', text: `${place}, lag unknown` };
  return {
    tone: 'well',
    text: told.lagRecords === 0 ? place : `${place}, ${countWords(told.lagRecords)} behind`,
  };
}

/** Every word must be the shard's name, or begin it, or begin its home or state. */
function matches({ home, shard, state }: ShardRow, filter: string): boolean {
  const words = filter.trim().toLowerCase().split(/\s+/);
  return words.every((word) =>
    [shard, home, state].some((text) => text.toLowerCase().startsWith(word.replace(/^home:/, ''))),
  );
}
