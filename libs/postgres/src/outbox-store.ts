/** The outbox of one region for its relay: one connection, told by the database when a transaction stored entries. */
import type { OutboxStore } from '@lockstep/engine';
import type { Fingerprint, KeyHash } from '@lockstep/protocol';
import { plainArray, textArray } from './array-literal.js';
import { openConnection, type Connection } from './connection.js';

export interface OutboxStoreOptions {
  readonly url: string;
  /** Called after a transaction stored entries, in whatever shard. Some calls are lost with a connection. */
  readonly onStored: () => void;
}

const STATEMENT_TIMEOUT_MS = 5_000;

export async function openOutboxStore({ onStored, url }: OutboxStoreOptions): Promise<OutboxStore> {
  const connection = await openConnection({
    url,
    applicationName: 'lockstep-outbox',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    onNotified: onStored,
  });
  await connection.run('read', 'listen lockstep_outbox');
  let last: Promise<unknown> = Promise.resolve();
  /** One after the other: the loops of several shards share the connection. */
  const run: Connection['run'] = (...statement) => {
    const answer = last.then(() => connection.run(...statement));
    last = answer.catch(() => undefined);
    return answer;
  };
  const ids = (list: readonly bigint[]): string => plainArray(list, (id) => id.toString());
  return {
    pending: async ({ bytesMax, entriesMax, except, foldedTo, shard }) => {
      const parameters = [
        shard,
        textArray(except),
        entriesMax.toString(),
        bytesMax.toString(),
        foldedTo.toString(),
      ];
      const rows = await run('read', PENDING, parameters);
      return rows.map((row) => ({
        id: BigInt(row['id']!),
        key: row['key'] as KeyHash,
        fingerprint: row['fingerprint'] as Fingerprint,
        firstKey: row['first_key']!,
        body: row['body']!,
        notAfterMs: row['not_after_ms'] === null ? null : Number(row['not_after_ms']),
      }));
    },
    stamp: async (stamped, notAfterMs) => {
      await run('write', STAMP, [ids(stamped), notAfterMs.toString()]);
    },
    close: () => connection.close(),
  };
}

const PENDING = `
select id, key, fingerprint, first_key, body, not_after_ms from (
  select o.*, sum(octet_length(body)) over (order by id) as bytes, row_number() over (order by id) as place
  from (
    select * from lockstep.outbox where shard = $1 and key <> all($2::text[])
      and exists (select from lockstep.cursor where shard = $1 and log_offset >= $5::bigint)
    order by id limit $3::bigint
  ) as o
) as measured
where place = 1 or bytes <= $4::bigint order by id`;

const STAMP = `
update lockstep.outbox set not_after_ms = $2::bigint where id = any($1::bigint[]) and not_after_ms is null`;
