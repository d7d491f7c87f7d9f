/**
 * How each region stands, from what one coordinator hears. A region that it does not hear is unknown, whatever was told before:
 * old figures are never shown as present ones. Bad beats unknown beats well.
 */
import type { Cluster, ClusterRegion, Shards } from '../facts.js';
import { countWords, plural, UNKNOWN } from './words.js';

export type Tone = 'well' | 'warning' | 'bad' | 'unknown';

export interface RegionRow {
  readonly region: string;
  readonly tone: Tone;
  readonly state: string;
  readonly detail: string;
  readonly isLeader: boolean;
  readonly homes: string;
  readonly behind: string;
}

/** Beyond it no move takes a region for a new home. */
const BEHIND_RECORDS_MAX = 10_000;

export const regionRows = (cluster: Cluster, shards: Shards | null): readonly RegionRow[] =>
  cluster.regions.map((region) => ({
    region: region.region,
    isLeader: cluster.leader === region.region,
    homes: homesOf(region.region, shards),
    behind: behindWords(region),
    ...stateOf(region, cluster),
  }));

/** What is left of a row once the coordinator that told it does not answer: what it was, and not that it is so. */
export const lastTold = ({ behind, homes, region, state }: RegionRow): RegionRow => ({
  region,
  isLeader: false,
  tone: 'unknown',
  state: UNKNOWN,
  detail: `Last told: ${state}.`,
  homes: `${UNKNOWN} (last told ${homes})`,
  behind: behind.startsWith(UNKNOWN) ? behind : `${UNKNOWN} (last told ${behind})`,
});

function stateOf(
  { region, shards, stream }: ClusterRegion,
  { doubts, region: teller }: Cluster,
): Pick<RegionRow, 'tone' | 'state' | 'detail'> {
  const differing = shards.filter(({ differs }) => differs).map(({ shard }) => shard);
  if (differing.length > 0)
    return { tone: 'bad', state: 'differs', detail: `Holds other data than the others: ${some(differing)}.` };
  const against = doubts.filter((doubt) => doubt.region === region);
  if (against.length > 0) {
    const evidence = against.map((doubt) => `${doubt.by}: ${doubt.evidence}`).join('; ');
    return { tone: 'bad', state: 'doubted', detail: `Found unfit by ${evidence}.` };
  }
  if (stream === 'disconnected')
    return {
      tone: 'unknown',
      state: 'not heard',
      detail: `${teller} does not hear its replicator: what is true there now is unknown.`,
    };
  const halted = shards.filter((shard) => shard.halted !== null);
  if (halted.length > 0)
    return {
      tone: 'bad',
      state: 'halted',
      detail: `${some(halted.map(({ shard }) => shard))} cannot go on: ${halted[0]!.halted!.detail}`,
    };
  const untold = shards.filter(({ lagRecords }) => lagRecords === null).map(({ shard }) => shard);
  if (untold.length > 0)
    return { tone: 'unknown', state: 'partly unknown', detail: `Has told nothing of ${some(untold)} yet.` };
  const withheld = shards.filter((shard) => shard.withheld !== null).map(({ shard }) => shard);
  if (withheld.length > 0)
    return { tone: 'warning', state: 'does not vote', detail: `Its vote is withheld on ${some(withheld)}.` };
  const behind = shards
    .filter(({ lagRecords }) => lagRecords! > BEHIND_RECORDS_MAX)
    .map(({ shard }) => shard);
  if (behind.length > 0)
    return { tone: 'warning', state: 'far behind', detail: `Too far behind to take over ${some(behind)}.` };
  return { tone: 'well', state: 'well', detail: 'Heard, and every shard goes on.' };
}

/** The shard that is furthest behind. */
function behindWords({ shards, stream }: ClusterRegion): string {
  const known = shards.filter(({ lagRecords }) => lagRecords !== null);
  const worst = known.reduce(
    (most, one) => (one.lagRecords! > (most?.lagRecords ?? -1) ? one : most),
    known[0],
  );
  if (worst === undefined) return UNKNOWN;
  if (stream === 'disconnected') return `${UNKNOWN} (last told ${countWords(worst.lagRecords)})`;
  if (known.length < shards.length) return `${UNKNOWN} in ${plural(shards.length - known.length, 'shard')}`;
  return worst.lagRecords === 0 ? '0' : `${countWords(worst.lagRecords)} (${worst.shard})`;
}

function homesOf(region: string, shards: Shards | null): string {
  if (shards === null) return UNKNOWN;
  const homes = shards.shards.filter(({ home }) => home === region).length;
  const unknown = shards.shards.filter(({ home }) => home === null).length;
  return unknown === 0 ? countWords(homes) : `${countWords(homes)}, ${countWords(unknown)} of unknown home`;
}

const NAMED_MAX = 3;

export const some = (names: readonly string[]): string =>
  names.length <= NAMED_MAX
    ? names.join(', ')
    : `${names.slice(0, NAMED_MAX).join(', ')} and ${names.length - NAMED_MAX} more`;
