/**
 * Where the replicas of a new topic's partitions stand: a broker of the home first, because the first is the preferred
 * leader, then brokers of other regions before a second one of the same, so that one lost region loses one replica.
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
