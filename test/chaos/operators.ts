/**
 * What operators ask of a real cluster's coordinators about the homes of its shards, and what is seen of them. Types here are
 * only erased: benchmarks run this file as it stands.
 */
import {
  call,
  eventually,
  REGIONS,
  type Answered,
  type LocalCluster,
  type Region,
} from '../e2e/local-cluster.ts';
import {
  decisionsOf,
  ownerOf,
  post,
  seenBy,
  type Decision,
  type Owner,
  type SeenLeader,
} from './control-plane.ts';

const SERVE_MS_MAX = 60_000;

export class Operators {
  private readonly cluster: LocalCluster;

  constructor(cluster: LocalCluster) {
    this.cluster = cluster;
  }

  seenBy(region: Region): Promise<SeenLeader> {
    return seenBy(this.cluster, region);
  }

  post(region: Region, path: string, body: object): Promise<Answered> {
    return post(this.cluster, region, path, body);
  }

  async get(region: Region, path: string): Promise<Answered> {
    return call(`${this.coordinator(region)}${path}`);
  }

  ownerOf(shard: string, via: Region): Promise<Owner> {
    return ownerOf(this.cluster, shard, via);
  }

  /** The newest decision on the shard that a region knows; null when there is none. */
  async newest(shard: string, by: Region): Promise<Decision | null> {
    const [newest = null] = await decisionsOf(this.cluster, by, shard);
    return newest;
  }

  /** All coordinators come to tell the same story of the shard. */
  async expectOneStory(shard: string): Promise<void> {
    await eventually(
      () => Promise.all(REGIONS.map((region) => decisionsOf(this.cluster, region, shard, 5))),
      (told) => new Set(told.map((decisions) => JSON.stringify(decisions))).size === 1,
    );
  }

  /** Once a region knows one; its own coordinator may be starting again. */
  async leader(by: Region): Promise<{ readonly leader: Region; readonly term: number }> {
    const seen = await eventually(
      () => this.seenBy(by).catch(() => null),
      (answer) => (answer?.leader ?? null) !== null,
      SERVE_MS_MAX,
    );
    return { leader: seen!.leader!, term: seen!.term! };
  }

  /** Until every process serves, and all coordinators have read that the same one leads. */
  async allServe(): Promise<void> {
    const look = async (): Promise<boolean> => {
      const { regions } = this.cluster.file;
      const urls = REGIONS.flatMap((region) => {
        const { coordinator, gateway, replicator } = regions[region]!;
        return [coordinator, gateway, replicator];
      });
      const served = await Promise.all(urls.map(async (url) => (await fetch(`${url}/readyz`)).ok));
      if (served.includes(false)) return false;
      const seen = await Promise.all(REGIONS.map((region) => this.seenBy(region)));
      return (
        seen[0]!.leader !== null && new Set(seen.map(({ leader, term }) => `${leader} ${term}`)).size === 1
      );
    };
    await eventually(
      () => look().catch(() => false),
      (areServing) => areServing,
      SERVE_MS_MAX,
    );
  }

  private coordinator(region: Region): string {
    return this.cluster.file.regions[region]!.coordinator;
  }
}
