/**
 * `cluster.json`: what a running cluster tells programs about itself. The shape is a contract with outsiders; a pid is
 * `null` while a process is held down, and the last known one while its restart is due.
 */
export interface ClusterFile {
  readonly ready: true;
  readonly kafka: { readonly brokers: readonly string[]; readonly pids: readonly (number | null)[] };
  readonly regions: Readonly<Record<string, RegionFile>>;
  readonly console: null;
  readonly jaeger: null;
}

export interface RegionFile {
  readonly gateway: string;
  readonly coordinator: string;
  readonly replicator: string;
  readonly postgres: string;
  readonly pids: Readonly<Record<RegionProcess, number | null>>;
}

export const regionProcesses = ['postgres', 'gateway', 'replicator', 'coordinator'] as const;
export type RegionProcess = (typeof regionProcesses)[number];
export type Role = Exclude<RegionProcess, 'postgres'>;
export const roles = ['gateway', 'replicator', 'coordinator'] as const satisfies readonly Role[];

/** What people read when a cluster runs. */
export function addressLines(cluster: ClusterFile): readonly string[] {
  return [
    `Kafka    ${cluster.kafka.brokers.join(', ')}`,
    ...Object.entries(cluster.regions).flatMap(([name, region]) => [
      `${name.padEnd(8)} gateway ${region.gateway}   coordinator ${region.coordinator}   replicator ${region.replicator}`,
      `         ${region.postgres}`,
    ]),
  ];
}
