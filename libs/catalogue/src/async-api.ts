/**
 * AsyncAPI 3.1 of a catalogue's topics, for those who read the logs themselves: where each topic is, what its records hold.
 *
 * Pure. It describes reading only: a record from anybody but an appender of Lockstep is `malformed` to every fold, so
 * writes have no operation here. The topics of the system itself are no contract and are left out.
 */
import { createHash } from 'node:crypto';
import { canonicalJson, KEY_ID_BYTES_MAX, KINDS, topicOf, type DatasetName } from '@lockstep/protocol';
import type { Catalogue, CatalogueDataset } from './catalogue.js';
import type { DescribedEvent } from './dataset.js';
import type { ClusterTopology, Topology } from './topology.js';

const KAFKA_BINDING_VERSION = '0.5.0';
/** The digits of the version that name a document: enough to tell two of them apart. */
const VERSION_LENGTH = 12;

interface Reference {
  readonly $ref: string;
}
const reference = (...path: readonly string[]): Reference => ({ $ref: `#/${path.join('/')}` });

export function asyncApi(catalogue: Catalogue): object {
  const datasets = [...catalogue.datasets];
  return {
    asyncapi: '3.1.0',
    info: {
      title: 'The logs of a Lockstep catalogue',
      version: versionOf(datasets),
      description:
        'One topic for each dataset, one partition for each shard, one record for each entry: an atomic list of events, or a ' +
        'control entry. A record tells what was asked. Whether it took effect is the verdict of the fold and stands in no ' +
        'record: read rows where only what was accepted matters. Writes go through gateways or the library, never straight to a topic. ' +
        'Consumer groups, offsets and reads of uncommitted records disturb nothing.',
    },
    defaultContentType: 'application/json',
    servers: Object.fromEntries([...catalogue.topology.clusters].flatMap(serversOf)),
    channels: byDataset(datasets, (name, dataset) => channelOf(name, dataset, catalogue.topology)),
    operations: Object.fromEntries(datasets.map(([name]) => [`read.${name}`, operationOf(name)])),
    components: {
      messages: {
        ...Object.fromEntries(datasets.map(([name, dataset]) => [`${name}.entry`, entryOf(name, dataset)])),
        control: CONTROL,
      },
      schemas: {
        headers: HEADERS,
        ...Object.fromEntries(datasets.flatMap(([name, dataset]) => schemasOf(name, dataset))),
      },
    },
  };
}

type Datasets = readonly (readonly [DatasetName, CatalogueDataset])[];

const byDataset = (
  datasets: Datasets,
  part: (name: DatasetName, dataset: CatalogueDataset) => object,
): object => Object.fromEntries(datasets.map(([name, dataset]) => [name, part(name, dataset)]));

/** Changes with the meaning of a dataset, and only then. */
function versionOf(datasets: Datasets): string {
  const hashes = Object.fromEntries(datasets.map(([name, { hash }]) => [name, hash]));
  return createHash('sha256').update(canonicalJson(hashes), 'utf8').digest('hex').slice(0, VERSION_LENGTH);
}

const serverName = (cluster: string, index: number): string => `${cluster}-${index + 1}`;

const serversOf = ([cluster, { brokers }]: readonly [string, ClusterTopology]): readonly [string, object][] =>
  brokers.map((host, index) => [
    serverName(cluster, index),
    {
      host,
      protocol: 'kafka',
      description: `A broker of the cluster \`${cluster}\`, where a client begins.`,
    },
  ]);

