/** Who owns what: every shard with its home, epoch and place in each region, and a filter. */
import { useState, type ReactNode } from 'react';
import type { Told } from '../ask.js';
import type { Shards } from '../facts.js';
import { linkTo } from '../place.js';
import { shardRows } from '../view/shard-rows.js';
import { plural } from '../view/words.js';
import { Age, Mark, Section, Table } from './parts.js';

interface ShardsPageProps {
  readonly shards: Told<Shards>;
  readonly regions: readonly string[];
  readonly asked: string;
  readonly nowMs: number;
}

export function ShardsPage({ asked, nowMs, regions, shards }: ShardsPageProps): ReactNode {
  const [filter, setFilter] = useState(asked);
  const rows = shards.value === null ? null : shardRows(shards.value, regions, filter);
  return (
    <Section title="Shards">
      <div className="fields">
        <label>
          Filter: a shard, a home or a state
          <input
            type="search"
            value={filter}
            placeholder="accounts/0"
            onChange={({ target }) => setFilter(target.value)}
          />
        </label>
      </div>
      <Age of={shards} nowMs={nowMs} what="Shards" />
      {rows === null ? (
        <p>Who owns what is unknown.</p>
      ) : (
        <>
          <p role="status">
            {rows.length === 0 ? 'No shard fits the filter.' : `${plural(rows.length, 'shard')} shown.`}
          </p>
          <Table
            caption="Shards: home, epoch, and the sequence that each region has folded"
            columns={['Shard', 'Home', 'Epoch', 'State', ...regions, 'Parked', 'Act']}
            rows={rows.map((row) => ({
              key: row.shard,
              cells: [
                row.shard,
                row.home,
                row.epoch,
                <Mark tone={row.tone}>{row.state}</Mark>,
                ...row.regions.map(({ text, tone }) =>
                  tone === 'well' ? text : <Mark tone={tone}>{text}</Mark>,
                ),
                row.parked === 0 ? 'nothing' : plural(row.parked, 'entry', 'entries'),
                <a href={linkTo('move', { shard: row.shard })} aria-label={`Move ${row.shard}`}>
                  Move
                </a>,
              ],
            }))}
          />
        </>
      )}
    </Section>
  );
}
