/**
 * The topology: Kafka clusters and regions, with the addresses of their roles. It is read by processes and tools and
 * is no part of a fold configuration, so moving an address changes no hash. Only two things are: the labels of regions,
 * because quorum rules speak of them, and the keys by which control entries are signed, because verdicts depend on them.
 * They stand here because the coordinators that hold them serve every dataset.
 */
import { z } from 'zod';
import {
  DEFAULT_FAILOVER_POLICY,
  DEFAULT_THRESHOLDS,
  FAILOVERS_KEPT,
  isRegionName,
  SIGNING_KEYS_MAX,
  type FailoverPolicy,
  type RegionName,
  type SigningKey,
  type Thresholds,
} from '@lockstep/protocol';
import { DURATION_PATTERN, parseDuration } from './duration.js';
import type { FindingList } from './finding.js';
import type { PositionedDocument } from './positioned-document.js';
import { isPem, readPublicKey } from './public-key.js';
import { closed, readShape, type SettingSentences } from './shape.js';
import { nearestOrKnown } from './suggestion.js';

export interface Topology {
  readonly clusters: ReadonlyMap<string, ClusterTopology>;
  readonly regions: ReadonlyMap<RegionName, RegionTopology>;
  /** In the order of their ids; none: control entries need no signature. */
  readonly signingKeys: readonly SigningKey[];
  /** How often regions are failed over without a person. */
  readonly failover: FailoverPolicy;
}

export interface ClusterTopology {
  /** `host:port`, where a client begins. */
  readonly brokers: readonly string[];
  readonly replicationFactor: number;
  readonly minInsyncReplicas: number;
  /** How brokers store what datasets append, and send it to each other and to regions. */
  readonly compression: (typeof COMPRESSIONS)[number];
}

const COMPRESSIONS = ['none', 'zstd'] as const;

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
  /** From when on other regions find it unfit: its provider's. */
  readonly thresholds: Thresholds;
}

/** Every gateway listens to each of them. */
const REPLICATORS_MAX = 8;

export const TOPOLOGY_FILE = 'topology.yaml';

const label = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/);
const clusterName = /^[a-z][a-z0-9-]{0,31}$/;

const duration = z.string().regex(DURATION_PATTERN);
/** Beyond it a person is quicker. */
const THRESHOLD_MS_MAX = 300_000;
const KEY_ID = /^[a-z][a-z0-9-]{0,31}$/;