function channelOf(name: DatasetName, { content, logRetentionMs }: CatalogueDataset, topology: Topology) {
  // Every region of a stretched dataset uses the same cluster.
  const { cluster } = topology.regions.get(content.groups[0]!.home)!;
  const { brokers, replicationFactor } = topology.clusters.get(cluster)!;
  const groups = content.groups.map(
    (group) =>
      `\`${group.name}\` ${group.firstShard} to ${group.firstShard + group.shards - 1}, at first at home in ${group.home}`,
  );
  return {
    address: topicOf(name),
    description: `The log of \`${name}\` (${content.class}). Partitions by group: ${groups.join('; ')}.`,
    servers: brokers.map((_, index) => reference('servers', serverName(cluster, index))),
    messages: {
      entry: reference('components', 'messages', `${name}.entry`),
      control: reference('components', 'messages', 'control'),
    },
    bindings: {
      kafka: {
        bindingVersion: KAFKA_BINDING_VERSION,
        topic: topicOf(name),
        partitions: content.groups.reduce((count, { shards }) => count + shards, 0),
        replicas: replicationFactor,
        topicConfiguration: { 'cleanup.policy': ['delete'], 'retention.ms': logRetentionMs },
      },
    },
  };
}

const operationOf = (name: DatasetName): object => ({
  action: 'receive',
  summary: `Read what was asked of \`${name}\`, in the order that decides.`,
  channel: reference('channels', name),
  messages: ['entry', 'control'].map((message) => reference('channels', name, 'messages', message)),
});

const entryOf = (name: DatasetName, { content, describedEvents }: CatalogueDataset): object => ({
  name: `${name}.entry`,
  title: `An entry of ${name}`,
  summary: 'Events that take effect together or not at all, all of one shard.',
  headers: reference('components', 'schemas', 'headers'),
  payload: {
    type: 'array',
    minItems: 1,
    maxItems: content.limits.eventsPerEntryMax,
    items: {
      oneOf: describedEvents.map((event) => reference('components', 'schemas', eventName(name, event))),
    },
  },
  bindings: {
    kafka: { bindingVersion: KAFKA_BINDING_VERSION, key: reference('components', 'schemas', `${name}.key`) },
  },
});

const CONTROL = {
  name: 'control',
  title: 'A control entry',
  summary:
    'Says who owns the shard and how it is judged. Skip it: its record key, the name of its kind, has no colon.',
  headers: reference('components', 'schemas', 'headers'),
  payload: { type: 'object' },
  bindings: {
    kafka: {
      bindingVersion: KAFKA_BINDING_VERSION,
      key: { type: 'string', enum: KINDS.filter((kind) => kind !== 'data') },
    },
  },
};

const HEADERS = {
  type: 'object',
  required: ['lockstep'],
  properties: {
    lockstep: {
      type: 'string',
      format: 'binary',
      description:
        'Kind, epoch, region, publisher and number of the entry, in the layout of SPEC.md, "Header".',
    },
    traceparent: { type: 'string', description: 'W3C trace context of the write.' },
  },
};

const eventName = (dataset: DatasetName, { type, version }: DescribedEvent): string =>
  `${dataset}.${type}.v${version}`;

function schemasOf(
  name: DatasetName,
  { content, describedEvents }: CatalogueDataset,
): readonly [string, object][] {
  const groups = content.groups.map((group) => group.name).join('|');
  const key = {
    type: 'string',
    pattern: `^(${groups}):[^\\u0000-\\u001f\\u007f-\\u009f]{1,${KEY_ID_BYTES_MAX}}$`,
    description: 'Of a row, as `group:id`. The key of a record is that of its first event.',
  };
  return [
    [`${name}.key`, key],
    ...describedEvents.map((event): [string, object] => [eventName(name, event), eventSchema(name, event)]),
  ];
}

function eventSchema(dataset: DatasetName, { type, version, schema }: DescribedEvent): object {
  return {
    ...(schema.title === undefined ? {} : { title: schema.title }),
    type: 'object',
    // An event that names no version is of version 1.
    required: ['key', 'type', 'data', ...(version === 1 ? [] : ['v'])],
    properties: {
      key: reference('components', 'schemas', `${dataset}.key`),
      type: { const: type },
      v: { const: version },
      data: schema,
      expectedVersion: {
        type: 'integer',
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'That the row must have had before the entry; 0 is a row that is not there.',
      },
    },
    additionalProperties: false,
  };
}
