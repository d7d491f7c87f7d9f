/**
 * The limit that applying is held against: the same events as parsed objects in memory, coalesced and sorted by key,
 * written with their cursors in one statement a batch, on one connection or on two that share no shard.
 *
 * It does nothing that an applier must do besides (no log, no parsing, no verdicts, no hashes, no sessions, no lease), and
 * builds a batch while the one before is written. In a thread of its own: whoever is measured beside it would pay for its
 * heap, and it shall be as warm in every round as everyone.
 */
import { on, once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { openApplyStore } from '@lockstep/postgres';
import type { ShardName } from '@lockstep/protocol';
import pg from 'pg';
import type { Stopwatch } from './benchmark.ts';
import { parsed } from './sample-writes.ts';
import type { Work } from './work.ts';

/** How a batch reaches the table. */
export type Shape = 'unnest' | 'values' | 'json' | 'merge';

export interface Manner {
  readonly shape: Shape;
  readonly rows: number;
  readonly connections: 1 | 2;
  /** Whether a batch is built while the one before is under way. */
  readonly ahead: boolean;
}

interface Event {
  readonly shard: ShardName;
  readonly key: string;
  readonly version: number;
  readonly sensor: string;
  readonly value: number;
  readonly at: string;
}

/** What the thread says: connected and about to begin; all is committed, in so many statements; connections are closed. */
type Word = 'begun' | 'closed' | { readonly statements: number };

export class MemoryLimit {
  readonly #work: Pick<Work, 'entries' | 'shards'>;
  #thread: Worker | null = null;

  constructor(work: Pick<Work, 'entries' | 'shards'>) {
    this.#work = work;
  }

  /** Answers how many statements it took. */
  async run(manner: Manner, url: string, watch: Stopwatch): Promise<number> {
    const { entries, shards } = this.#work;
    const thread = (this.#thread ??= new Worker(new URL(import.meta.url), {
      workerData: {
        shards,
        entries: entries.map(({ partition, text }) => [partition, text] satisfies Given[number]),
      },
    }));
    const hear = async (): Promise<Word> => ((await once(thread, 'message')) as [Word])[0];
    thread.postMessage({ manner, url });
    await hear();
    watch.start();
    const done = await hear();
    watch.stop();
    if (typeof done === 'string') throw new Error(`the thread is ${done} before it is done`);
    // Only now: of a database process that ends while the watch is read, the time would be lost.
    thread.postMessage('close');
    await hear();
    return done.statements;
  }

  async close(): Promise<void> {
    await this.#thread?.terminate();
  }
}

type Given = readonly (readonly [partition: number, text: string])[];

const TARGET = 'readings as t (id, lockstep_version, sensor, value, at)';
const ON_CONFLICT = `on conflict (id) do update set sensor = excluded.sensor, value = excluded.value, at = excluded.at,
  lockstep_version = excluded.lockstep_version
where t.lockstep_version < excluded.lockstep_version`;
const MOVED = `with moved as (
  update lockstep.cursor as c set sequence = e.sequence, log_offset = e.sequence
  from unnest($1::text[], $2::bigint[]) as e(shard, sequence) where c.shard = e.shard and c.sequence < e.sequence
)`;
const ARRAYS = 'unnest($3::text[], $4::bigint[], $5::text[], $6::double precision[], $7::timestamptz[])';

const STATEMENTS: Readonly<Record<Shape, (rows: number) => string>> = {
  unnest: () => `${MOVED} insert into ${TARGET} select * from ${ARRAYS} ${ON_CONFLICT}`,
  values: (rows) => {
    const tuples = Array.from({ length: rows }, (_, row) => {
      const $ = (column: number): string => `$${3 + row * 5 + column}`;
      return `(${$(0)}, ${$(1)}, ${$(2)}, ${$(3)}, ${$(4)})`;
    });
    return `${MOVED} insert into ${TARGET} values ${tuples.join(', ')} ${ON_CONFLICT}`;
  },
  json: () => `${MOVED} insert into ${TARGET} select key, version, sensor, value, at
from json_to_recordset($3::json) as r(key text, version bigint, sensor text, value double precision, at timestamptz)
${ON_CONFLICT}`,
  merge:
    () => `${MOVED} merge into readings as t using ${ARRAYS} as r(key, version, sensor, value, at) on t.id = r.key
when matched and t.lockstep_version < r.version
  then update set sensor = r.sensor, value = r.value, at = r.at, lockstep_version = r.version
when not matched then insert (id, lockstep_version, sensor, value, at) values (r.key, r.version, r.sensor, r.value, r.at)`,
};

