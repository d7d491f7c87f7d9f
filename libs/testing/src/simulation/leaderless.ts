/**
 * A cluster at rest that loses every coordinator: writes go on, up to their quorum, for as long as nobody leads (P23). Moves and
 * changes of rules wait; the coordinators come back at the end.
 */
import { parseShardName } from '@lockstep/protocol';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { shardsIn } from './judge-cluster.js';
import type { Load } from './load.js';
import type { Services } from './services.js';
import type { Tally } from './tally.js';
import { violationsOf, type Violation } from './violation.js';

/** Nothing else is wrong, so that this is far more than a write takes. */
const WRITTEN_MS_MAX = 5_000;

export async function withoutCoordinators(
  cluster: SimulatedCluster,
  {
    forMs,
    load,
    services,
    tally,
  }: {
    readonly forMs: number;
    readonly load: Load;
    readonly services: Services | null;
    readonly tally: Tally;
  },
): Promise<readonly Violation[]> {
  const { datasets, regions, world } = cluster.options;
  world.note('without coordinators');
  for (const region of cluster.regions.values()) region.killProcess('coordinator');
  await world.elapse(forMs);
  const chance = world.branch('leaderless');
  const refused: string[] = [];
  let left = 0;
  const await_ = (what: Promise<readonly string[]>): void => {
    left += 1;
    void what.then((said) => {
      refused.push(...said);
      left -= 1;
    });
  };
  for (const shard of shardsIn(cluster)) {
    const { content } = datasets.get(parseShardName(shard)!.dataset)!.configuration;
    if (content.writers === 'outbox') continue;
    tally.add('without coordinators');
    const via = chance.pick(regions);
    const ask = load.insisting(shard, 'leaderless', WRITTEN_MS_MAX);
    await_(ask(via, 'quorum').then((said) => (said === null ? [] : [`${shard} by ${via}: ${said}`])));
  }
  if (services !== null) await_(services.probe());
  try {
    await world.runUntil(() => left === 0 && (services?.undrained() ?? []).length === 0, 2 * WRITTEN_MS_MAX);
  } catch {
    refused.push(...(services?.undrained() ?? []), ...(left === 0 ? [] : [`${left} are not answered`]));
  }
  for (const region of cluster.regions.values()) region.startProcess('coordinator');
  const sentence = 'Without coordinators a write of a healthy home did not reach its quorum.';
  return violationsOf({ invariant: null, code: 'stopped-without-coordinators', sentence }, refused);
}
