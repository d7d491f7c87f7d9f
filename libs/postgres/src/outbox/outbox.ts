/**
 * The outbox of a service: entity changes of one transaction become one entry, stored in the same transaction.
 *
 * Entities say only which rows may change and in which shard; the changes themselves are what the database caught, under the
 * locks of the rows, so that neither a stale entity nor a second save in the transaction can tell a wrong story. Before the
 * first statement of a change the shard is held: the region owns it and keeps it until the transaction ends. Whatever the
 * listeners do not see, the database refuses at commit.
 */
import {
  compileConfiguration,
  eventsText,
  routeKey,
  shardName,
  type ConfigurationContent,
  type ConfigurationHash,
  type DatasetName,
  type EntryEvent,
  type Fingerprint,
  type FoldConfiguration,
  type KeyHash,
  type ShardName,
} from '@lockstep/protocol';
import type {
  DataSource,
  EntitySubscriberInterface,
  InsertEvent,
  QueryRunner,
  RecoverEvent,
  RemoveEvent,
  SoftRemoveEvent,
  TransactionCommitEvent,
  TransactionRollbackEvent,
  UpdateEvent,
} from 'typeorm';
import { OutboxError, refusalOf } from './outbox-error.js';
import { replicationOf, type Replication } from './replicated.js';
import { rowOf, type RowTexts } from './row-image.js';

/** How entries get their keys; the same as at the gateways, so that receipts are found under them. */
export interface OutboxIdentities {
  idempotencyKey(): string;
  keyHash(principal: string, idempotencyKey: string): KeyHash;
  fingerprint(canonicalEvents: string): Fingerprint;
}

/** Told once the transaction is committed. */
export interface StoredReceipt {
  /** Under this key a gateway tells how far the entry has got. */
  readonly id: string;
  readonly dataset: DatasetName;
  readonly shard: ShardName;
  readonly stage: 'stored';
}

interface UnitOfWork {
  /** Rows that entities have told of, by table and key. */
  readonly told: Set<string>;
  readonly held: Set<ShardName>;
  readonly entities: object[];
  /** What is under way: TypeORM asks for all entities of a save at once, and the connection takes one after the other. */
  last: Promise<unknown>;
  receipt: StoredReceipt | null;
}

interface Change {
  readonly id: string;
  readonly relation: string;
  readonly key: string;
  readonly before: RowTexts | null;
  readonly after: RowTexts | null;
}

export interface OutboxOptions {
  readonly identities: OutboxIdentities;
  /** In whose name the keys are kept. */
  readonly principal: string;
}

interface ChangeEvent extends Pick<InsertEvent<unknown>, 'metadata' | 'queryRunner'> {
  readonly entity?: unknown;
  readonly databaseEntity?: unknown;
}

export class Outbox implements EntitySubscriberInterface {
  private readonly work = new WeakMap<QueryRunner, UnitOfWork>();
  private readonly receipts = new WeakMap<object, StoredReceipt>();
  private readonly configurations = new Map<DatasetName, FoldConfiguration>();

  private constructor(
    private readonly source: DataSource,
    private readonly options: OutboxOptions,
  ) {}

  /** From then on changes of replicated entities of this data source are stored with their entries. */
  static attach(source: DataSource, options: OutboxOptions): Outbox {
    const outbox = new Outbox(source, options);
    source.subscribers.push(outbox);
    return outbox;
  }

  /** Of the transaction that last changed this entity and was committed; null before. */
  receiptOf(entity: object): StoredReceipt | null {
    return this.receipts.get(entity) ?? null;
  }

  async beforeInsert(event: InsertEvent<unknown>): Promise<void> {
    await this.beforeChange(event);
  }

  async beforeUpdate(event: UpdateEvent<unknown>): Promise<void> {
    // A query builder tells the values that it sets, and no row.
    const { databaseEntity, entity, metadata, queryRunner } = event;
    await this.beforeChange({
      entity: databaseEntity === undefined ? undefined : entity,
      metadata,
      queryRunner,
      databaseEntity,
    });
  }

  async beforeRemove(event: RemoveEvent<unknown>): Promise<void> {
    await this.beforeChange(event);
  }

  async beforeSoftRemove(event: SoftRemoveEvent<unknown>): Promise<void> {
    await this.beforeChange(event);
  }

  async beforeRecover(event: RecoverEvent<unknown>): Promise<void> {
    await this.beforeChange(event);
  }

  async beforeTransactionCommit({ queryRunner }: TransactionCommitEvent): Promise<void> {
    const work = this.work.get(queryRunner);
    if (work === undefined || depthOf(queryRunner) > 1) return;
    work.receipt = await this.storeEntry(queryRunner, work);
  }

