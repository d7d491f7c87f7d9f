/** The frame of every page: where one is, how the whole stands in one sentence, and how old that is. */
import { useState, type FormEvent, type ReactNode } from 'react';
import { giveToken, useNow, useTold, useToldBy, useTokenWanted, type Told } from './ask.js';
import type { Cluster, ConsoleFacts, Decisions, Shards } from './facts.js';
import { DecisionsPage } from './page/decisions-page.js';
import { MovePage } from './page/move-page.js';
import { Overview } from './page/overview.js';
import { Age, failureWords, isOld, Mark } from './page/parts.js';
import { QuarantinePage } from './page/quarantine-page.js';
import { ShardsPage } from './page/shards-page.js';
import { StatusPage } from './page/status-page.js';
import { WritePage } from './page/write-page.js';
import { linkTo, PAGES, usePlace, type Page } from './place.js';
import { headline } from './view/headline.js';
import { byShard, datasetOf } from './view/words.js';

export function App(): ReactNode {
  const { page, query } = usePlace();
  const nowMs = useNow();
  const cluster = useTold<Cluster>('/v1/cluster', 1_000);
  const isTokenWanted = useTokenWanted();
  return (
    <>
      <a className="skip" href="#main" onClick={skipToMain}>
        Skip to the page
      </a>
      <header>
        <h1>
          Lockstep
          {cluster.value === null ? null : (
            <span className="where">coordinator of {cluster.value.region}</span>
          )}
        </h1>
        <nav aria-label="Pages">
          <ul>
            {PAGES.map(([name, title]) => (
              <li key={name}>
                <a href={linkTo(name)} aria-current={name === page ? 'page' : undefined}>
                  {title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
      </header>
      <main id="main" tabIndex={-1}>
        {isTokenWanted ? <TokenForm /> : null}
        {page === 'status' ? null : <Standing cluster={cluster} nowMs={nowMs} />}
        {cluster.value === null ? null : (
          <PageOf
            page={page}
            cluster={cluster.value}
            isSilent={isOld(cluster, nowMs)}
            asked={query.get('shard') ?? ''}
            nowMs={nowMs}
          />
        )}
      </main>
    </>
  );
}

/** The link's target must not become the place that is open. */
function skipToMain(event: { preventDefault(): void }): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

/** Only its sentence is read out, and only when it changes. */
function Standing({ cluster, nowMs }: { cluster: Told<Cluster>; nowMs: number }): ReactNode {
  const { failure, value } = cluster;
  if (value === null)
    return (
      <p className="headline unknown" role="status">
        <Mark tone="unknown">
          {failure === null
            ? 'Asking the coordinator …'
            : `How the cluster stands is unknown. ${failureWords(failure)}`}
        </Mark>
      </p>
    );
  const { also, text, tone } = isOld(cluster, nowMs)
    ? {
        tone: 'unknown' as const,
        text: `The coordinator of ${value.region} does not answer: what is true now is unknown. Ask the console of another region.`,
        also: [],
      }
    : headline(value);
  return (
    <>
      <p className={`headline ${tone}`} role="status">
        <Mark tone={tone}>{text}</Mark>
      </p>
      {also.length === 0 ? null : (
        <ul className="also">
          {also.map((one) => (
            <li key={one}>{one}</li>
          ))}
        </ul>
      )}
      <Age of={cluster} nowMs={nowMs} what="Cluster" />
    </>
  );
}

interface PageProps {
  readonly page: Page;
  readonly cluster: Cluster;
  readonly isSilent: boolean;
  readonly asked: string;
  readonly nowMs: number;
}

function PageOf({ asked, cluster, isSilent, nowMs, page }: PageProps): ReactNode {
  const regions = cluster.regions.map(({ region }) => region);
  // Its own gateway first; where that gives no answer, another region's.
  const order = [cluster.region, ...regions.filter((region) => region !== cluster.region)];
  const shards = useToldBy<Shards>(
    page === 'status' ? null : order.map((region) => `/v1/regions/${region}/shards`),
    2_000,
  );
  const isDecided = page === 'overview' || page === 'decisions';
  const decisions = useTold<Decisions>(isDecided ? '/v1/decisions?limit=100' : null, 2_000);
  const facts = useTold<ConsoleFacts>(page === 'write' ? '/v1/console' : null, 60_000);
  const datasets = [...new Set([...cluster.quorums].sort(byShard).map(({ shard }) => datasetOf(shard)))];
  switch (page) {
    case 'overview':
      return (
        <Overview cluster={cluster} isSilent={isSilent} shards={shards} decisions={decisions} nowMs={nowMs} />
      );
    case 'shards':
      return <ShardsPage shards={shards} regions={regions} asked={asked} nowMs={nowMs} />;
    case 'decisions':
      return <DecisionsPage decisions={decisions} nowMs={nowMs} />;
    case 'write':
      return <WritePage datasets={datasets} regions={regions} console={facts.value} />;
    case 'move':
      return <MovePage key={asked} cluster={cluster} shards={shards.value} asked={asked} />;
    case 'quarantine':
      return <QuarantinePage regions={regions} own={cluster.region} shards={shards.value} nowMs={nowMs} />;
    case 'status':
      return <StatusPage order={order} nowMs={nowMs} />;
  }
}

function TokenForm(): ReactNode {
  const [text, setText] = useState('');
  function give(event: FormEvent): void {
    event.preventDefault();
    giveToken(text);
    setText('');
  }
  return (
    <form className="fields card" onSubmit={give}>
      <label className="wide">
        This coordinator asks who you are. Token, kept until this page is closed
        <input
          required
          type="password"
          autoComplete="off"
          value={text}
          onChange={({ target }) => setText(target.value)}
        />
      </label>
      <button type="submit">Use it</button>
    </form>
  );
}
