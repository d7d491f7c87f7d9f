/** Work for an applier: entries of one dataset, and the rows that they must leave behind. */
import { shardsOf, type GatewayDataset, type Log, type SpanContext } from '@lockstep/engine';
import {
  compileConfiguration,
  decodeEvents,
  isDatasetName,
  type DatasetName,
  type EntryEvent,
  type ShardName,
} from '@lockstep/protocol';
import { migrate, openQueryStore } from '@lockstep/postgres';
import type { Entry } from './sample-writes.ts';
import { connected, type Database, type Servers } from './servers.ts';
import { ShardPublishers } from './shard-publishers.ts';

export interface Work {
  readonly dataset: GatewayDataset;
  readonly shards: readonly ShardName[];
  /** In the order of the log. */
  readonly entries: readonly Entry[];
  readonly events: number;
  /** The system's schema, the dataset's table, empty, and in `expected` the rows as they must become. */
  readonly template: Database;
}

type Columns = Readonly<Record<string, unknown>>;

/** What an event makes of a row, said once more and as plainly as can be: the fold is judged by it. */
const MODELS: Readonly<Record<string, (row: Columns | undefined, event: EntryEvent) => Columns>> = {
  readings: (_row, { data }) => data as Columns,
  orders: (row, { type, data }) => ({ ...row, ...(data as Columns), status: type }),
  accounts: (row, { type, data }) => {
    if (type === 'opened') return { ...(data as Columns), balance: 0 };
    const { amount } = data as { readonly amount: number };
    return { ...row, balance: (row!['balance'] as number) + (type === 'credited' ? amount : -amount) };
  },
};

/** At once: a publisher takes so many entries of one shard and no more. */
const FILL_ENTRIES = 5_000;

/**
 * Fills the dataset's log, which nobody has filled before, and prepares a database to apply it to.
 *
 * @param spanOf in which trace an entry was written, by its place among them.
 */
export async function prepareWork(
  { servers, log }: { readonly servers: Servers; readonly log: Log },
  dataset: GatewayDataset,
  entries: readonly Entry[],
  spanOf: (index: number) => SpanContext | null = () => null,
): Promise<Work> {
  const publishers = await ShardPublishers.open(log, dataset);
  for (let from = 0; from < entries.length; from += FILL_ENTRIES)
    await publishers.append(entries.slice(from, from + FILL_ENTRIES), (index) => spanOf(from + index));
  await publishers.close();
  return prepareRows(servers, dataset, entries);
}

/** What stands in no log yet, and a database to apply it to. */
export async function prepareRows(
  servers: Servers,
  dataset: GatewayDataset,
  entries: readonly Entry[],
): Promise<Work> {
  const { table } = dataset;
  const model = MODELS[table.table]!;
  const rows = new Map<string, Columns>();
  let events = 0;
  for (const { text } of entries) {
    for (const event of decodeEvents(text)!) {
      rows.set(event.key, model(rows.get(event.key), event));
      events += 1;
    }
  }
  const template = await servers.createDatabase();
  await prepareTables(template, dataset);
  const client = await connected(template.url);
  await client.query(`create table expected (like ${table.table})`);
  await client.query(`insert into expected select * from json_populate_recordset(null::expected, $1)`, [
    JSON.stringify([...rows].map(([id, columns]) => ({ id, ...columns, lockstep_version: 0 }))),
  ]);
  await client.end();
  return { dataset, shards: shardsOf(table.dataset, dataset.partitions), entries, events, template };
}

/** The system's schema, and the dataset's table. */
export async function prepareTables({ url }: Database, { table }: GatewayDataset): Promise<void> {
  await migrate(url);
  const store = await openQueryStore({ url });
  await store.ensureTable(table);
  await store.close();
}

/** The same for a dataset of another name, hence with a log of its own. */
export function renamedWork(work: Work, name: string): Work {
  const dataset = renamed(work.dataset, name);
  return { ...work, dataset, shards: shardsOf(dataset.table.dataset, dataset.partitions) };
}

/** How many rows are missing, too many or different. */
export async function differences(url: string, { dataset }: Work): Promise<number> {
  const { table, columns } = dataset.table;
  const list = (alias: string): string =>
    ['id', ...columns.map(({ name }) => name)].map((name) => `${alias}.${name}`).join(', ');
  const client = await connected(url);
  const { rows } = await client.query<{ count: string }>(
    `select count(*) from ${table} as r full join expected as e on r.id = e.id
     where (${list('r')}) is distinct from (${list('e')})`,
  );
  await client.end();
  return Number(rows[0]!.count);
}

/** The same dataset under another name, hence with a log of its own. */
export function renamed(dataset: GatewayDataset, name: string): GatewayDataset {
  if (!isDatasetName(name)) throw new Error(`${name} is no name of a dataset: a replicator would never end`);
  return changed(dataset, { dataset: name });
}

/** The dataset's first group alone, in one shard. */
export function oneShard(dataset: GatewayDataset, name: string): GatewayDataset {
  const [first] = dataset.configuration.content.groups;
  return changed(dataset, {
    dataset: name as DatasetName,
    groups: [{ ...first!, firstShard: 0, shards: 1 }],
  });
}

function changed(
  { configuration: { hash, content }, table, openFirst, partitions }: GatewayDataset,
  change: Partial<GatewayDataset['configuration']['content']>,
): GatewayDataset {
  const changedContent = { ...content, ...change };
  return {
    configuration: compileConfiguration(hash, changedContent, null),
    table: { ...table, dataset: changedContent.dataset },
    openFirst,
    partitions:
      change.groups === undefined ? partitions : change.groups.reduce((sum, { shards }) => sum + shards, 0),
  };
}