  afterTransactionCommit({ queryRunner }: TransactionCommitEvent): void {
    const work = this.work.get(queryRunner);
    if (work === undefined || queryRunner.isTransactionActive) return;
    this.work.delete(queryRunner);
    if (work.receipt === null) return;
    for (const entity of work.entities) this.receipts.set(entity, work.receipt);
  }

  afterTransactionRollback({ queryRunner }: TransactionRollbackEvent): void {
    if (!queryRunner.isTransactionActive) this.work.delete(queryRunner);
  }

  private async beforeChange(event: ChangeEvent): Promise<void> {
    const { databaseEntity, entity, metadata, queryRunner } = event;
    const replication = replicationOf(metadata.target);
    if (replication === null) return;
    const { tableName } = metadata;
    if (!isObject(entity))
      throw new OutboxError('bulk-change', `Rows of ${tableName} were to be changed in bulk`);
    const key = keyOf(replication, entity) ?? keyOf(replication, databaseEntity);
    if (key === null)
      throw new OutboxError('bad-key', `An entity of ${tableName} has no text in "${replication.key}"`);
    if (!queryRunner.isTransactionActive)
      throw new OutboxError('bulk-change', `${tableName} was to be changed outside of a transaction`);
    const work = this.work.get(queryRunner) ?? this.begin(queryRunner);
    work.told.add(rowName(tableName, key));
    work.entities.push(entity);
    const held = work.last.then(() => this.holdShardOf(queryRunner, work, replication.dataset, key));
    work.last = held;
    // What is behind a refusal is refused with it, unasked: TypeORM rolls back at once. A savepoint may go on behind it.
    held.catch(() => {
      if (work.last === held) work.last = Promise.resolve();
    });
    await held;
  }

  private begin(queryRunner: QueryRunner): UnitOfWork {
    const work: UnitOfWork = {
      told: new Set(),
      held: new Set(),
      entities: [],
      last: Promise.resolve(),
      receipt: null,
    };
    this.work.set(queryRunner, work);
    return work;
  }

  private async holdShardOf(
    queryRunner: QueryRunner,
    work: UnitOfWork,
    dataset: DatasetName,
    key: string,
  ): Promise<void> {
    const shard = this.shardOf(await this.configurationOf(queryRunner, dataset), key);
    if (work.held.has(shard)) return;
    await this.hold(queryRunner, dataset, shard);
    work.held.add(shard);
  }

  private async hold(queryRunner: QueryRunner, dataset: DatasetName, shard: ShardName): Promise<void> {
    try {
      const [row] = (await queryRunner.query('select lockstep.enter_outbox($1) as configuration', [
        shard,
      ])) as readonly { readonly configuration: ConfigurationHash | null }[];
      const present = row?.configuration ?? null;
      if (present !== null && present !== this.configurations.get(dataset)?.hash)
        await this.loadConfiguration(queryRunner, dataset, present);
    } catch (error) {
      throw refusalOf(error) ?? error;
    }
  }

  /** Null when the transaction left every row as it was. */
  private async storeEntry(queryRunner: QueryRunner, work: UnitOfWork): Promise<StoredReceipt | null> {
    const changes = (await queryRunner.query(CHANGES)) as readonly Change[];
    if (changes.length === 0) return null;
    const events: EntryEvent[] = [];
    const shards = new Map<ShardName, DatasetName>();
    for (const change of changes) {
      const { key, relation } = change;
      const replication = this.replicationOfTable(relation);
      if (replication === null || !work.told.has(rowName(relation, key)))
        throw new OutboxError('bulk-change', `Row ${key} of ${relation} was changed past its entity`);
      const configuration = await this.configurationOf(queryRunner, replication.dataset);
      shards.set(this.shardOf(configuration, key), replication.dataset);
      for (const event of eventsOf(replication, configuration, change)) events.push(event);
    }
    const [[shard, dataset], ...others] = [...shards] as [
      [ShardName, DatasetName],
      ...[ShardName, DatasetName][],
    ];
    if (others.length > 0) {
      const names = [...shards.keys()].toSorted().join(', ');
      throw new OutboxError('several-shards', `The transaction changed rows of several shards: ${names}`);
    }
    const body = eventsText(events);
    const { limits } = this.configurations.get(dataset)!.content;
    if (events.length > limits.eventsPerEntryMax || Buffer.byteLength(body) > limits.entryBytesMax) {
      const allowed = `${limits.eventsPerEntryMax} events and ${limits.entryBytesMax} bytes`;
      throw new OutboxError('too-large', `An entry of ${dataset} may have ${allowed}`);
    }
    const { identities, principal } = this.options;
    const id = identities.idempotencyKey();
    try {
      const parameters = [
        shard,
        identities.keyHash(principal, id),
        identities.fingerprint(body),
        id,
        events[0]!.key,
        body,
      ];
      await queryRunner.query(STORE, parameters);
    } catch (error) {
      throw refusalOf(error) ?? error;
    }
    return { id, dataset, shard, stage: 'stored' };
  }

