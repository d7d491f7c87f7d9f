/** What was decided and what was not, by whom, and from which inputs. */
import { useState, type ReactNode } from 'react';
import type { Told } from '../ask.js';
import type { Decisions } from '../facts.js';
import { decisionItems, type DecisionItem } from '../view/decision-items.js';
import { agoWords, clockWords, plural } from '../view/words.js';
import { Age, Mark, Section } from './parts.js';

const SPANS = [
  ['all', 'all that is remembered', null],
  ['minute', 'the last minute', 60_000],
  ['hour', 'the last hour', 3_600_000],
] as const;
const BY = [
  ['all', 'anybody'],
  ['automation', 'the automation'],
  ['person', 'a person'],
] as const;

export function DecisionsPage({
  decisions,
  nowMs,
}: {
  decisions: Told<Decisions>;
  nowMs: number;
}): ReactNode {
  const [spanName, setSpan] = useState<string>('all');
  const [by, setBy] = useState<(typeof BY)[number][0]>('all');
  const [, spanText, spanMs] = SPANS.find(([name]) => name === spanName)!;
  const items =
    decisions.value === null
      ? null
      : decisionItems(decisions.value, { by, sinceMs: spanMs === null ? null : nowMs - spanMs });
  return (
    <Section title="Decisions">
      <div className="fields">
        <label>
          Decided in
          <select value={spanName} onChange={({ target }) => setSpan(target.value)}>
            {SPANS.map(([name, text]) => (
              <option key={name} value={name}>
                {text}
              </option>
            ))}
          </select>
        </label>
        <label>
          Decided by
          <select value={by} onChange={({ target }) => setBy(target.value as typeof by)}>
            {BY.map(([name, text]) => (
              <option key={name} value={name}>
                {text}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Age of={decisions} nowMs={nowMs} what="Decisions" />
      {items === null ? (
        <p>What was decided is unknown.</p>
      ) : (
        <>
          <p role="status">
            {items.length === 0
              ? `Nothing was decided by ${BY.find(([name]) => name === by)![1]} in ${spanText}.`
              : `${plural(items.length, 'decision')} shown, newest first.`}
          </p>
          <ol className="plain">
            {items.map((item) => (
              <li key={item.number}>
                <Item item={item} nowMs={nowMs} />
              </li>
            ))}
          </ol>
        </>
      )}
    </Section>
  );
}

const Item = ({ item, nowMs }: { item: DecisionItem; nowMs: number }): ReactNode => (
  <article className="card">
    <h3>
      <Mark tone={item.tone}>{item.title}</Mark>
    </h3>
    <p className="detail">
      Decision {item.number}
      {item.at === null ? '' : `, ${clockWords(item.at)} UTC, ${agoWords(item.at, nowMs)}`}, by{' '}
      {item.by === 'automation' ? 'the automation' : 'a person'}
    </p>
    <p>{item.why}</p>
    <details>
      <summary>
        Inputs and result<span className="hidden"> of decision {item.number}</span>
      </summary>
      <dl>
        {item.inputs.map(([label, text], index) => (
          <div key={`${label} ${index}`}>
            <dt>{label}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </details>
  </article>
);
