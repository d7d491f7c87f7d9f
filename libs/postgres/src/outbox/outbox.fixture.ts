/**
 * Two regions over one log: each a database and replicators of the real engine; `eu` is the home of both shards of the
 * dataset `customers`, which services write through their outbox.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { DataSource, EntitySchema } from 'typeorm';
import {
  Quarantine,
  Replicator,
  ShardPublisher,
  topicsOf,
  type Clock,
  type Identities,
  type QuarantineOptions,
} from '@lockstep/engine';
import {
  answerJson,
  compileConfiguration,
  DEFAULT_LIMITS,
  DEFAULT_RETENTION,
  epoch,
  readWrite,
  routeKey,
  shardName,
  type ConfigurationContent,
  type ConfigurationHash,
  type ControlBody,
  type DatasetName,
  type EntryEvent,
  type Epoch,
  type Fingerprint,
  type GroupName,
  type Halt,
  type KeyHash,
  type LogIncarnation,
  type PublisherId,
  type RegionName,
} from '@lockstep/protocol';
import { memoryLog, realTimeCompletions } from '@lockstep/testing';
import {
  migrate,
  openApplyStore,
  openOutboxStore,
  openQueryStore,
  type PostgresQueryStore,
} from '../index.js';
import { Outbox } from './outbox.js';
import { Replicated, type ReplicatedEvent } from './replicated.js';

export const EU = 'eu' as RegionName;
export const US = 'us' as RegionName;
export const DATASET = 'customers' as DatasetName;
export const SHARDS = [shardName(DATASET, 0), shardName(DATASET, 1)] as const;

/** Keys of the first and the second shard. */
export const ANN = 'eu:ann';
export const OTHER_SHARD = 'eu:dan';

const HASH = 'c'.repeat(64) as ConfigurationHash;
const text = { type: 'string', maxLength: 100 } as const;

const content: ConfigurationContent = {
  formatVersion: 1,
  dataset: DATASET,
  class: 'standard',
  writers: 'outbox',
  keys: 'always',
  placement: 'stretched',
  quorum: null,
  groups: [{ name: 'eu' as GroupName, home: EU, firstShard: 0, shards: 2, regions: [EU, US] }],
  limits: DEFAULT_LIMITS,
  retention: DEFAULT_RETENTION,
  events: [
    {
      type: 'named',
      version: 1,
      schema: { type: 'object', required: ['name'], properties: { name: text }, additionalProperties: false },
    },
    {
      type: 'visited',
      version: 1,
      schema: {
        type: 'object',
        required: ['by'],
        properties: { by: { type: 'integer', minimum: 1, maximum: 1_000_000 } },
        additionalProperties: false,
      },
    },
    {
      type: 'left',
      version: 1,
      schema: { type: 'object', required: [], properties: {}, additionalProperties: false },
    },
  ],
  projection: {
    kind: 'rows',
    version: 1,
    table: 'customers',
    columns: [
      { name: 'name', type: 'text' },
      { name: 'visits', type: 'numeric' },
    ],
    reducer: {
      named: { set: { name: '$.name' } },
      visited: { add: { visits: '$.by' } },
      left: { delete: true },
    },
  },
};

export class Customer {
  id!: string;
  name!: string;
  visits!: string;
}

Replicated({
  dataset: DATASET,
  key: 'id',
  events: ({ after, before }) => {
    if (after === null) return [{ type: 'left', data: {} }];
    const events: ReplicatedEvent[] = [];
    if (after['name'] !== before?.['name']) events.push({ type: 'named', data: { name: after['name'] } });
    const by = Number(after['visits'] ?? 0) - Number(before?.['visits'] ?? 0);
    if (by !== 0) events.push({ type: 'visited', data: { by } });
    return events;
  },
})(Customer);

const CUSTOMERS = new EntitySchema<Customer>({
  name: 'Customer',
  target: Customer,
  tableName: 'customers',
  columns: {
    id: { type: 'text', primary: true },
    name: { type: 'text' },
    visits: { type: 'numeric' },
  },
});

export const customer = (id: string, name: string, visits = 1): Customer =>
  Object.assign(new Customer(), { id, name, visits: String(visits) });

