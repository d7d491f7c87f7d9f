/** Probes of orders of one home, asked through another region. */
import { REGIONS, write, type LocalCluster, type Region } from '../e2e/local-cluster.ts';
import { PROBE_MS_MAX, SteadyProbes, type ProbeAnswer } from './steady-probes.ts';

export class ProbeWriter extends SteadyProbes {
  constructor(
    cluster: LocalCluster,
    { home, name, via }: { readonly home: Region; readonly via: Region; readonly name: string },
  ) {
    super({
      keys: `${home}:${name}`,
      databases: REGIONS,
      send: async (key): Promise<ProbeAnswer> => {
        const event = { key, type: 'placed', data: { customer: 'c', total: 1 } };
        const probe = { events: [event], timeoutMs: PROBE_MS_MAX };
        const { body, status } = await write(cluster, via, 'orders', probe, key);
        return body.outcome === 'accepted' ? { shard: body.shard, epoch: body.epoch } : String(status);
      },
      stored: async (region, keys) => {
        const rows = await cluster.sql(region as Region, 'select id from orders where id = any($1)', [keys]);
        return new Set(rows.map(({ id }) => id));
      },
    });
  }
}
