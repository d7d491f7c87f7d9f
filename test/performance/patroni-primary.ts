/** The primary of a Patroni cluster that is killed together with its Patroni, under the same probes and callers as a home of ours. */
import { PROBE_MS_MAX, SteadyProbes, type ProbeAnswer } from '../chaos/steady-probes.ts';
import type { Bank } from './credit-load.ts';
import { failUnderLoad, type Outage } from './outage.ts';
import { PatroniClient } from './patroni-client.ts';
import type { NodeName, PatroniCluster } from './patroni-cluster.ts';

/** All of its writes go through one primary. */
const SHARD = 'primary';
const ACCOUNTS = 9;
const CREDITED_MS_MAX = 10_000;

const TABLES = `
create table if not exists orders (id text collate "C" primary key, customer text, total bigint);
create table if not exists accounts (id text collate "C" primary key, owner text, currency text, balance bigint, version bigint);`;

/** @param trial part of the names of everything that is written. */
export async function losePrimary(cluster: PatroniCluster, trial: string, afterMs: number): Promise<Outage> {
  const primary = await cluster.healthy();
  const client = new PatroniClient(cluster.urls, primary);
  try {
    return await failUnderLoad(
      {
        shards: 1,
        probes: () => primaryProbes(cluster, client, { primary, trial }),
        bank: () => openBank(cluster, client, { primary, trial }),
        kill: async () => cluster.kill(primary),
        restore: () => cluster.restore(primary),
      },
      afterMs,
    );
  } finally {
    await client.close();
  }
}

interface Named {
  readonly primary: NodeName;
  readonly trial: string;
}

const primaryProbes = (
  cluster: PatroniCluster,
  client: PatroniClient,
  { primary, trial }: Named,
): SteadyProbes =>
  new SteadyProbes({
    keys: trial,
    databases: [...cluster.urls.keys()],
    send: async (key): Promise<ProbeAnswer> => {
      const taken = await client.write({
        text: 'insert into orders values ($1, $2, $3) on conflict (id) do nothing',
        values: [key, 'c', 1],
        msMax: PROBE_MS_MAX,
        isRepeatable: true,
      });
      if (taken.outcome !== 'accepted') return taken.outcome;
      // It stays down until another one has taken over.
      return { shard: SHARD, epoch: taken.by === primary ? 0 : 1 };
    },
    stored: async (name, keys) => {
      const rows = await client.rows(name as NodeName, 'select id from orders where id = any($1)', [keys]);
      return new Set(rows.map((row) => row['id']));
    },
  });

async function openBank(
  cluster: PatroniCluster,
  client: PatroniClient,
  { primary, trial }: Named,
): Promise<Bank> {
  await client.rows(primary, TABLES);
  const accounts = Array.from({ length: ACCOUNTS }, (_, count) => `${trial}-${count}`);
  await client.rows(
    primary,
    `insert into accounts select id, 'Ada', 'EUR', 0, 1 from unnest($1::text[]) id`,
    [accounts],
  );
  return {
    accounts,
    credit: async (account) => {
      const { outcome } = await client.write({
        text: 'update accounts set balance = balance + 1, version = version + 1 where id = $1',
        values: [account],
        msMax: CREDITED_MS_MAX,
        isRepeatable: false,
      });
      return outcome;
    },
    balances: () =>
      Promise.all(
        [...cluster.urls.keys()].map(async (name) => {
          const rows = await client.rows(name, 'select id, balance from accounts where id = any($1)', [
            accounts,
          ]);
          return new Map(rows.map((row) => [row['id'] as string, Number(row['balance'])]));
        }),
      ),
  };
}
