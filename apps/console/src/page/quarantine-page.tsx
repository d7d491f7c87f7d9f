/** What did not take effect where it was written: late writes of former homes, undone entries of outboxes, and what is parked. */
import { useState, type ReactNode } from 'react';
import { useTold } from '../ask.js';
import type { Quarantine, Shards } from '../facts.js';
import { byShard, clockWords, plural } from '../view/words.js';
import { Age, Section, Table } from './parts.js';

function settledWords({ asked, settled }: NonNullable<Quarantine['undone']>[number]): string {
  if (settled !== null) {
    const why = settled.why === settled.as ? '' : ` (${settled.why})`;
    return `${settled.as}${why}, by ${settled.by}`;
  }
  return asked === null ? 'not yet' : `not known, asked for by ${asked.by}`;
}

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
  const undone = quarantine.value?.undone ?? null;
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
        title="Undone entries of an outbox"
        note={`Services of ${region} had stored them; the log has not taken them. They wait for a person: lockstep quarantine reapply, or discard.`}
      >
        {undone === null ? (
          <p>What {region} keeps is unknown.</p>
        ) : undone.length === 0 ? (
          <p>{region} keeps none.</p>
        ) : (
          <Table
            caption={`Undone entries that ${region} keeps, those that nobody has settled first`}
            columns={['Entry', 'Shard', 'Key', 'Stored at (UTC)', 'Undone because', 'Settled']}
            rows={undone.map((entry) => ({
              key: entry.id,
              cells: [
                entry.id,
                entry.shard,
                entry.key,
                clockWords(entry.storedAt),
                entry.reason,
                settledWords(entry),
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
