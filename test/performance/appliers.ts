/**
 * The sides of every benchmark of applying: the real replicator on the real log, the limit from memory, and a transaction
 * for every row. Each works on a fresh database, and every round ends with a look at each row.
 */
import {
  Replicator,
  type ApplyStore,
  type BatchCommitted,
  type Fact,
  type Log,
  type Observer,
} from '@lockstep/engine';
import { nodeSignatureCheck } from '@lockstep/nest';
import { openApplyStore } from '@lockstep/postgres';
import type { RegionName } from '@lockstep/protocol';
import { topicOf } from '@lockstep/protocol';
import type { Side, Stopwatch } from './benchmark.ts';
import type { Manner, MemoryLimit } from './memory-limit.ts';
import { clock } from './real-world.ts';
import { parsed } from './sample-writes.ts';
import { connected, kafkaClient, type Servers } from './servers.ts';
import { differences, type Work } from './work.ts';

export const STATEMENTS = 'statements, each a round trip';
export const WAL_BYTES = 'WAL bytes';

export async function onFreshDatabase(
  servers: Servers,
  work: Work,
  watch: Stopwatch,
  apply: (url: string) => Promise<void>,
): Promise<number> {
  const database = await servers.createDatabase(work.template);
  const before = await servers.walBytes();
  await apply(database.url);
  watch.count(WAL_BYTES, (await servers.walBytes()) - before);
  const wrong = await differences(database.url, work);
  await database.drop();
  if (wrong > 0) throw new Error(`${wrong} rows are not what the entries make of them`);
  return work.events;
}

/** Starts the watch when all shards are taken, stops it when all is applied; any failure ends the measurement. */
class ApplyProgress implements Observer {
  readonly committed: BatchCommitted[] = [];
  readonly #watch: Stopwatch;
  readonly #taken: () => void;
  readonly #outcome = Promise.withResolvers<void>();
  #toTake: number;
  #toAccept: number;

  constructor(watch: Stopwatch, { shards, entries }: Work, taken: () => void) {
    this.#watch = watch;
    this.#taken = taken;
    this.#toTake = shards.length;
    // With the genesis of each shard.
    this.#toAccept = entries.length + shards.length;
  }

  get done(): Promise<void> {
    return this.#outcome.promise;
  }