const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms) => {
    let wake!: () => void;
    const done = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, ms));
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    return { done, wake };
  },
};

const hash = (of: string): string => createHash('sha256').update(of).digest('hex').slice(0, 32);
const hex = (bytes: number): string => randomBytes(bytes).toString('hex');

function newIdentities(): Identities {
  const publisherPrefix = hex(8);
  return {
    publisherPrefix,
    publisherId: () => (publisherPrefix + hex(8)) as PublisherId,
    logIncarnation: () => hex(16) as LogIncarnation,
    idempotencyKey: () => randomUUID(),
    traceId: () => hex(16),
    spanId: () => hex(8),
    fingerprint: (of) => hash(of) as Fingerprint,
    keyHash: (principal, key) => hash(`${principal}:${key}`) as KeyHash,
    random: () => 0.5,
  };
}

const observer = { report: (): void => undefined };

/** In place of the gateways: what is asked for is appended for the home, and told when a region has folded it. */
export interface Reapplying {
  readonly home: RegionName;
  readonly epoch: bigint;
  /** Of that many tries nobody hears what became of them; the log has them all the same. */
  unheard: number;
}

export interface RunningReplicator {
  stop(): Promise<void>;
}

export class TwoRegions {
  private readonly stores: PostgresQueryStore[] = [];

  /** Why shards were halted. */
  readonly halts: Halt[] = [];

  private constructor(
    private readonly log: ReturnType<typeof memoryLog>,
    private readonly urls: ReadonlyMap<RegionName, string>,
    private readonly clients: ReadonlyMap<RegionName, pg.Client>,
    private readonly admin: pg.Client,
    readonly source: DataSource,
    readonly outbox: Outbox,
  ) {}

  static async open(): Promise<TwoRegions> {
    const server = process.env['LOCKSTEP_TEST_POSTGRES'];
    if (server === undefined)
      throw new Error('LOCKSTEP_TEST_POSTGRES is not set: run the tests through npm test');
    const admin = new pg.Client({ connectionString: server });
    await admin.connect();
    const urls = new Map<RegionName, string>();
    const clients = new Map<RegionName, pg.Client>();
    for (const region of [EU, US]) {
      const name = `outbox_${region}_${hex(6)}`;
      await admin.query(`create database ${name}`);
      const url = new URL(server);
      url.pathname = `/${name}`;
      await migrate(url.href);
      const store = await openQueryStore({ url: url.href });
      const { columns, table } = content.projection;
      await store.ensureTable({ dataset: DATASET, table, columns }, 'outbox');
      // A second start finds everything as it must be.
      await store.ensureTable({ dataset: DATASET, table, columns }, 'outbox');
      await store.keepConfiguration(HASH, content);
      await store.close();
      const client = new pg.Client({ connectionString: url.href });
      client.on('error', () => undefined);
      await client.connect();
      urls.set(region, url.href);
      clients.set(region, client);
    }
    const source = new DataSource({ type: 'postgres', url: urls.get(EU)!, entities: [CUSTOMERS] });
    await source.initialize();
    const outbox = Outbox.attach(source, { identities: newIdentities(), principal: 'anonymous' });
    const completions = realTimeCompletions({
      nowMs: () => Date.now(),
      after: (ms, call) => {
        setTimeout(call, ms);
      },
    });
    const regions = new TwoRegions(memoryLog(completions), urls, clients, admin, source, outbox);
    await regions.begin();
    return regions;
  }

  private async begin(): Promise<void> {
    const { admin } = this.log.open();
    const datasets = new Map([
      [
        DATASET,
        {
          content,
          hash: HASH,
          logRetentionMs: 3_600_000_000,
          failover: 'manual' as const,
          openFirst: null,
          partitions: 2,
        },
      ],
    ]);
    const replication = { factor: 1, minInsyncReplicas: 1 };
    for (const topic of topicsOf({ compression: 'none', datasets, replication })) await admin.ensure(topic);
    for (const partition of [0, 1]) {
      await this.control(partition, {
        kind: 'genesis',
        logIncarnation: hex(16) as LogIncarnation,
        home: EU,
        configuration: HASH,
      } as ControlBody);
    }
  }

