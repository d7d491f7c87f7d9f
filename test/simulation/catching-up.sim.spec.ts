/**
 * A region that has to catch up takes batches of different shards to its store at once, in a simulated world: never a
 * shard in two of them (I4), and what comes out is what the other regions have.
 */
import { expect, test } from '@jest/globals';
import { parseShardName, type RegionName, type ShardName } from '@lockstep/protocol';
import { cluster, quiet, stores, work } from './harassed-cluster.js';

/** As long as a slow call of the simulated store takes. */
const SLOW_MS = 1_500;

interface Commit {
  readonly atMs: number;
  readonly shards: readonly ShardName[];
}

/** The commits of the dataset that were begun while this one was under way. */
const meanwhile = (commits: readonly Commit[], { atMs, shards }: Commit): readonly Commit[] =>
  commits.filter(
    (other) =>
      other.atMs >= atMs &&
      other.atMs < atMs + SLOW_MS &&
      other.shards !== shards &&
      datasetOf(other) === datasetOf({ shards }),
  );

const datasetOf = ({ shards }: Pick<Commit, 'shards'>): string => parseShardName(shards[0]!)!.dataset;

test('batches of different shards are committed at once, and none of them holds a shard of another', async () => {
  const commits: Commit[] = [];
  let nowMs = (): number => 0;
  let isSlow = false;
  const made = await cluster(41, () => ({
    applyEventsMax: 2,
    storeFault: (region, { method, shards }) => {
      if (!isSlow || region !== ('ap' as RegionName) || method !== 'commit') return null;
      commits.push({ atMs: nowMs(), shards });
      return 'slow';
    },
  }));
  nowMs = () => made.options.world.elapsedMs();
  await quiet(made);
  isSlow = true;
  await work(made, 120);
  isSlow = false;
  await quiet(made);
  const pairs = commits.flatMap((one) => meanwhile(commits, one).map((other) => [one, other] as const));
  expect(pairs.length).toBeGreaterThan(5);
  for (const [one, other] of pairs)
    expect(one.shards.filter((shard) => other.shards.includes(shard))).toEqual([]);
  const [eu, us, ap] = await stores(made);
  expect(us).toEqual(eu);
  expect(ap).toEqual(eu);
});