  report(fact: Fact): void {
    if (fact.kind === 'watermark') {
      // The first watermarks say that a shard was taken; then fetching begins.
      this.#toTake -= 1;
      if (this.#toTake !== 0) return;
      this.#watch.start();
      this.#taken();
    } else if (fact.kind === 'batch-committed') {
      this.committed.push(fact);
      const accepted = fact.verdicts.get('accepted') ?? 0;
      if (accepted < fact.records) {
        const verdicts = JSON.stringify([...fact.verdicts]);
        this.#outcome.reject(new Error(`of ${fact.records} entries not all are accepted: ${verdicts}`));
      }
      this.#toAccept -= accepted;
      if (this.#toAccept > 0) return;
      this.#watch.stop();
      this.#outcome.resolve();
    } else if (fact.kind === 'shard-halted') {
      this.#outcome.reject(new Error(fact.halt.detail));
    } else if ('message' in fact) {
      this.#outcome.reject(new Error(`${fact.kind}: ${fact.message}`));
    }
  }
}

export interface Watching {
  /** Receives what each round committed. */
  readonly committed?: (batches: readonly BatchCommitted[]) => void;
  /** Is told every fact, as telemetry is in a role. */
  readonly observer?: Observer;
  /** All shards are taken and the watch runs. */
  readonly taken?: () => void;
}

export const byReplicator = (
  { servers, log }: { readonly servers: Servers; readonly log: Log },
  name: string,
  work: Work,
  watching: Watching = {},
): Side => ({
  name,
  measure: (watch) =>
    onFreshDatabase(servers, work, watch, (url) => replicate(log, work, { url, watch, ...watching })),
});

/** Until all of the work is applied. */
export async function replicate(
  log: Log,
  work: Work,
  {
    url,
    watch,
    committed,
    observer,
    taken = () => undefined,
  }: { readonly url: string; readonly watch: Stopwatch } & Watching,
): Promise<void> {
  const { configuration, partitions, table } = work.dataset;
  const progress = new ApplyProgress(watch, work, taken);
  const replicator = new Replicator({
    region: 'eu' as RegionName,
    instance: 'bench',
    datasets: [{ table, partitions }],
    log,
    openStore: async () => counting(await openApplyStore({ url }), watch),
    configurations: () => configuration,
    signatures: nodeSignatureCheck(),
    refreshConfigurations: () => Promise.resolve(),
    observer: {
      report: (fact) => {
        observer?.report(fact);
        progress.report(fact);
      },
    },
    clock,
  });
  const running = replicator.run();
  try {
    // What ends the replicator before its work is done ends the measurement.
    await Promise.race([progress.done, running]);
  } finally {
    replicator.stop();
    await running;
  }
  committed?.(progress.committed);
}

const counting = (store: ApplyStore, watch: Stopwatch): ApplyStore => ({
  ...store,
  read: (...of) => {
    watch.count(STATEMENTS, 1);
    return store.read(...of);
  },
  commit: (request) => {
    watch.count(STATEMENTS, 1);
    return store.commit(request);
  },
});

export const byMemory = (
  servers: Servers,
  name: string,
  { work, limit, manner }: { readonly work: Work; readonly limit: MemoryLimit; readonly manner: Manner },
): Side => ({
  name,
  measure: (watch) =>
    onFreshDatabase(servers, work, watch, async (url) => {
      watch.count(STATEMENTS, await limit.run(manner, url, watch));
    }),
});

export const INSERT_ONE = `
insert into readings as t (id, lockstep_version, sensor, value, at) values ($1, $2, $3, $4, $5)
on conflict (id) do update set sensor = excluded.sensor, value = excluded.value, at = excluded.at,
  lockstep_version = excluded.lockstep_version
where t.lockstep_version < excluded.lockstep_version`;

const MOVE_CURSOR = `
update lockstep.cursor set log_offset = $2, sequence = $3 where shard = $1 and log_offset < $2`;

/** Few rows: the rate of the slow way is steady long before its end. */
export const oneByOne = (servers: Servers, name: string, work: Work, count: number): Side => ({
  name,
  measure: async (watch) => {
    const database = await servers.createDatabase(work.template);
    const store = await openApplyStore({ url: database.url });
    await store.ensureShards(work.shards);
    await store.close();
    const client = await connected(database.url);
    const rows = work.entries
      .slice(0, count)
      .flatMap(({ partition, text }) =>
        parsed(text).map((event) => ({ shard: work.shards[partition]!, ...event })),
      )
      .slice(0, count);
    const before = await servers.walBytes();
    watch.start();
    for (const [index, { shard, key, data }] of rows.entries()) {
      const position = index + 1;
      const values = [key, position, data.sensor, data.value, data.at];
      await client.query('begin');
      await client.query({ name: 'row', text: INSERT_ONE, values });
      await client.query({ name: 'cursor', text: MOVE_CURSOR, values: [shard, position, position] });
      await client.query('commit');
    }
    watch.stop();
    watch.count(STATEMENTS, 4 * rows.length);
    watch.count(WAL_BYTES, (await servers.walBytes()) - before);
    const { rows: counted } = await client.query<{ count: string }>('select count(*) from readings');
    await client.end();
    await database.drop();
    const keys = new Set(rows.map(({ key }) => key)).size;
    if (Number(counted[0]!.count) !== keys) throw new Error(`${counted[0]!.count} rows, not ${keys}`);
    return rows.length;
  },
});

/** Reads the log with kafkajs and does nothing with it: what any consumer pays before it has done anything. */
export const rawConsume = (brokers: readonly string[], name: string, work: Work): Side => ({
  name,
  measure: async (watch) => {
    const kafka = kafkaClient(brokers);
    const consumer = kafka.consumer({ groupId: `bench-${performance.now()}` });
    const done = Promise.withResolvers<void>();
    // With the genesis of each shard.
    let left = work.entries.length + work.shards.length;
    await consumer.connect();
    await consumer.subscribe({ topic: topicOf(work.dataset.table.dataset), fromBeginning: true });
    let isFirst = true;
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: true,
      eachBatch: ({ batch }) => {
        if (isFirst) watch.start();
        isFirst = false;
        left -= batch.messages.length;
        if (left === 0) {
          watch.stop();
          done.resolve();
        }
        return Promise.resolve();
      },
    });
    await done.promise;
    await consumer.disconnect();
    return work.events;
  },
});