  private publisher(partition: number, region: RegionName): ShardPublisher {
    return new ShardPublisher({
      region,
      dataset: DATASET,
      shard: SHARDS[partition]!,
      partition,
      log: this.log.open(),
      clock,
      identities: newIdentities(),
      observer,
    });
  }

  async control(partition: number, body: ControlBody): Promise<void> {
    const publisher = this.publisher(partition, EU);
    const ticket = publisher.submit({
      publication: { kind: 'control', body },
      bytes: 100,
      notAfterMs: Date.now() + 60_000,
      giveUpAtMs: clock.monotonicMs() + 10_000,
      span: null,
    });
    const published = await ticket!.settled;
    await publisher.close();
    if (published.kind !== 'logged') throw new Error(`the log did not take ${body.kind}`);
  }

  fence(partition: number, from: number, home: RegionName): Promise<void> {
    return this.control(partition, {
      kind: 'fence',
      expectedEpoch: BigInt(from) as Epoch,
      epoch: BigInt(from + 1) as Epoch,
      home,
      term: 1n,
      decision: BigInt(from),
    });
  }

  replicate(region: RegionName, { relays = true } = {}): RunningReplicator {
    const url = this.urls.get(region)!;
    const identities = newIdentities();
    const configuration = compileConfiguration(HASH, content, null);
    const { columns, table } = content.projection;
    const replicator = new Replicator({
      region,
      instance: identities.publisherPrefix,
      datasets: [{ table: { dataset: DATASET, table, columns }, partitions: 2 }],
      log: this.log.open(),
      openStore: () => openApplyStore({ url }),
      outbox: relays
        ? {
            datasets: new Set([DATASET]),
            openStore: (onStored) => openOutboxStore({ url, onStored }),
            identities,
          }
        : null,
      configurations: (asked) => (asked === HASH ? configuration : null),
      signatures: { isValid: () => true },
      refreshConfigurations: () => Promise.resolve(),
      observer: { report: (fact) => void (fact.kind === 'shard-halted' && this.halts.push(fact.halt)) },
      clock,
    });
    const running = replicator.run();
    return {
      stop: async () => {
        replicator.stop();
        await running;
      },
    };
  }

  /** Of the first home. */
  async openStore(): Promise<PostgresQueryStore> {
    const store = await openQueryStore({ url: this.urls.get(EU)! });
    this.stores.push(store);
    return store;
  }

  /** What the first home forgets by now is gone. */
  async clean(): Promise<void> {
    const store = await openApplyStore({ url: this.urls.get(EU)! });
    while ((await store.clean(SHARDS)) > 0);
    await store.close();
  }

  async openQuarantine(reapplying: Reapplying): Promise<Quarantine> {
    const store = await this.openStore();
    const { columns, table } = content.projection;
    const dataset = {
      configuration: compileConfiguration(HASH, content, null),
      table: { dataset: DATASET, table, columns },
      partitions: 2,
      openFirst: null,
    };
    return new Quarantine({
      region: EU,
      datasets: new Map([[DATASET, dataset]]),
      feed: { own: () => ({ logTimeMs: Date.now() }) } as unknown as QuarantineOptions['feed'],
      store,
      clock,
      write: (call) => this.reapply(store, reapplying, call),
    });
  }

  /** An entry past the outbox, as one that is applied again is. */
  async append(...events: readonly Pick<EntryEvent, 'key' | 'type' | 'data'>[]): Promise<void> {
    const read = readWrite(JSON.stringify({ events }), compileConfiguration(HASH, content, null));
    if (read.kind === 'refused') throw new Error(read.problem.detail);
    const { partition } = routeKey(content.groups, events[0]!.key) as { readonly partition: number };
    const key = newIdentities().keyHash('anonymous', randomUUID());
    await this.publish(read.value.entry, { home: EU, epoch: 1n, partition, key });
  }