  private replicationOfTable(table: string): Replication | null {
    const metadata = this.source.entityMetadatas.find(
      ({ tableName, target }) => tableName === table && replicationOf(target) !== null,
    );
    return metadata === undefined ? null : replicationOf(metadata.target);
  }

  private shardOf({ content }: FoldConfiguration, key: string): ShardName {
    const route = routeKey(content.groups, key);
    if (route.kind === 'shard') return shardName(content.dataset, route.partition);
    throw new OutboxError('bad-key', `"${key}" is no key of ${content.dataset}`);
  }

  private async configurationOf(queryRunner: QueryRunner, dataset: DatasetName): Promise<FoldConfiguration> {
    const known = this.configurations.get(dataset);
    if (known !== undefined) return known;
    const [row] = (await queryRunner.query(CONFIGURATION_OF_DATASET, [dataset])) as readonly {
      readonly hash: ConfigurationHash;
    }[];
    if (row === undefined)
      throw new OutboxError('not-ready', `This region has not folded any configuration of ${dataset} yet`);
    return this.loadConfiguration(queryRunner, dataset, row.hash);
  }

  private async loadConfiguration(
    queryRunner: QueryRunner,
    dataset: DatasetName,
    hash: ConfigurationHash,
  ): Promise<FoldConfiguration> {
    const [row] = (await queryRunner.query('select content from lockstep.configuration where hash = $1', [
      hash,
    ])) as readonly { readonly content: ConfigurationContent }[];
    const content = row?.content;
    if (content?.writers !== 'outbox')
      throw new OutboxError('misconfigured', `Dataset ${dataset} does not say "writers: outbox"`);
    this.checkEntities(content);
    const configuration = compileConfiguration(hash, content, null);
    this.configurations.set(dataset, configuration);
    return configuration;
  }

  private checkEntities({ dataset, projection }: ConfigurationContent): void {
    const wrong = this.source.entityMetadatas.find(
      ({ tableName, target }) => replicationOf(target)?.dataset === dataset && tableName !== projection.table,
    );
    if (wrong !== undefined) {
      const detail = `${wrong.name} is kept in "${wrong.tableName}", and dataset ${dataset} in "${projection.table}"`;
      throw new OutboxError('misconfigured', detail);
    }
  }
}

function eventsOf(
  replication: Replication,
  { checkEvent, content }: FoldConfiguration,
  { after, before, key, relation }: Change,
): readonly EntryEvent[] {
  const { columns } = content.projection;
  const told = replication.events({
    before: before === null ? null : rowOf(columns, before),
    after: after === null ? null : rowOf(columns, after),
  });
  if (told.length === 0)
    throw new OutboxError(
      'no-events',
      `Row ${key} of ${relation} was changed, and \`events\` tells of nothing`,
    );
  return told.map(({ data, type, v = 1 }) => {
    // As the log will hold it: what JSON leaves out is not there.
    const event: EntryEvent = {
      key,
      type,
      v,
      data: JSON.parse(JSON.stringify(data)) as unknown,
      expectedVersion: null,
    };
    const misfit = checkEvent(event);
    if (misfit !== null) throw new OutboxError('schema', `Event "${type}" of row ${key}: ${misfit}`);
    return event;
  });
}

const texts = (image: string): string =>
  `(select jsonb_object_agg(e.key, e.value) from jsonb_each_text(c.${image}) as e)`;

/** Only the transaction's own are without an entry; rows that are again as they were are none. */
const CHANGES = `
select c.id::text, c.relation, c.key, ${texts('before')} as before, ${texts('after')} as after
from lockstep.outbox_change as c
where c.entry is null and c.before is distinct from c.after order by c.id`;

/** The entry, and the changes that are its. */
const STORE = `
with entry as (
  insert into lockstep.outbox (shard, key, fingerprint, idempotency_key, first_key, body)
  values ($1, $2, $3, $4, $5, $6) returning id
)
update lockstep.outbox_change as c set entry = entry.id from entry
where c.entry is null and c.before is distinct from c.after`;

const CONFIGURATION_OF_DATASET = `
select c.configuration as hash from lockstep.cursor as c
where c.shard like $1 || '/%' and c.configuration is not null limit 1`;

const rowName = (table: string, key: string): string => `${table}\n${key}`;

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

function keyOf({ key }: Replication, entity: unknown): string | null {
  const value: unknown = isObject(entity) ? (entity as { readonly [name: string]: unknown })[key] : null;
  return typeof value === 'string' ? value : null;
}

/** One in the outermost transaction, more within a savepoint; TypeORM tells it to its own drivers only. */
const depthOf = (queryRunner: QueryRunner): number =>
  (queryRunner as unknown as { readonly transactionDepth: number }).transactionDepth;
