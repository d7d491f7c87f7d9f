/**
 * Where the replicas of a topic's partitions stand: a broker of the home first, because the first is the preferred
 * leader, then brokers of other regions before a second one of the same, so that one lost region loses one replica. When
 * a home moves, the replicas stay where they are and only their order follows.
 */
import type { RegionName } from '../identity/identity.js';

export interface PlacedBroker {
  readonly id: number;
  /** The region it stands in, as its rack names it; null when it names none. */
  readonly rack: string | null;
}

/**
 * Broker ids per partition, leader first.
 * @param homes home region per partition.
 * @returns null when there are fewer brokers than replicas: the cluster will refuse the topic with its own words.
 */
export function placeReplicas(
  brokers: readonly PlacedBroker[],
  homes: readonly RegionName[],
  replicationFactor: number,
): readonly (readonly number[])[] | null {
  if (brokers.length < replicationFactor) return null;
  const ordered = [...brokers].sort((x, y) => x.id - y.id);
  return homes.map((home, partition) => {
    // Rotated by partition, so that brokers of equal standing share the load.
    const rotated = ordered.map((_, at) => ordered[(at + partition) % ordered.length]!);
    const chosen: PlacedBroker[] = [];
    while (chosen.length < replicationFactor) {
      const racks = new Set(chosen.map(({ rack }) => rack));
      const left = rotated.filter((broker) => !chosen.includes(broker));
      const atHome = chosen.length === 0 ? left.find(({ rack }) => rack === home) : undefined;
      chosen.push(atHome ?? left.find(({ rack }) => rack === null || !racks.has(rack)) ?? left[0]!);
    }
    return chosen.map(({ id }) => id);
  });
}

/**
 * The same replicas, the one to lead from `region` first and the others in their order.
 * @returns null when none of these brokers holds a replica in that region.
 */
export function replicasLedFrom(
  replicas: readonly number[],
  brokers: readonly PlacedBroker[],
  region: RegionName,
): readonly number[] | null {
  const first = replicas.find((replica) => brokers.some(({ id, rack }) => id === replica && rack === region));
  return first === undefined ? null : [first, ...replicas.filter((replica) => replica !== first)];
}

/** What became of a partition's leader that was to stand in a region. */
export type LeaderPlacement =
  /** This broker leads, in that region, and is preferred. */
  | { readonly kind: 'placed'; readonly broker: number }
  /** This broker is preferred, and is not in sync: another one leads until it is. */
  | { readonly kind: 'preferred'; readonly broker: number }
  /** No broker there holds a replica now: the leader stays where it is. */
  | { readonly kind: 'no-replica' };