  private async publish(
    { events, text: value }: { readonly events: readonly { readonly key: string }[]; readonly text: string },
    by: {
      readonly home: RegionName;
      readonly epoch: bigint;
      readonly partition: number;
      readonly key: KeyHash;
    },
  ): Promise<void> {
    const publisher = this.publisher(by.partition, by.home);
    const ticket = publisher.submit({
      publication: {
        kind: 'data',
        key: events[0]!.key,
        value,
        idempotency: { key: by.key, fingerprint: newIdentities().fingerprint(value) },
        configuration: HASH,
        epoch: epoch(by.epoch),
      },
      bytes: value.length,
      notAfterMs: Date.now() + 60_000,
      giveUpAtMs: clock.monotonicMs() + 10_000,
      span: null,
    });
    const published = await ticket!.settled;
    await publisher.close();
    if (published.kind !== 'logged') throw new Error('the log did not take the entry');
  }

  private async reapply(
    store: PostgresQueryStore,
    reapplying: Reapplying,
    { body, caller, idempotencyKey }: Parameters<QuarantineOptions['write']>[0],
  ): ReturnType<QuarantineOptions['write']> {
    const read = readWrite(body, compileConfiguration(HASH, content, null));
    if (read.kind === 'refused') throw new Error(read.problem.detail);
    const key = newIdentities().keyHash(caller.principal, idempotencyKey!);
    const { shard } = (await store.undoneByKey(SHARDS, idempotencyKey!))!;
    await this.publish(read.value.entry, { ...reapplying, partition: SHARDS.indexOf(shard), key });
    if (reapplying.unheard > 0) {
      reapplying.unheard -= 1;
      return answerJson(202, { outcome: 'unknown' });
    }
    await this.folded(EU);
    const [hit] = await store.outcomes([shard], key);
    const { sequence, verdict } = hit!.outcome;
    const outcome = verdict === 'accepted' ? { outcome: 'accepted' } : { outcome: 'rejected', code: verdict };
    return answerJson(200, { ...outcome, sequence: Number(sequence) });
  }

  async query(region: RegionName, statement: string): Promise<readonly pg.QueryResultRow[]> {
    return (await this.clients.get(region)!.query(statement)).rows;
  }

  rows(region: RegionName): Promise<readonly pg.QueryResultRow[]> {
    return this.query(region, 'select * from public.customers order by id');
  }

  /** Keys of rows by the entries in quarantine, the oldest first. */
  async quarantined(): Promise<readonly { readonly reason: string; readonly rows: readonly string[] }[]> {
    const found = await this.query(
      EU,
      `select reason, (select array_agg(c ->> 'key' order by c ->> 'key') from jsonb_array_elements(changes) as c) as rows
       from lockstep.outbox_quarantine order by id`,
    );
    return found as never;
  }

  async count(region: RegionName, table: string): Promise<number> {
    const [row] = await this.query(region, `select count(*)::int as count from lockstep.${table}`);
    return (row as { count: number }).count;
  }

  /** All that stands in the log is folded by the region. */
  async folded(region: RegionName): Promise<void> {
    await until(async () => {
      const cursors = await this.query(region, 'select shard, log_offset::int as at from lockstep.cursor');
      return [0, 1].every((partition) => {
        const end = this.log.records(`lockstep.${DATASET}`, partition).length - 1;
        return cursors.some((cursor) => cursor['shard'] === SHARDS[partition] && cursor['at'] === end);
      });
    }, `${region} folds to the end`);
  }

  /** Nothing is left in the outbox, and both regions have folded everything. */
  async settled(): Promise<void> {
    await until(async () => (await this.count(EU, 'outbox')) === 0, 'the outbox is empty');
    await this.folded(EU);
    await this.folded(US);
  }

  async close(): Promise<void> {
    await this.source.destroy();
    for (const store of this.stores) await store.close();
    for (const client of this.clients.values()) await client.end();
    for (const url of this.urls.values())
      await this.admin.query(`drop database ${new URL(url).pathname.slice(1)} with (force)`);
    await this.admin.end();
  }
}

const WAIT_MS_MAX = 30_000;

async function until(isTrue: () => Promise<boolean>, what: string): Promise<void> {
  const giveUpAtMs = performance.now() + WAIT_MS_MAX;
  while (!(await isTrue())) {
    if (performance.now() > giveUpAtMs) throw new Error(`not in time: ${what}`);
    await clock.sleep(20).done;
  }
}
