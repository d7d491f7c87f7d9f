/** A service's own connections to a database, without the library: what the suite of the outbox saves with. */
import type { ServiceEntry, ServiceStore } from '@lockstep/testing';
import pg from 'pg';
import { quoteIdentifier } from './identifier.js';
import { refusalOf } from './outbox/outbox-error.js';

export function openServiceStore(url: string): ServiceStore {
  const open = new Set<pg.Client>();
  const end = async (client: pg.Client): Promise<void> => {
    open.delete(client);
    await client.end();
  };
  return {
    enter: async (shard) => {
      const client = new pg.Client({ connectionString: url });
      client.on('error', () => undefined);
      await client.connect();
      open.add(client);
      await client.query('begin');
      try {
        await client.query('select lockstep.enter_outbox($1)', [shard]);
      } catch (error) {
        await end(client);
        throw refusalOf(error) ?? error;
      }
      return {
        save: async (entry) => {
          for (const change of entry.changes) await client.query(...changeStatement(entry.table, change));
          const { body, fingerprint, firstKey, key } = entry;
          await client.query(STORE, [shard, key, fingerprint, firstKey, body]);
        },
        commitSaved: async () => {
          await client.query('commit');
          await end(client);
        },
        rollback: async () => {
          await client.query('rollback');
          await end(client);
        },
      };
    },
    close: async () => {
      await Promise.all([...open].map(end));
    },
  };
}

function changeStatement(
  table: string,
  { columns, key }: ServiceEntry['changes'][number],
): [statement: string, values: unknown[]] {
  const name = `public.${quoteIdentifier(table)}`;
  if (columns === null) return [`delete from ${name} where id = $1`, [key]];
  const names = Object.keys(columns).map(quoteIdentifier);
  const values = names.map((_, index) => `$${index + 2}`);
  const assigned = names.map((column) => `${column} = excluded.${column}`);
  return [
    `insert into ${name} (id, ${names.join(', ')}) values ($1, ${values.join(', ')})
     on conflict (id) do update set ${assigned.join(', ')}`,
    [key, ...Object.values(columns)],
  ];
}

const STORE = `
with entry as (
  insert into lockstep.outbox (shard, key, fingerprint, idempotency_key, first_key, body)
  values ($1, $2, $3, $2, $4, $5) returning id
)
update lockstep.outbox_change as c set entry = entry.id from entry where c.entry is null`;
