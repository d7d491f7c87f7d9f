/**
 * A thread that holds the commits of a recorded run and hands them to a database, as they are or as bare inserts.
 *
 * A thread of its own, because whoever is measured beside it would pay for a heap full of recorded rows with an eighth of
 * its speed; and one thread for all rounds, because its code shall be as warm as everyone's.
 */
import { on, once } from 'node:events';
import { deserialize, serialize } from 'node:v8';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { CommitRequest } from '@lockstep/engine';
import { openApplyStore } from '@lockstep/postgres';
import type { RowOperation } from '@lockstep/protocol';
import pg from 'pg';
import type { Stopwatch } from './benchmark.ts';

export type Manner = 'same statement' | 'bare insert';

/** What the thread says: connected and about to begin; all is committed; and, when it was told to, the connection is closed. */
type Word = 'begun' | 'done' | 'closed';

export class Replay {
  readonly #recorded: Buffer[] = [];
  #thread: Worker | null = null;

  record(request: CommitRequest): void {
    this.#recorded.push(serialize(request));
  }

  async run(manner: Manner, url: string, watch: Stopwatch): Promise<void> {
    const thread = (this.#thread ??= new Worker(new URL(import.meta.url), { workerData: this.#recorded }));
    const heard = async (word: Word): Promise<void> => {
      const [said] = (await once(thread, 'message')) as [Word];
      if (said !== word) throw new Error(`the replay is ${said}, not ${word}`);
    };
    thread.postMessage({ manner, url });
    await heard('begun');
    watch.start();
    await heard('done');
    watch.stop();
    // Only now: of a database process that ends while the watch is read, the time would be lost.
    thread.postMessage('close');
    await heard('closed');
  }

  async close(): Promise<void> {
    await this.#thread?.terminate();
  }
}

const INSERT_ALL = `
insert into readings as t (id, lockstep_version, sensor, value, at)
select * from unnest($1::text[], $2::bigint[], $3::text[], $4::double precision[], $5::timestamptz[])
on conflict (id) do update set sensor = excluded.sensor, value = excluded.value, at = excluded.at,
  lockstep_version = excluded.lockstep_version
where t.lockstep_version < excluded.lockstep_version`;

if (!isMainThread) {
  const port = parentPort!;
  const requests = (workerData as Uint8Array[]).map((bytes) => deserialize(bytes) as CommitRequest);
  const inserts = requests.map(({ rows }) => parametersOf(rows)).filter((parameters) => parameters !== null);
  const say = (word: Word): void => port.postMessage(word);

  /** Both answer how to close the connection. */
  const commitAll = async (url: string): Promise<() => Promise<void>> => {
    const store = await openApplyStore({ url });
    const shards = [...new Set(requests.flatMap((request) => request.shards.map(({ shard }) => shard)))];
    await store.ensureShards(shards);
    // Gives the numbers that the recorded commits name: the first ones.
    await store.claim({ holder: 'bench', shards, leaseMs: 60_000 });
    say('begun');
    for (const request of requests) {
      const { kind } = await store.commit(request);
      if (kind !== 'committed') throw new Error('a recorded commit does not fit the database');
    }
    return () => store.close();
  };

  const insertAll = async (url: string): Promise<() => Promise<void>> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    say('begun');
    for (const values of inserts)
      await client.query({ name: 'insert', text: INSERT_ALL, values: [...values] });
    return () => client.end();
  };

  const orders = on(port, 'message');
  for await (const [order] of orders) {
    const { manner, url } = order as { readonly manner: Manner; readonly url: string };
    const close = await (manner === 'same statement' ? commitAll(url) : insertAll(url));
    say('done');
    await orders.next();
    await close();
    say('closed');
  }
}

/** Null where nothing is put. */
function parametersOf(rows: readonly RowOperation[]): readonly string[] | null {
  const puts = rows.filter((row) => row.kind === 'put');
  if (puts.length === 0) return null;
  return [
    literal(puts.map(({ key }) => key)),
    literal(puts.map(({ version }) => version)),
    ...['sensor', 'value', 'at'].map((column) => literal(puts.map((put) => put.columns.get(column)!.value))),
  ];
}

/** Nothing in readings needs more than quotes. */
function literal(values: readonly unknown[]): string {
  return `{${values.map((value) => `"${String(value)}"`).join(',')}}`;
}
