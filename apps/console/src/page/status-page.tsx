/** For people outside, who only want to know whether they can write. */
import type { ReactNode } from 'react';
import { useToldBy } from '../ask.js';
import type { WriteStatuses } from '../facts.js';
import { statusHeadline, statusRows } from '../view/write-status.js';
import { Age, isOld, Mark, Section, Table } from './parts.js';

export function StatusPage({ nowMs, order }: { nowMs: number; order: readonly string[] }): ReactNode {
  const status = useToldBy<WriteStatuses>(
    order.map((region) => `/v1/regions/${region}/status`),
    2_000,
  );
  const rows = status.value === null ? null : statusRows(status.value);
  const headline = rows === null || isOld(status, nowMs) ? null : statusHeadline(rows);
  return (
    <Section title="Can I write now?">
      <p className={`headline ${headline?.tone ?? 'unknown'}`} role="status">
        <Mark tone={headline?.tone ?? 'unknown'}>{headline?.text ?? 'Not known at this moment.'}</Mark>
      </p>
      {rows === null ? null : (
        <Table
          caption="Writes by kind of data"
          columns={['Data', 'Writes']}
          rows={rows.map(({ dataset, text, tone }) => ({
            key: dataset,
            cells: [dataset, <Mark tone={tone}>{text}</Mark>],
          }))}
        />
      )}
      <Age of={status} nowMs={nowMs} what="Status" />
    </Section>
  );
}
