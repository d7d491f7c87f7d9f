/** What every page is made of: a mark that never speaks by colour alone, a section, a table with a caption, an age. */
import { useId, type ReactNode } from 'react';
import type { Told } from '../ask.js';
import type { Problem } from '../facts.js';
import type { Tone } from '../view/region-rows.js';
import { durationWords } from '../view/words.js';

const SIGNS: { readonly [tone in Tone]: string } = { well: '✓', warning: '!', bad: '✕', unknown: '?' };

/** The sign is for eyes; the text says the same. */
export const Mark = ({ tone, children }: { tone: Tone; children: ReactNode }): ReactNode => (
  <span className={`mark ${tone}`}>
    <span className="sign" aria-hidden="true">
      {SIGNS[tone]}
    </span>
    <span>{children}</span>
  </span>
);

export function Section(props: { title: string; note?: ReactNode; children: ReactNode }): ReactNode {
  const id = useId();
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{props.title}</h2>
      {props.note === undefined ? null : <p className="note">{props.note}</p>}
      {props.children}
    </section>
  );
}

interface TableProps {
  readonly caption: string;
  readonly columns: readonly string[];
  readonly rows: readonly { readonly key: string; readonly cells: readonly ReactNode[] }[];
}

/**
 * The first column names its row. It scrolls by itself where it is wider than its place, by keyboard too. Narrow windows show rows
 * as cards, by a style that would take the table's meaning away from screen readers if the roles were not written down.
 */
export const Table = ({ caption, columns, rows }: TableProps): ReactNode => (
  <div className="table" role="region" aria-label={caption} tabIndex={0}>
    <table role="table">
      <caption>{caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th key={column} scope="col" role="columnheader">
              {column}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map(({ cells, key }) => (
          <tr key={key} role="row">
            {cells.map((cell, index) =>
              index === 0 ? (
                <th key={columns[index]} scope="row" role="rowheader">
                  {cell}
                </th>
              ) : (
                <td key={columns[index]} role="cell" data-label={columns[index]}>
                  {cell}
                </td>
              ),
            )}
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);

/** Facts older than this are not called present. */
const FRESH_MS = 5_000;

export function Age({
  of: { atMs, failure },
  nowMs,
  what,
}: {
  of: Told<unknown>;
  nowMs: number;
  what: string;
}): ReactNode {
  if (atMs === null && failure === null) return <p className="age">{what}: asking …</p>;
  const reason = failure === null ? '' : ` (${failureWords(failure)})`;
  if (atMs === null)
    return (
      <p className="age">
        <Mark tone="unknown">
          {what}: unknown{reason}
        </Mark>
      </p>
    );
  const ageMs = Math.max(0, nowMs - atMs);
  if (ageMs < FRESH_MS && failure === null)
    return (
      <p className="age">
        {what}: told {ageMs < 1_500 ? 'just now' : `${durationWords(1_000 * Math.round(ageMs / 1_000))} ago`}
      </p>
    );
  return (
    <p className="age">
      <Mark tone="unknown">
        {what}: as told {durationWords(ageMs)} ago, what is true now is unknown{reason}
      </Mark>
    </p>
  );
}

export const failureWords = (failure: Problem | string): string =>
  typeof failure === 'string' ? `no answer: ${failure}` : `${failure.title}: ${failure.detail}`;

export const isOld = ({ atMs, failure }: Told<unknown>, nowMs: number): boolean =>
  failure !== null || (atMs !== null && nowMs - atMs >= FRESH_MS);

export const ProblemNote = ({ problem }: { problem: Problem }): ReactNode => (
  <div className="answer bad" role="alert">
    <p>
      <Mark tone="bad">
        {problem.title} <code>{problem.code}</code>
      </Mark>
    </p>
    <p>{problem.detail}</p>
    <p>Next: {problem.next}</p>
  </div>
);