function valuesOf(shape: Shape, rows: readonly Event[]): readonly unknown[] {
  switch (shape) {
    case 'unnest':
    case 'merge':
      return [
        literal(rows, (row) => row.key),
        literal(rows, (row) => row.version),
        literal(rows, (row) => row.sensor),
        literal(rows, (row) => row.value),
        literal(rows, (row) => row.at),
      ];
    case 'values':
      return rows.flatMap(({ key, version, sensor, value, at }) => [key, version, sensor, value, at]);
    case 'json':
      return [JSON.stringify(rows)];
  }
}

/** Nothing in readings needs more than quotes. */
function literal<T>(items: readonly T[], textOf: (item: T) => string | number): string {
  let text = '';
  for (const item of items) text += `,"${textOf(item)}"`;
  return `{${text.slice(1)}}`;
}

function statementOf(shape: Shape, batch: readonly Event[]): pg.QueryConfig {
  const last = new Map<string, Event>();
  const cursors = new Map<ShardName, number>();
  for (const event of batch) {
    last.set(event.key, event);
    cursors.set(event.shard, event.version);
  }
  const rows = [...last.values()].sort((x, y) => (x.key < y.key ? -1 : 1));
  const moved = [...cursors].sort(([x], [y]) => (x < y ? -1 : 1));
  return {
    name: `${shape}-${shape === 'values' ? rows.length : ''}`,
    text: STATEMENTS[shape](rows.length),
    values: [
      literal(moved, ([shard]) => shard),
      literal(moved, ([, version]) => version),
      ...valuesOf(shape, rows),
    ],
  };
}

async function writeAll(client: pg.Client, events: readonly Event[], manner: Manner): Promise<number> {
  let underWay: Promise<unknown> = Promise.resolve();
  let statements = 0;
  for (let from = 0; from < events.length; from += manner.rows) {
    if (!manner.ahead) await underWay;
    const statement = statementOf(manner.shape, events.slice(from, from + manner.rows));
    await underWay;
    underWay = client.query(statement);
    statements += 1;
  }
  await underWay;
  return statements;
}

if (!isMainThread) {
  const port = parentPort!;
  const { shards, entries } = workerData as {
    readonly shards: readonly ShardName[];
    readonly entries: Given;
  };
  // Behind the genesis of its shard.
  const versions = shards.map(() => 1);
  const events = entries.flatMap(([partition, text]): readonly Event[] => {
    versions[partition]! += 1;
    return parsed(text).map(({ key, data }) => ({
      shard: shards[partition]!,
      key,
      version: versions[partition]!,
      ...data,
    }));
  });
  const half = shards[Math.floor(shards.length / 2)]!;
  const isFirstHalf = new Map(shards.map((shard) => [shard, shards.indexOf(shard) < shards.indexOf(half)]));
  const lanes = {
    1: [events],
    2: [
      events.filter(({ shard }) => isFirstHalf.get(shard)),
      events.filter(({ shard }) => !isFirstHalf.get(shard)),
    ],
  };
  const say = (word: Word): void => port.postMessage(word);
  const orders = on(port, 'message');
  for await (const [order] of orders) {
    const { manner, url } = order as { readonly manner: Manner; readonly url: string };
    const store = await openApplyStore({ url });
    await store.ensureShards(shards);
    await store.close();
    const clients = lanes[manner.connections].map(() => new pg.Client({ connectionString: url }));
    for (const client of clients) await client.connect();
    say('begun');
    const statements = await Promise.all(
      lanes[manner.connections].map((lane, index) => writeAll(clients[index]!, lane, manner)),
    );
    say({ statements: statements.reduce((sum, one) => sum + one) });
    await orders.next();
    for (const client of clients) await client.end();
    say('closed');
  }
}
