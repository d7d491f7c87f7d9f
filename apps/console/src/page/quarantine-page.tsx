/** What did not take effect where it was written: late writes of former homes, and what is parked. */
import { useState, type ReactNode } from 'react';
import { useTold } from '../ask.js';
import type { Quarantine, Shards } from '../facts.js';
import { byShard, clockWords, plural } from '../view/words.js';
import { Age, Section, Table } from './parts.js';

interface QuarantinePageProps {
  readonly regions: readonly string[];
  readonly own: string;
  readonly shards: Shards | null;
  readonly nowMs: number;
}

export function QuarantinePage({ nowMs, own, regions, shards }: QuarantinePageProps): ReactNode {
  const [region, setRegion] = useState(own);
  const quarantine = useTold<Quarantine>(`/v1/regions/${region}/quarantine`, 3_000);
  const attempts = quarantine.value?.attempts ?? null;
  const parked = [...(shards?.shards ?? [])]
    .sort(byShard)
    .flatMap(({ regions: told, shard }) =>
      Object.entries(told).flatMap(([name, one]) =>
        one === null || one.parked.length === 0 ? [] : [{ shard, name, count: one.parked.length }],
      ),
    );
  return (
    <>
      <Section
        title="Late writes of former homes"
        note="They landed after their shard had moved, took no effect anywhere, and are kept to be looked at."
      >
        <div className="fields">
          <label>
            As kept by
            <select value={region} onChange={({ target }) => setRegion(target.value)}>
              {regions.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        </div>
        <Age of={quarantine} nowMs={nowMs} what={`Quarantine of ${region}`} />
        {attempts === null ? (
          <p>What {region} keeps is unknown.</p>
        ) : attempts.length === 0 ? (
          <p>{region} keeps none.</p>
        ) : (
          <Table
            caption={`Late writes that ${region} keeps, newest first`}
            columns={['Shard', 'Key', 'Written by', 'Epoch', 'At (UTC)', 'What became of its key']}
            rows={attempts.map((attempt) => ({
              key: `${attempt.shard} ${attempt.sequence}`,
              cells: [
                `${attempt.shard}, ${attempt.sequence}`,
                attempt.key,
                attempt.region,
                `${attempt.epoch}, the shard was in ${attempt.shardEpoch}`,
                clockWords(attempt.at),
                attempt.outcome === null
                  ? 'nothing that is known'
                  : `${attempt.outcome.verdict}, sequence ${attempt.outcome.sequence}`,
              ],
            }))}
          />
        )}
      </Section>
      <Section
        title="Parked entries"
        note="Entries whose effects cannot be applied in a region now; later ones of their keys wait behind them."
      >
        {shards === null ? (
          <p>What is parked is unknown.</p>
        ) : parked.length === 0 ? (
          <p>Nothing is parked in any region that is heard.</p>
        ) : (
          <Table
            caption="Parked entries by shard and region"
            columns={['Shard', 'Region', 'Parked']}
            rows={parked.map(({ count, name, shard }) => ({
              key: `${shard} ${name}`,
              cells: [shard, name, plural(count, 'entry', 'entries')],
            }))}
          />
        )}
      </Section>
    </>
  );
}
