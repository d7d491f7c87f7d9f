/**
 * A client of all of Patroni's servers that loses no time by finding the primary: it has connections to each, asks first who
 * took the last write, and all others at once when that one does not take this one.
 */
import pg from 'pg';
import type { NodeName } from './patroni-cluster.ts';

const CONNECTIONS_MAX = 60;
const CONNECT_MS_MAX = 1_000;
const READ_ONLY = '25006';
/** What a server answers is a state; what happens to a connection is another code. */
const SQL_STATE = /^[0-9A-Z]{5}$/;

export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
  readonly msMax: number;
  /** Whether it may be done once more by somebody else when nobody knows whether it was done. */
  readonly isRepeatable: boolean;
}

export type Taken =
  { readonly outcome: 'accepted'; readonly by: NodeName } | { readonly outcome: 'refused' | 'unknown' };

export class PatroniClient {
  readonly #pools: ReadonlyMap<NodeName, pg.Pool>;
  #last: NodeName;

  constructor(urls: ReadonlyMap<NodeName, string>, primary: NodeName) {
    const pools = [...urls].map(([name, connectionString]) => {
      const pool = new pg.Pool({
        connectionString,
        max: CONNECTIONS_MAX,
        connectionTimeoutMillis: CONNECT_MS_MAX,
      });
      // Whoever asks next learns that the server is gone; untold, that would end the process.
      pool.on('error', () => undefined);
      pool.on('connect', (client) => client.on('error', () => undefined));
      return [name, pool] as const;
    });
    this.#pools = new Map(pools);
    this.#last = primary;
  }

  async write(statement: Statement): Promise<Taken> {
    const first = await this.#ask(this.#last, statement);
    if (first.outcome === 'accepted' || (first.outcome === 'unknown' && !statement.isRepeatable))
      return first;
    const others = [...this.#pools.keys()].filter((name) => name !== this.#last);
    const taken = await firstAccepted(others.map((name) => this.#ask(name, statement)));
    if (taken.outcome === 'accepted') this.#last = taken.by;
    return taken.outcome === 'refused' ? first : taken;
  }

  async rows(
    name: NodeName,
    text: string,
    values: readonly unknown[] = [],
  ): Promise<readonly pg.QueryResultRow[]> {
    return (await this.#pools.get(name)!.query(text, [...values])).rows;
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#pools.values()].map((pool) => pool.end()));
  }

  async #ask(name: NodeName, { msMax, text, values }: Statement): Promise<Taken> {
    let client: pg.PoolClient;
    try {
      client = await this.#pools.get(name)!.connect();
    } catch {
      return { outcome: 'refused' };
    }
    const config = { text, values: [...values], query_timeout: msMax };
    try {
      await client.query(config);
      client.release();
      return { outcome: 'accepted', by: name };
    } catch (error) {
      const { code } = error as { readonly code?: string };
      client.release(!SQL_STATE.test(code ?? ''));
      return { outcome: code === READ_ONLY ? 'refused' : 'unknown' };
    }
  }
}

/** As soon as one has accepted; else, when all have answered, whether one of them may have. */
function firstAccepted(asked: readonly Promise<Taken>[]): Promise<Taken> {
  return new Promise((resolve, reject) => {
    for (const one of asked) one.then((taken) => taken.outcome === 'accepted' && resolve(taken), reject);
    Promise.all(asked).then(
      (all) => resolve(all.find(({ outcome }) => outcome === 'unknown') ?? { outcome: 'refused' }),
      reject,
    );
  });
}
