/** Follows one write: what every region knows of it now, why it was rejected if it was, and its trace. */
import { useState, type FormEvent, type ReactNode } from 'react';
import { ask } from '../ask.js';
import type { ConsoleFacts, Problem, Receipt } from '../facts.js';
import {
  holderWords,
  readSought,
  traceLink,
  writePath,
  type Asked,
  type Sought,
} from '../view/write-path.js';
import { Mark, Section, Table } from './parts.js';

interface WritePageProps {
  readonly datasets: readonly string[];
  readonly regions: readonly string[];
  readonly console: ConsoleFacts | null;
}

interface Found {
  readonly sought: Sought;
  readonly dataset: string;
  readonly told: ReadonlyMap<string, Asked>;
}

export function WritePage({ console: facts, datasets, regions }: WritePageProps): ReactNode {
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState('');
  const [complaint, setComplaint] = useState<string | null>(null);
  const [isAsking, setAsking] = useState(false);
  const [found, setFound] = useState<Found | null>(null);
  const dataset = chosen === '' ? (datasets[0] ?? '') : chosen;

  async function follow(event: FormEvent): Promise<void> {
    event.preventDefault();
    const sought = readSought(text);
    if (sought === null) {
      setComplaint('Give the idempotency key, or paste the whole answer that the writer got.');
      return;
    }
    setComplaint(null);
    setAsking(true);
    const asked = sought.dataset ?? dataset;
    const answers = await Promise.all(regions.map((region) => askReceipt(region, asked, sought.key)));
    setFound({ sought, dataset: asked, told: new Map(answers) });
    setAsking(false);
  }

  return (
    <Section title="Follow one write" note="By its idempotency key, or by the answer that its writer got.">
      <form className="fields" onSubmit={(event) => void follow(event)}>
        <label>
          Dataset
          <select value={dataset} onChange={({ target }) => setChosen(target.value)}>
            {datasets.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label className="wide">
          Idempotency key, receipt or problem
          <textarea
            rows={2}
            value={text}
            aria-invalid={complaint !== null}
            aria-describedby={complaint === null ? undefined : 'write-complaint'}
            onChange={({ target }) => setText(target.value)}
          />
        </label>
        <button type="submit" disabled={isAsking}>
          {isAsking ? 'Asking …' : 'Follow'}
        </button>
      </form>
      {complaint === null ? null : (
        <p id="write-complaint" role="alert">
          <Mark tone="bad">{complaint}</Mark>
        </p>
      )}
      <div aria-live="polite">
        {found === null ? null : <Path found={found} tracesUrl={facts?.tracesUrl ?? null} />}
      </div>
    </Section>
  );
}

function Path({ found, tracesUrl }: { found: Found; tracesUrl: string | null }): ReactNode {
  const { sought, told } = found;
  const path = writePath(told);
  const link = traceLink(tracesUrl, sought.traceId);
  return (
    <div className={`answer ${path.tone}`}>
      <p className="verdict">
        <Mark tone={path.tone}>{path.text}</Mark>
      </p>
      {path.why === null ? null : <p>{path.why}</p>}
      {path.tone === 'well' ? <p>{holderWords(path.holders)}</p> : null}
      <Table
        caption={`Key ${sought.key} of ${found.dataset}: when each stage was reached, as each region tells it (UTC)`}
        columns={['Stage', ...told.keys()]}
        rows={path.stages.map(({ cells, stage }) => ({
          key: stage,
          cells: [stage, ...cells.map((cell) => cell.text)],
        }))}
      />
      <p>
        {link === null ? (
          sought.traceId === null ? (
            'Its trace id stands in the answer that its writer got; paste that answer to be led to the trace.'
          ) : (
            <>
              Trace id <code>{sought.traceId}</code>; this cluster told no place where traces are looked at.
            </>
          )
        ) : (
          <a href={link}>Its trace in Jaeger</a>
        )}
      </p>
    </div>
  );
}

async function askReceipt(region: string, dataset: string, key: string): Promise<readonly [string, Asked]> {
  const path = `/v1/regions/${region}/datasets/${encodeURIComponent(dataset)}/receipts/${encodeURIComponent(key)}`;
  const answer = await ask<Receipt>(path);
  switch (answer.kind) {
    case 'told':
      return [region, { kind: 'receipt', receipt: answer.value }];
    case 'refused':
      return [region, { kind: 'refused', problem: answer.problem }];
    case 'silent':
      return [region, { kind: 'refused', problem: silence(answer.detail) }];
  }
}

const silence = (detail: string): Problem => ({
  code: 'region-silent',
  title: 'The coordinator did not answer',
  detail,
  next: 'Ask again.',
});
