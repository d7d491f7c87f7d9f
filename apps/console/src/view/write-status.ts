/** For people outside: can each kind of data be written now? Nothing of how it is made stands here. */
import type { WriteStatuses } from '../facts.js';
import type { Tone } from './region-rows.js';
import { datasetOf, plural } from './words.js';

export interface StatusRow {
  readonly dataset: string;
  readonly tone: Tone;
  readonly text: string;
}

export function statusRows({ shards }: WriteStatuses): readonly StatusRow[] {
  const datasets = [...new Set(shards.map(({ shard }) => datasetOf(shard)))].sort();
  return datasets.map((dataset) => {
    const own = shards.filter(({ shard }) => datasetOf(shard) === dataset);
    const refused = own.filter(({ writes }) => writes === 'refused').length;
    const waiting = own.filter(({ writes }) => writes === 'waiting').length;
    const of = `of ${plural(own.length, 'part')}`;
    if (refused > 0) return { dataset, tone: 'bad', text: `Writes to ${refused} ${of} are not taken now.` };
    if (waiting > 0)
      return {
        dataset,
        tone: 'warning',
        text: `Writes to ${waiting} ${of} wait a moment: a move is under way.`,
      };
    return { dataset, tone: 'well', text: 'Writes are taken.' };
  });
}

export function statusHeadline(rows: readonly StatusRow[]): { readonly tone: Tone; readonly text: string } {
  if (rows.some(({ tone }) => tone === 'bad'))
    return { tone: 'bad', text: 'Some data cannot be written now.' };
  if (rows.some(({ tone }) => tone === 'warning'))
    return { tone: 'warning', text: 'Some writes wait a moment.' };
  return { tone: 'well', text: 'Everything can be written.' };
}
