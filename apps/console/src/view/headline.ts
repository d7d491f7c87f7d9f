/** One sentence for whoever looks for one second: the worst that is known, then how much else there is. */
import type { Cluster } from '../facts.js';
import { regionRows, some, type Tone } from './region-rows.js';
import { plural } from './words.js';

export interface Headline {
  readonly tone: Tone;
  readonly text: string;
  readonly also: readonly string[];
}

export function headline(cluster: Cluster): Headline {
  const findings = [...quorumFindings(cluster), ...regionFindings(cluster), ...controlFindings(cluster)];
  const order: readonly Tone[] = ['bad', 'unknown', 'warning', 'well'];
  const sorted = order.flatMap((tone) => findings.filter((finding) => finding.tone === tone));
  const [first, ...others] = sorted;
  if (first === undefined) {
    const regions = plural(cluster.regions.length, 'region');
    return { tone: 'well', text: `All ${regions} are heard and go on; every quorum can be met.`, also: [] };
  }
  return { ...first, also: others.map(({ text }) => text) };
}

type Finding = Pick<Headline, 'tone' | 'text'>;

function quorumFindings({ quorums }: Cluster): readonly Finding[] {
  const lost = quorums.filter(({ reachable }) => reachable === false).map(({ shard }) => shard);
  const unknown = quorums.filter(({ reachable }) => reachable === null).map(({ shard }) => shard);
  return [
    ...(lost.length === 0
      ? []
      : [{ tone: 'bad' as const, text: `The quorum of ${some(lost)} cannot be met now.` }]),
    ...(unknown.length === 0
      ? []
      : [{ tone: 'unknown' as const, text: `The quorum rule of ${some(unknown)} is unknown.` }]),
  ];
}

const regionFindings = (cluster: Cluster): readonly Finding[] =>
  regionRows(cluster, null)
    .filter(({ tone }) => tone !== 'well')
    .map(({ detail, region, tone }) => ({ tone, text: `${region}: ${detail}` }));

function controlFindings({ control, leader, paused, region }: Cluster): readonly Finding[] {
  const pauses = paused ?? [];
  return [
    ...(control.halted === null
      ? []
      : [{ tone: 'bad' as const, text: `${region} cannot read the control log on: ${control.halted}` }]),
    ...(control.current
      ? []
      : [
          {
            tone: 'unknown' as const,
            text: `${region} does not hear the control log: leader, moves and pauses may be others by now.`,
          },
        ]),
    ...(leader === null
      ? [{ tone: 'warning' as const, text: 'No coordinator leads: nothing can be moved.' }]
      : []),
    ...(pauses.length === 0
      ? []
      : [
          {
            tone: 'warning' as const,
            text: `Homes are kept where they are in ${some(pauses.map(({ scope }) => scope))}.`,
          },
        ]),
  ];
}
