/**
 * Coordinators as an operator asks them: who leads, who owns a shard, and to move it. Types here are only erased: benchmarks
 * run this file as it stands.
 */
import { call, eventually, type Answered, type LocalCluster, type Region } from '../e2e/local-cluster.ts';

export interface SeenLeader {
  readonly leader: Region | null;
  readonly term: number | null;
  readonly paused: readonly { readonly pause: number; readonly confirmed: boolean }[];
  readonly control: { readonly current: boolean };
}

const coordinator = (cluster: LocalCluster, region: Region): string =>
  cluster.file.regions[region]!.coordinator;

/** As the region's coordinator has read; one that stands still is not waited for. */
export const seenBy = async (
  cluster: LocalCluster,
  region: Region,
  withinMs = 2_000,
): Promise<SeenLeader> => {
  const signal = AbortSignal.timeout(withinMs);
  return (await call(`${coordinator(cluster, region)}/v1/cluster`, { signal })).body as SeenLeader;
};

/** Asks the region's coordinator; a reason goes with it. */
export const post = (cluster: LocalCluster, region: Region, path: string, body: object): Promise<Answered> =>
  call(`${coordinator(cluster, region)}${path}`, {
    method: 'POST',
    body: JSON.stringify({ reason: 'a test', ...body }),
    headers: { 'content-type': 'application/json' },
  });

export interface Decision {
  readonly decision: number;
  readonly epoch: number;
  readonly to: Region;
  readonly stage: string;
  readonly outcome: string | null;
  /** How it ended. */
  readonly detail: string;
  readonly stages: readonly { readonly stage: string }[];
}

/** On the shard, as the region's coordinator knows them; the newest first. */
export const decisionsOf = async (
  cluster: LocalCluster,
  region: Region,
  shard: string,
  limit = 1,
): Promise<readonly Decision[]> =>
  (await call(`${coordinator(cluster, region)}/v1/decisions?shard=${shard}&limit=${limit}`)).body.decisions;

interface Evacuation {
  readonly evacuation: number;
  readonly region: Region;
  readonly shards: readonly { readonly shard: string; readonly outcome: string | null }[];
}

/** What a move was said to cost, and what it did. */
export interface Scored {
  readonly decision: number;
  readonly move: 'switchover' | 'failover';
  readonly shard: string;
  readonly outcome: string;
  readonly predicted: { readonly entriesLost: number | null; readonly expectedMs: number | null } | null;
  readonly real: { readonly gapMs: number | null; readonly entriesLost: number | null };
  readonly score: { readonly gapErrorMs: number | null; readonly lossCovered: boolean | null };
}

interface History {
  readonly evacuations: readonly Evacuation[];
  readonly scores: readonly Scored[];
}

/** Each the newest last. */
export const historyOf = async (cluster: LocalCluster, region: Region): Promise<History> =>
  (await call(`${coordinator(cluster, region)}/v1/history`)).body as History;

export const evacuationsOf = async (cluster: LocalCluster, region: Region): Promise<readonly Evacuation[]> =>
  (await historyOf(cluster, region)).evacuations;

export const metricsOf = async (cluster: LocalCluster, region: Region): Promise<string> =>
  (await fetch(`${coordinator(cluster, region)}/metrics`)).text();

export interface Owner {
  readonly home: Region;
  readonly epoch: number;
}

export const ownerOf = async (cluster: LocalCluster, shard: string, via: Region): Promise<Owner> =>
  (await call(`${cluster.gateway(via)}/v1/shards/${shard}`)).body as Owner;

const MOVED_MS_MAX = 120_000;

/**
 * Until the shard's home is there: who is refused, told nothing for certain or has their move cancelled asks again, as an operator
 * does. It must be elsewhere before.
 * @returns the move that was done
 */
export async function moveHome(
  cluster: LocalCluster,
  via: Region,
  { move = 'switchover', shard, to }: { readonly move?: string; readonly shard: string; readonly to: Region },
): Promise<Decision> {
  const [done] = await eventually(
    async () => {
      const { home } = await ownerOf(cluster, shard, via);
      if (home !== to) await post(cluster, via, `/v1/shards/${shard}/${move}`, { to, timeoutMs: 20_000 });
      return decisionsOf(cluster, via, shard);
    },
    ([newest]) => newest?.to === to && newest.outcome === 'done',
    MOVED_MS_MAX,
  );
  return done!;
}

/** Everything that the region's last evacuation moved away, which all must have been moved. */
export async function bringHome(cluster: LocalCluster, region: Region, via: Region): Promise<void> {
  const last = (await evacuationsOf(cluster, via)).findLast((evacuation) => evacuation.region === region)!;
  const left = last.shards.filter(({ outcome }) => outcome !== 'done');
  if (left.length > 0) throw new Error(`shards of ${region} were not moved: ${JSON.stringify(left)}`);
  for (const { shard } of last.shards) await moveHome(cluster, via, { shard, to: region });
}
