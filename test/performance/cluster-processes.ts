/** The processes of a local cluster of three regions, each under a name of its own: for whoever asks where the time went. */
import { REGIONS, type LocalCluster } from '../e2e/local-cluster.ts';
import type { WatchedProcesses } from './processor-time.ts';

export const ROLES = ['gateway', 'replicator', 'coordinator'] as const;

/** Under `eu replicator`, `eu postgres`, ... and `broker`. */
export function processesOf({ file: { kafka, regions } }: LocalCluster): WatchedProcesses {
  const ofRegions = REGIONS.flatMap((region) =>
    [...ROLES, 'postgres' as const].map(
      (process) => [`${region} ${process}`, regions[region]!.pids[process]!] as const,
    ),
  );
  return { broker: kafka.pids[0]!, ...Object.fromEntries(ofRegions) };
}