const topologyShape = closed({
  clusters: z.record(
    z.string(),
    closed({
      brokers: z.array(z.string()).min(1).max(100),
      replicationFactor: z.int().min(1).max(9),
      minInsyncReplicas: z.int().min(1).max(9),
      compression: z.enum(COMPRESSIONS).optional(),
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
  keys: z.record(z.string(), z.string()).optional(),
  failover: closed({
    coolDown: duration.optional(),
    budget: z.int().min(1).max(FAILOVERS_KEPT).optional(),
    window: duration.optional(),
    providers: z
      .record(
        z.string(),
        closed({
          silent: duration.optional(),
          stalled: duration.optional(),
          canary: duration.optional(),
          refused: duration.optional(),
        }),
      )
      .optional(),
  }).optional(),
});

const LABEL = 'a label of letters, digits, `.`, `_` and `-`, at most 63 characters';
const DURATION = 'a length of time such as 10m or 1h';
const URL_SENTENCE = 'an address such as http://127.0.0.1:7101';
const SENTENCES: SettingSentences = {
  clusters: 'at least one cluster, by name',
  'clusters.*': 'the settings brokers, replicationFactor, minInsyncReplicas and compression',
  'clusters.*.brokers': 'a list of 1 to 100 addresses such as 127.0.0.1:19092',
  'clusters.*.replicationFactor': 'a whole number from 1 to 9',
  'clusters.*.minInsyncReplicas': 'a whole number from 1 to 9',
  'clusters.*.compression': '`none` or `zstd`',
  regions: 'at least one region, by name',
  'regions.*': 'the settings provider, zone, jurisdiction, cluster, gateway, replicator and coordinator',
  'regions.*.provider': LABEL,
  'regions.*.zone': LABEL,
  'regions.*.jurisdiction': LABEL,
  'regions.*.cluster': 'the name of a cluster',
  'regions.*.gateway': URL_SENTENCE,
  'regions.*.replicator': `${URL_SENTENCE}, or a list of up to ${REPLICATORS_MAX}`,
  'regions.*.coordinator': URL_SENTENCE,
  keys: 'public keys by id, each the path of a PEM file such as keys/one.pem, or PEM',
  'keys.*': 'the path of a PEM file such as keys/one.pem, or PEM',
  failover: 'the settings coolDown, budget, window and providers',
  'failover.coolDown': DURATION,
  'failover.budget': `a whole number from 1 to ${FAILOVERS_KEPT}`,
  'failover.window': DURATION,
  'failover.providers': 'what is borne of the regions of a provider, by its name',
  'failover.providers.*': 'the settings silent, stalled, canary and refused',
  'failover.providers.*.*': DURATION,
};

/** Null after a finding about its shape; findings about relations leave it readable for the checks of datasets. */
export function readTopology(
  document: PositionedDocument,
  files: ReadonlyMap<string, string>,
  findings: FindingList,
): Topology | null {
  const shape = readShape(topologyShape, document, SENTENCES, findings);
  if (shape === null) return null;

  for (const section of ['clusters', 'regions'] as const) {
    if (Object.keys(shape[section]).length > 0) continue;
    findings.at(document, [section], `\`${section}\` is empty`, `name at least one of the ${section}`);
  }
  const clusters = new Map<string, ClusterTopology>();
  for (const [name, { compression = 'none', ...rest }] of Object.entries(shape.clusters)) {
    const cluster = { ...rest, compression };
    checkCluster(document, name, cluster, findings);
    clusters.set(name, cluster);
  }
  const borne = readThresholds(document, shape, findings);
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
    const labels = { provider, zone, jurisdiction };
    const thresholds = borne.get(provider) ?? DEFAULT_THRESHOLDS;
    regions.set(name, { ...labels, cluster, gateway, replicators, coordinator, thresholds });
  }
  const signingKeys = readKeys(document, shape.keys ?? {}, files, findings);
  const failover = readFailover(document, shape.failover ?? {}, findings);
  return { clusters, regions, signingKeys, failover };
}

function readKeys(
  document: PositionedDocument,
  named: { readonly [id: string]: string },
  files: ReadonlyMap<string, string>,
  findings: FindingList,
): readonly SigningKey[] {
  const keys = new Map<string, string>();
  for (const [id, text] of Object.entries(named)) {
    const refuse = (reason: string, nextStep: string): void =>
      findings.at(document, ['keys', id], `the key \`${id}\` ${reason}`, nextStep);
    const pem = isPem(text) ? text : files.get(text);
    if (!KEY_ID.test(id)) {
      refuse(
        'has no name for a key',
        'use a lower-case letter, then up to 31 lower-case letters, digits and `-`',
      );
    } else if (pem === undefined) {
      refuse(
        'names no file of this catalogue',
        'put the public key there as a .pem file, or write its PEM here',
      );
    } else {
      const read = readPublicKey(pem);
      const other = read.kind === 'key' ? keys.get(read.publicKey) : undefined;
      if (read.kind === 'refused') refuse(read.reason, read.nextStep);
      else if (other !== undefined) refuse(`is the same as \`${other}\``, 'name it once');
      else keys.set(read.publicKey, id);
    }
  }
  if (Object.keys(named).length > SIGNING_KEYS_MAX) {
    const reason = `${Object.keys(named).length} keys are more than ${SIGNING_KEYS_MAX}`;
    findings.at(document, ['keys'], reason, 'take out those that nobody signs by any more');
  }
  return [...keys].map(([publicKey, id]) => ({ id, publicKey })).toSorted((x, y) => (x.id < y.id ? -1 : 1));
}

/** A region's last failover is remembered for as long as the budget may still count it, no longer. */
function readFailover(
  document: PositionedDocument,
  written: {
    readonly coolDown?: string | undefined;
    readonly budget?: number | undefined;
    readonly window?: string | undefined;
  },
  findings: FindingList,
): FailoverPolicy {
  const read = (text: string | undefined, otherwiseMs: number): number =>
    text === undefined ? otherwiseMs : (parseDuration(text) ?? otherwiseMs);
  const policy = {
    coolDownMs: read(written.coolDown, DEFAULT_FAILOVER_POLICY.coolDownMs),
    budget: written.budget ?? DEFAULT_FAILOVER_POLICY.budget,
    windowMs: read(written.window, DEFAULT_FAILOVER_POLICY.windowMs),
  };
  if (policy.coolDownMs > policy.windowMs) {
    findings.at(
      document,
      ['failover', written.coolDown === undefined ? 'window' : 'coolDown'],
      `the cool-down of ${policy.coolDownMs} ms is longer than the window of ${policy.windowMs} ms`,
      'shorten coolDown or lengthen window',
    );
  }
  return policy;
}

/** Never less than the defaults, which heartbeats and canaries are made for. */
function readThresholds(
  document: PositionedDocument,
  { failover, regions }: z.output<typeof topologyShape>,
  findings: FindingList,
): ReadonlyMap<string, Thresholds> {
  const providers = [...new Set(Object.values(regions).map(({ provider }) => provider))];
  const read = new Map<string, Thresholds>();
  for (const [provider, written] of Object.entries(failover?.providers ?? {})) {
    const path = ['failover', 'providers', provider];
    if (!providers.includes(provider)) {
      const nextStep = nearestOrKnown(provider, providers);
      findings.at(document, path, `no region is of a provider \`${provider}\``, nextStep);
    }
    const borne = (name: 'silent' | 'stalled' | 'canary' | 'refused'): number => {
      const leastMs = DEFAULT_THRESHOLDS[`${name}Ms`];
      const text = written[name];
      const ms = text === undefined ? leastMs : (parseDuration(text) ?? 0);
      if (ms >= leastMs && ms <= THRESHOLD_MS_MAX) return ms;
      const nextStep = `write a length of time from ${leastMs}ms to ${THRESHOLD_MS_MAX}ms`;
      findings.at(document, [...path, name], `what is borne of \`${provider}\` cannot be ${text}`, nextStep);
      return leastMs;
    };
    const [canaryMs, refusedMs] = [borne('canary'), borne('refused')];
    if (refusedMs < canaryMs)
      findings.at(
        document,
        [...path, 'canary'],
        'a gateway that refuses canaries would be borne for less than one that says nothing',
        'lengthen refused or shorten canary',
      );
    read.set(provider, { silentMs: borne('silent'), stalledMs: borne('stalled'), canaryMs, refusedMs });
  }
  return read;
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
