/**
 * Postgres' own logical replication: the same readings as upserts on a publisher, which a subscriber takes up while nobody
 * writes. Its commits are asynchronous, as subscriptions have it unless told otherwise; ours are not.
 */
import { mkdtempSync, chmodSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '@lockstep/local';
import type pg from 'pg';
import { onFreshDatabase } from './appliers.ts';
import type { Side, Stopwatch } from './benchmark.ts';
import { parsed, type Reading } from './sample-writes.ts';
import { connected, type Servers } from './servers.ts';
import type { Work } from './work.ts';

export interface Publisher {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export interface GivenRow extends Reading {
  readonly number: number;
  readonly id: string;
  readonly version: number;
}

export async function startPublisher(): Promise<Publisher> {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-bench-publisher-'));
  // Open, so that the unprivileged user that Postgres runs as can reach its data.
  chmodSync(folder, 0o755);
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    // The publisher's own writing is no part of the measurement.
    const settings = { wal_level: 'logical', synchronous_commit: 'off' };
    const server = await startPostgres({ dataFolder: folder, settings });
    return {
      url: server.url,
      pid: server.pid()!,
      stop: async () => {
        await server.stop();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

const PUBLISHER_SCHEMA = `
drop publication if exists readings;
drop table if exists readings, given, mark;
create table readings (id text collate "C" primary key, sensor text, value double precision, at timestamptz, lockstep_version bigint);
create table given (number bigint primary key, id text, sensor text, value double precision, at timestamptz, version bigint);
create table mark (word text primary key);
create publication readings for table readings, mark;
create or replace procedure write_all(rows_per_transaction bigint) language plpgsql as $$
declare
  last bigint := (select max(number) from given);
  event given;
begin
  for i in 1..last loop
    select * into event from given where number = i;
    insert into readings as t values (event.id, event.sensor, event.value, event.at, event.version)
    on conflict (id) do update set sensor = excluded.sensor, value = excluded.value, at = excluded.at,
      lockstep_version = excluded.lockstep_version;
    if i % rows_per_transaction = 0 then commit; end if;
  end loop;
end $$`;

/** The subscriber's: what the subscription applies counts for triggers that say so. */
const SUBSCRIBER_SCHEMA = `
create table mark (word text primary key);
create function tell() returns trigger language plpgsql as $$
begin
  perform pg_notify('mark', new.word);
  return null;
end $$;
create trigger tell after insert on mark for each row execute function tell();
alter table mark enable always trigger tell`;

const EVENTS_JSON = `
insert into given select * from json_populate_recordset(null::given, $1)`;

/** An empty table that is published, and what shall be written to it. */
export async function givePublisher(source: pg.Client, events: readonly GivenRow[]): Promise<void> {
  await source.query(PUBLISHER_SCHEMA);
  await source.query(EVENTS_JSON, [JSON.stringify(events)]);
}

export async function writeAll(source: pg.Client, rowsPerTransaction: number): Promise<void> {
  await source.query('call write_all($1)', [rowsPerTransaction]);
}

export function byNativeReplication(
  { servers, publisher }: { readonly servers: Servers; readonly publisher: Publisher },
  name: string,
  { work, rowsPerTransaction }: { readonly work: Work; readonly rowsPerTransaction: number },
): Side {
  return {
    name,
    measure: (watch) =>
      onFreshDatabase(servers, work, watch, async (url) => {
        const source = await connected(publisher.url);
        const target = await connected(url);
        try {
          await givePublisher(source, eventsOf(work));
          await target.query(SUBSCRIBER_SCHEMA);
          await target.query('listen mark');
          await target.query(
            `create subscription readings connection '${publisher.url}' publication readings
             with (copy_data = false, streaming = parallel, enabled = false, create_slot = false, slot_name = 'bench')`,
          );
          await source.query(`select pg_create_logical_replication_slot('bench', 'pgoutput')`);
          await source.query(`insert into mark values ('begun')`);
          await writeAll(source, rowsPerTransaction);
          await source.query(`insert into mark values ('done')`);
          await take(target, watch);
        } finally {
          await target.query('drop subscription if exists readings').catch(() => undefined);
          await source.end();
          await target.end();
        }
      }),
  };
}

/** From the first mark that the subscription applies to the last. */
async function take(target: pg.Client, watch: Stopwatch): Promise<void> {
  const done = Promise.withResolvers<void>();
  target.on('notification', ({ payload }) => {
    if (payload === 'begun') watch.start();
    if (payload !== 'done') return;
    watch.stop();
    done.resolve();
  });
  target.on('error', done.reject);
  await target.query('alter subscription readings enable');
  await done.promise;
}

/** In the order of the log; a row's version is the place of its last event. */
export const eventsOf = ({ entries }: Work): readonly GivenRow[] =>
  entries
    .flatMap(({ text }) => parsed(text))
    .map(({ key, data }, index) => ({ number: index + 1, id: key, ...data, version: index + 1 }));
