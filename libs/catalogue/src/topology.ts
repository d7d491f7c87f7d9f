/**
 * The topology: Kafka clusters and regions, with the addresses of their roles. It is read by processes and tools and
 * is no part of a fold configuration, so moving an address changes no hash. Only the labels of regions are, because quorum
 * rules speak of them.
 */
import { z } from 'zod';
import { isRegionName, type RegionName } from '@lockstep/protocol';
import type { FindingList } from './finding.js';
import type { PositionedDocument } from './positioned-document.js';
import { closed, readShape, type SettingSentences } from './shape.js';
import { nearestOrKnown } from './suggestion.js';

export interface Topology {
  readonly clusters: ReadonlyMap<string, ClusterTopology>;
  readonly regions: ReadonlyMap<RegionName, RegionTopology>;
}

export interface ClusterTopology {
  /** `host:port`, where a client begins. */
  readonly brokers: readonly string[];
  readonly replicationFactor: number;
  readonly minInsyncReplicas: number;
}

export interface RegionTopology {
  readonly provider: string;
  readonly zone: string;
  readonly jurisdiction: string;
  /** Name of the cluster that the region reads and appends to. */
  readonly cluster: string;
  /** Base URLs without a trailing slash. */
  readonly gateway: string;
  /** One per instance: those beyond the first stand by. */
  readonly replicators: readonly string[];
  readonly coordinator: string;
}

/** Every gateway listens to each of them. */
const REPLICATORS_MAX = 8;

export const TOPOLOGY_FILE = 'topology.yaml';

const label = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/);
const clusterName = /^[a-z][a-z0-9-]{0,31}$/;

const topologyShape = closed({
  clusters: z.record(
    z.string(),
    closed({
      brokers: z.array(z.string()).min(1).max(100),
      replicationFactor: z.int().min(1).max(9),
      minInsyncReplicas: z.int().min(1).max(9),
    }),
  ),
  regions: z.record(
    z.string(),
    closed({
      provider: label,
      zone: label,
      jurisdiction: label,
      cluster: z.string(),
      gateway: z.string(),
      replicator: z.union([z.string(), z.array(z.string()).min(1).max(REPLICATORS_MAX)]),
      coordinator: z.string(),
    }),
  ),
});

const LABEL = 'a label of letters, digits, `.`, `_` and `-`, at most 63 characters';
const URL_SENTENCE = 'an address such as http://127.0.0.1:7101';
const SENTENCES: SettingSentences = {
  clusters: 'at least one cluster, by name',
  'clusters.*': 'the settings brokers, replicationFactor and minInsyncReplicas',
  'clusters.*.brokers': 'a list of 1 to 100 addresses such as 127.0.0.1:19092',
  'clusters.*.replicationFactor': 'a whole number from 1 to 9',
  'clusters.*.minInsyncReplicas': 'a whole number from 1 to 9',
  regions: 'at least one region, by name',
  'regions.*': 'the settings provider, zone, jurisdiction, cluster, gateway, replicator and coordinator',
  'regions.*.provider': LABEL,
  'regions.*.zone': LABEL,
  'regions.*.jurisdiction': LABEL,
  'regions.*.cluster': 'the name of a cluster',
  'regions.*.gateway': URL_SENTENCE,
  'regions.*.replicator': `${URL_SENTENCE}, or a list of up to ${REPLICATORS_MAX}`,
  'regions.*.coordinator': URL_SENTENCE,
};

/** Null after a finding about its shape; findings about relations leave it readable for the checks of datasets. */
export function readTopology(document: PositionedDocument, findings: FindingList): Topology | null {
  const shape = readShape(topologyShape, document, SENTENCES, findings);
  if (shape === null) return null;

  for (const section of ['clusters', 'regions'] as const) {
    if (Object.keys(shape[section]).length > 0) continue;
    findings.at(document, [section], `\`${section}\` is empty`, `name at least one of the ${section}`);
  }
  for (const [name, cluster] of Object.entries(shape.clusters)) {
    checkCluster(document, name, cluster, findings);
  }
  const regions = new Map<RegionName, RegionTopology>();
  const takenAddresses = new Map<string, string>();
  for (const [name, region] of Object.entries(shape.regions)) {
    const path = ['regions', name];
    if (!isRegionName(name)) {
      findings.at(
        document,
        path,
        `\`${name}\` is not a region name`,
        'use a lower-case letter, then up to 31 lower-case letters, digits and `-`',
      );
      continue;
    }
    if (!Object.hasOwn(shape.clusters, region.cluster)) {
      const nextStep = nearestOrKnown(region.cluster, Object.keys(shape.clusters));
      findings.at(document, [...path, 'cluster'], `there is no cluster \`${region.cluster}\``, nextStep);
    }
    const replicators = typeof region.replicator === 'string' ? [region.replicator] : region.replicator;
    const addresses: readonly (readonly [string, string])[] = [
      ['gateway', region.gateway],
      ...replicators.map((address) => ['replicator', address] as const),
      ['coordinator', region.coordinator],
    ];
    for (const [role, address] of addresses) {
      const problem = problemOfAddress(address) ?? problemOfSharing(takenAddresses.get(address));
      if (problem !== null) {
        findings.at(
          document,
          [...path, role],
          `the ${role} of ${name} ${problem}`,
          `give it ${URL_SENTENCE}, its own`,
        );
      }
      takenAddresses.set(address, `${name}.${role}`);
    }
    const { provider, zone, jurisdiction, cluster, gateway, coordinator } = region;
    regions.set(name, { provider, zone, jurisdiction, cluster, gateway, replicators, coordinator });
  }
  return { clusters: new Map(Object.entries(shape.clusters)), regions };
}

function checkCluster(
  document: PositionedDocument,
  name: string,
  cluster: ClusterTopology,
  findings: FindingList,
): void {
  const path = ['clusters', name];
  if (!clusterName.test(name)) {
    findings.at(
      document,
      path,
      `\`${name}\` is not a cluster name`,
      'use a lower-case letter, then up to 31 lower-case letters, digits and `-`',
    );
  }
  cluster.brokers.forEach((broker, index) => {
    if (isHostAndPort(broker)) return;
    findings.at(
      document,
      [...path, 'brokers', index],
      `\`${broker}\` is not the address of a broker`,
      'write host:port, for example 127.0.0.1:19092',
    );
  });
  if (cluster.minInsyncReplicas > cluster.replicationFactor) {
    findings.at(
      document,
      [...path, 'minInsyncReplicas'],
      `minInsyncReplicas ${cluster.minInsyncReplicas} is above replicationFactor ${cluster.replicationFactor}, so no write could be stored`,
      'lower minInsyncReplicas or raise replicationFactor',
    );
  }
}

function isHostAndPort(text: string): boolean {
  const match = /^([A-Za-z0-9.-]{1,253}|\[[0-9a-fA-F:]{2,45}\]):([1-9][0-9]{0,4})$/.exec(text);
  return match !== null && Number(match[2]) <= 65_535;
}

/** Only scheme, host and port: no path that would be forgotten, no user or password that would be a secret. */
function problemOfAddress(text: string): string | null {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    return `has no http address: \`${text}\``;
  if (url.username !== '' || url.password !== '') return 'carries a user or password in its address';
  if (url.origin !== text) return `has an address with more than scheme, host and port: \`${text}\``;
  return null;
}

const problemOfSharing = (other: string | undefined): string | null =>
  other === undefined ? null : `has the same address as ${other}`;
