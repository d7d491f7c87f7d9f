/** Is every region healthy, how far behind, who owns what, what was decided lately, what would be lost now: in one look. */
import { useRef, type ReactNode } from 'react';
import { ask, usePolled, useTold, type Answer, type Told } from '../ask.js';
import type { Canaries, Cluster, Decisions, History, RuleChanges, Shards } from '../facts.js';
import { linkTo } from '../place.js';
import { decisionItems } from '../view/decision-items.js';
import { latencyRows } from '../view/latencies.js';
import { lossRows } from '../view/losses.js';
import { lastToldQuorum, quorumRows } from '../view/quorum-rows.js';
import { lastTold, regionRows } from '../view/region-rows.js';
import { timeLine } from '../view/time-line.js';
import { mergedCanaries, sinceOf } from '../view/merged-canaries.js';
import { agoWords } from '../view/words.js';
import { Age, Mark, Section, Table } from './parts.js';
import { TimeLineChart } from './time-line-chart.js';

interface OverviewProps {
  readonly cluster: Cluster;
  /** Whoever told it does not answer any more. */
  readonly isSilent: boolean;
  readonly shards: Told<Shards>;
  readonly decisions: Told<Decisions>;
  readonly nowMs: number;
}

const DECISIONS_SHOWN = 3;

export function Overview({ cluster, decisions, isSilent, nowMs, shards }: OverviewProps): ReactNode {
  const history = useTold<History>('/v1/history', 3_000);
  const ruleChanges = useTold<RuleChanges>('/v1/rule-changes', 3_000);
  const names = cluster.regions.map(({ region }) => region);
  const canaries = useCanaries(names);
  const told: CanariesByRegion = (canaries.failure === null ? canaries.value : null) ?? new Map();
  const regions = regionRows(cluster, shards.value).map((row) => (isSilent ? lastTold(row) : row));
  const quorums = quorumRows(cluster.quorums, shards.value).map((row) =>
    isSilent ? lastToldQuorum(row) : row,
  );
  const losses = isSilent ? lossRows(names, [], null) : lossRows(names, cluster.failovers, shards.value);
  const line = timeLine(
    {
      canaries: told.get(cluster.region) ?? null,
      decisions: decisions.value,
      history: history.value,
      ruleChanges: ruleChanges.value,
    },
    nowMs,
  );
  const newest = decisions.value === null ? [] : decisionItems(decisions.value, { by: 'all', sinceMs: null });
  return (
    <>
      <Section title="Regions">
        <Table
          caption={`Regions as ${cluster.region} hears them`}
          columns={['Region', 'State', 'Records behind', 'Homes of shards']}
          rows={regions.map((row) => ({
            key: row.region,
            cells: [
              <>
                {row.region} {row.isLeader ? <span className="tag">leads, term {cluster.term}</span> : null}
              </>,
              <>
                <Mark tone={row.tone}>{row.state}</Mark>
                {row.tone === 'well' ? null : <span className="detail">{row.detail}</span>}
              </>,
              row.behind,
              row.homes,
            ],
          }))}
        />
      </Section>
      <LatencySection cluster={cluster} names={names} told={told} />
      <Section
        title="If a region were lost now"
        note="Its shards failed over. What is at risk stands in the log: it is lost only if the log were lost too."
      >
        <Table
          caption="What the loss of each region would cost now"
          columns={[
            'Region',
            'Its shards',
            'Can be moved',
            'Entries lost',
            'At risk: accepted',
            'At risk: quorum',
            'No writes for',
          ]}
          rows={losses.map((row) => ({
            key: row.region,
            cells: [
              row.region,
              row.shards,
              row.possible,
              row.lost,
              row.atRiskAccepted,
              row.atRiskQuorum,
              row.gap,
            ],
          }))}
        />
      </Section>
      <Section title="Decided last" note={<a href={linkTo('decisions')}>All decisions, with their inputs</a>}>
        {newest.length === 0 ? (
          <p>{decisions.value === null ? 'What was decided is unknown.' : 'Nothing has been decided yet.'}</p>
        ) : (
          <ul className="plain">
            {newest.slice(0, DECISIONS_SHOWN).map(({ at, number, title, tone, why }) => (
              <li key={number}>
                <Mark tone={tone}>{title}</Mark>
                <span className="detail">
                  {at === null ? '' : `${agoWords(at, nowMs)}. `}
                  {why}
                </span>
              </li>
            ))}
          </ul>
        )}
      </Section>
      <Section
        title="The last 15 minutes"
        note={`Strong reads that ${cluster.region} sends through the other regions, and what was decided meanwhile.`}
      >
        <TimeLineChart line={line} nowMs={nowMs} />
        <Age of={canaries} nowMs={nowMs} what="Canaries" />
      </Section>
      <Section title="Quorums">
        <Table
          caption="Quorum rule of each dataset"
          columns={['Dataset', 'Rule', 'State']}
          rows={quorums.map(({ dataset, rule, state, tone }) => ({
            key: dataset,
            cells: [dataset, rule, <Mark tone={tone}>{state}</Mark>],
          }))}
        />
      </Section>
    </>
  );
}

/** Each region's own view, asked from its own coordinator. */
function LatencySection({ cluster, names, told }: LatencyProps): ReactNode {
  return (
    <Section
      title="Between regions"
      note="How long a strong read takes: through the gateway, the log, the fold and the store."
    >
      <Table
        caption="Latency from each region (rows) to each other region (columns)"
        columns={['From', ...names.map((name) => `to ${name}`)]}
        rows={latencyRows(names, told).map(({ cells, from }) => ({
          key: from,
          cells: [
            from === cluster.region ? `${from} (here)` : from,
            ...cells.map(({ text, tone }) => (text === '–' ? text : <Mark tone={tone}>{text}</Mark>)),
          ],
        }))}
      />
    </Section>
  );
}

interface LatencyProps {
  readonly cluster: Cluster;
  readonly names: readonly string[];
  readonly told: CanariesByRegion;
}

/** Null of a region whose coordinator gives no answer now. */
type CanariesByRegion = ReadonlyMap<string, Canaries | null>;

function useCanaries(regions: readonly string[]): Told<CanariesByRegion> {
  const known = useRef(new Map<string, Canaries>());
  return usePolled(regions.join(' '), 2_000, async (names) => {
    const answers = await Promise.all(names.split(' ').map((region) => askCanaries(region, known.current)));
    if (answers.every(([, value]) => value === null))
      return { kind: 'silent', detail: 'no coordinator told any' } satisfies Answer<CanariesByRegion>;
    return { kind: 'told', value: new Map(answers) } satisfies Answer<CanariesByRegion>;
  });
}

async function askCanaries(
  region: string,
  known: Map<string, Canaries>,
): Promise<readonly [string, Canaries | null]> {
  const before = known.get(region) ?? null;
  const since = sinceOf(before);
  const query = since === null ? '' : `?since=${encodeURIComponent(since)}`;
  const answer = await ask<Canaries>(`/v1/regions/${region}/canaries${query}`);
  if (answer.kind !== 'told') return [region, null];
  const merged = mergedCanaries(before, answer.value);
  known.set(region, merged);
  return [region, merged];
}
