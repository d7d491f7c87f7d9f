/**
 * `cluster.json`: what a running cluster tells programs about itself. The shape is a contract with outsiders; a pid is
 * `null` while a process is held down, and the last known one while its restart is due.
 */
export interface ClusterFile {
  readonly ready: true;
  readonly kafka: { readonly brokers: readonly string[]; readonly pids: readonly (number | null)[] };
  readonly regions: Readonly<Record<string, RegionFile>>;
  /** The first region's coordinator serves it here; so does every other one, at the same path. */
  readonly console: string;
  /** Where Jaeger's query API answers; `null` in a cluster without one. */
  readonly jaeger: string | null;
}

export interface RegionFile {
  readonly gateway: string;
  readonly coordinator: string;
  readonly replicator: string;
  readonly postgres: string;
  /** The second replicator; only in a cluster with `--standby`, here and below. */
  readonly standby?: string;
  /** The sample service; only in a cluster with `--ledger`, here and below. */
  readonly ledger?: string;
  readonly pids: Readonly<Record<Exclude<RegionProcess, 'standby' | 'ledger'>, number | null>> & {
    readonly standby?: number | null;
    readonly ledger?: number | null;
  };
}

/** What may run in a region beside its database, each as a process of its own. */
export const roles = ['gateway', 'replicator', 'coordinator', 'standby', 'ledger'] as const;
export type Role = (typeof roles)[number];
export type RegionProcess = 'postgres' | Role;

/** What people read when a cluster runs. */
export function addressLines(cluster: ClusterFile): readonly string[] {
  return [
    `Kafka    ${cluster.kafka.brokers.join(', ')}`,
    ...Object.entries(cluster.regions).flatMap(([name, region]) => [
      `${name.padEnd(8)} gateway ${region.gateway}   coordinator ${region.coordinator}   replicator ${region.replicator}${region.standby === undefined ? '' : `   standby ${region.standby}`}`,
      ...(region.ledger === undefined ? [] : [`         ledger ${region.ledger}/openapi`]),
      `         ${region.postgres}`,
    ]),
    `Console  ${cluster.console}`,
    ...(cluster.jaeger === null ? [] : [`Jaeger   ${cluster.jaeger}`]),
  ];
}
