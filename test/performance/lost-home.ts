/** A home of the local cluster whose replicator, gateway and coordinator are killed; the log stands in a third region. */
import { randomUUID } from 'node:crypto';
import { bringHome } from '../chaos/control-plane.ts';
import { Operators } from '../chaos/operators.ts';
import { ProbeWriter } from '../chaos/probe-writer.ts';
import { REGIONS, write, type LocalCluster, type Region } from '../e2e/local-cluster.ts';
import { ROLES } from './cluster-processes.ts';
import type { Bank, Credited } from './credit-load.ts';
import { failUnderLoad, type Ground, type Outage } from './outage.ts';

const HOME = 'eu' satisfies Region;
const VIA = ['us', 'ap'] as const satisfies readonly Region[];
const SHARDS = 2;
const ACCOUNTS_PER_HOME = 3;
const OPENED_MS_MAX = 20_000;
const CREDITED_MS_MAX = 10_000;

/** @param trial part of the names of everything that is written. */
export async function loseHome(cluster: LocalCluster, trial: string, afterMs: number): Promise<Outage> {
  await new Operators(cluster).allServe();
  const outage = await failUnderLoad(ground(cluster, trial), afterMs);
  await bringHome(cluster, HOME, VIA[0]);
  return outage;
}

const ground = (cluster: LocalCluster, trial: string): Ground => ({
  shards: SHARDS,
  probes: () => new ProbeWriter(cluster, { home: HOME, via: VIA[0], name: trial }),
  bank: () => openBank(cluster, trial),
  kill: async () => {
    await Promise.all(ROLES.map((role) => cluster.orderProcess('kill', HOME, role)));
  },
  restore: async () => {
    await cluster.orderProcess('start', HOME, null);
    await new Operators(cluster).allServe();
  },
});

async function openBank(cluster: LocalCluster, trial: string): Promise<Bank> {
  const accounts = REGIONS.flatMap((home) =>
    Array.from({ length: ACCOUNTS_PER_HOME }, (_, count) => `${home}:${trial}-${count}`),
  );
  for (const key of accounts) {
    const events = [{ key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } }];
    const asked = { events, ack: 'everywhere', timeoutMs: OPENED_MS_MAX };
    const { body, status } = await write(cluster, VIA[0], 'accounts', asked);
    if (status !== 200) throw new Error(`an account was not opened: ${JSON.stringify(body)}`);
  }
  let count = 0;
  return {
    accounts,
    credit: async (key): Promise<Credited> => {
      count += 1;
      const events = [{ key, type: 'credited', data: { amount: 1 } }];
      const asked = { events, ack: 'quorum', timeoutMs: CREDITED_MS_MAX };
      const via = VIA[count % VIA.length]!;
      const { body, status } = await write(cluster, via, 'accounts', asked, randomUUID());
      if (body.outcome === 'accepted') return 'accepted';
      return status === 202 ? 'unknown' : 'refused';
    },
    balances: () =>
      Promise.all(
        REGIONS.map(async (region) => {
          const rows = await cluster.sql(region, 'select id, balance from accounts where id = any($1)', [
            accounts,
          ]);
          return new Map(rows.map(({ balance, id }) => [id as string, Number(balance)]));
        }),
      ),
  };
}
