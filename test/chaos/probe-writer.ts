/** Probes of orders of one home, asked through another region. */
import { REGIONS, write, type LocalCluster, type Region } from '../e2e/local-cluster.ts';
import { PROBE_MS_MAX, SteadyProbes, type ProbeAnswer } from './steady-probes.ts';

export class ProbeWriter extends SteadyProbes {
  readonly #cluster: LocalCluster;

  constructor(
    cluster: LocalCluster,
    { home, name, via }: { readonly home: Region; readonly via: Region; readonly name: string },
  ) {
    super(`${home}:${name}`, async (key): Promise<ProbeAnswer> => {
      const event = { key, type: 'placed', data: { customer: 'c', total: 1 } };
      const probe = { events: [event], timeoutMs: PROBE_MS_MAX };
      const { body, status } = await write(cluster, via, 'orders', probe, key);
      return body.outcome === 'accepted' ? { shard: body.shard, epoch: body.epoch } : String(status);
    });
    this.#cluster = cluster;
  }

  override async lost(): Promise<readonly string[]> {
    const keys = this.accepted.map(({ key }) => key);
    const lost = REGIONS.map(async (region) => {
      const rows = await this.#cluster.sql(region, 'select id from orders where id = any($1)', [keys]);
      const stored = new Set(rows.map(({ id }) => id));
      return keys.filter((key) => !stored.has(key)).map((key) => `${region} ${key}`);
    });
    return (await Promise.all(lost)).flat();
  }
}
