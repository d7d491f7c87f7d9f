/**
 * A Kafka broker that is also a controller (KRaft), from plain jars: its configuration and its process.
 *
 * Without a wide area every broker has one listener for everybody. With one, regions and brokers reach a broker through
 * proxies, and since a broker tells clients where it is, it has a listener per region that tells that region's address,
 * and brokers find each other under names that each Java machine resolves by a hosts file of its own.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readLogFrom } from './bounded-log.js';
import { projectFolder } from './data-folder.js';
import { LocalError } from './local-error.js';
import { planPorts, choosePorts, type BrokerPorts } from './port-plan.js';
import { SupervisedProcess, type ProcessRecipe } from './supervised-process.js';

export interface KafkaNode {
  /** From 1 on. */
  readonly id: number;
  readonly ports: BrokerPorts;
  /** The region it stands in: its rack. */
  readonly region: string;
}

/** How the others reach a broker; `undefined` without a wide area. */
export interface KafkaLinks {
  /** The host that this region's clients are told. */
  advertisedHost(node: KafkaNode, region: string): string;
  /** Where the broker `from` finds the broker `to`. */
  hostBetween(from: KafkaNode, to: KafkaNode): string;
}

export interface KafkaOptions {
  readonly nodes: readonly KafkaNode[];
  readonly folder: string;
  readonly logs: string;
  readonly java: string;
  readonly links: KafkaLinks | undefined;
}

/** Any fixed id will do: a local cluster never meets another. */
const CLUSTER_ID = 'bG9ja3N0ZXAtbG9jYWwxMg';
const START_MS_MAX = 90_000;
const END_MS_MAX = 10_000;
const STARTED = 'Kafka Server started';
const run = promisify(execFile);

export function kafkaReplication(brokers: number): {
  readonly replicationFactor: number;
  readonly minInsyncReplicas: number;
} {
  return brokers >= 3
    ? { replicationFactor: 3, minInsyncReplicas: 2 }
    : { replicationFactor: 1, minInsyncReplicas: 1 };
}

export function kafkaProperties(node: KafkaNode, options: KafkaOptions): Readonly<Record<string, string>> {
  const { replicationFactor, minInsyncReplicas } = kafkaReplication(options.nodes.length);
  const { links } = options;
  const listeners = [
    { name: 'CLIENT', port: node.ports.client, advertisedHost: '127.0.0.1' },
    ...(links === undefined
      ? []
      : [
          { name: 'INTERNAL', port: node.ports.internal, advertisedHost: brokerName(node) },
          ...Object.entries(node.ports.byRegion).map(([region, port]) => ({
            name: listenerName(region),
            port,
            advertisedHost: links.advertisedHost(node, region),
          })),
        ]),
  ];
  const all = [...listeners, { name: 'CONTROLLER', port: node.ports.controller }];
  return {
    'process.roles': 'broker,controller',
    'node.id': String(node.id),
    'broker.rack': node.region,
    'log.dirs': join(options.folder, `broker-${node.id}`),

    listeners: all.map(({ name, port }) => `${name}://127.0.0.1:${port}`).join(','),
    'advertised.listeners': listeners
      .map(({ name, port, advertisedHost }) => `${name}://${advertisedHost}:${port}`)
      .join(','),
    'listener.security.protocol.map': all.map(({ name }) => `${name}:PLAINTEXT`).join(','),
    'inter.broker.listener.name': links === undefined ? 'CLIENT' : 'INTERNAL',
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.voters': options.nodes
      .map(
        (voter) =>
          `${voter.id}@${links === undefined ? '127.0.0.1' : brokerName(voter)}:${voter.ports.controller}`,
      )
      .join(','),

    // The log is the only order: nothing makes a topic by accident, nothing loses a replicated record for availability.
    'auto.create.topics.enable': 'false',
    'unclean.leader.election.enable': 'false',
    'log.message.timestamp.type': 'LogAppendTime',
    'default.replication.factor': String(replicationFactor),
    'min.insync.replicas': String(minInsyncReplicas),
    'offsets.topic.replication.factor': String(replicationFactor),
    'offsets.topic.num.partitions': '5',
    'transaction.state.log.replication.factor': String(replicationFactor),
    'transaction.state.log.min.isr': String(minInsyncReplicas),
    'transaction.state.log.num.partitions': '5',
    'share.coordinator.state.topic.replication.factor': String(replicationFactor),
    'share.coordinator.state.topic.min.isr': String(minInsyncReplicas),

    // Leaders go back to their preferred broker, the home's, within seconds.
    'auto.leader.rebalance.enable': 'true',
    'leader.imbalance.check.interval.seconds': '3',
    'leader.imbalance.per.broker.percentage': '0',
    'num.replica.fetchers': '4',
    // A follower turns to a new leader when its fetch under way ends: moves of a shard's leader wait for it, half a second by default.
    'replica.fetch.wait.max.ms': '100',
    // A follower that hears of a new leader before the leader does is refused, and its partitions rest for so long, a second by default:
    // appends to all of them wait for it, just behind a failover.
    'replica.fetch.backoff.ms': '100',
    // The floor of a failover that includes a broker, and how long a broker may stand still without losing its leaders (decision 0090).
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '400',
    // A lost broker that led the controllers as well is followed there first: sessions begin anew with the next one.
    'controller.quorum.fetch.timeout.ms': '1000',
    'controller.quorum.election.timeout.ms': '500',
    'controller.quorum.election.backoff.max.ms': '300',
    'group.initial.rebalance.delay.ms': '0',
  };
}

/** Formats the storage of a node that has none, and says how to run it. */
export async function kafkaRecipe(node: KafkaNode, options: KafkaOptions): Promise<ProcessRecipe> {
  const storage = join(options.folder, `broker-${node.id}`);
  const properties = join(options.folder, `broker-${node.id}.properties`);
  const hosts = join(options.folder, `broker-${node.id}.hosts`);
  const log = join(options.logs, `kafka-${node.id}.log`);
  mkdirSync(options.folder, { recursive: true });
  writeFileSync(
    properties,
    Object.entries(kafkaProperties(node, options))
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  const { links } = options;
  if (links !== undefined) {
    const lines = options.nodes.map(
      (other) =>
        `${other.id === node.id ? '127.0.0.1' : links.hostBetween(node, other)} ${brokerName(other)}\n`,
    );
    writeFileSync(hosts, `127.0.0.1 localhost\n${lines.join('')}`);
  }
  const classPath = ['-cp', join(kafkaJars(), '*'), '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];
  if (!existsSync(join(storage, 'meta.properties'))) {
    try {
      await run(options.java, [
        '-Xmx128m',
        '-XX:TieredStopAtLevel=1',
        ...classPath,
        'kafka.tools.StorageTool',
        'format',
        '-t',
        CLUSTER_ID,
        '-c',
        properties,
      ]);
    } catch (error) {
      throw new LocalError(
        'process-failed',
        `The storage of Kafka broker ${node.id} could not be formatted: ${(error as Error).message.slice(-2_000)}`,
      );
    }
  }
  let startedPid: number | undefined;
  return {
    name: `kafka-${node.id}`,
    log,
    launch: {
      command: options.java,
      args: [
        options.nodes.length > 1 ? '-Xmx320m' : '-Xmx512m',
        ...['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'],
        ...(links === undefined ? [] : [`-Djdk.net.hosts.file=${hosts}`]),
        ...classPath,
        '-Dorg.slf4j.simpleLogger.showDateTime=true',
        '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSSXXX',
        // One line of it says that the broker is unfenced and serves.
        '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info',
        'kafka.Kafka',
        properties,
      ],
      environment: { PATH: process.env['PATH'] ?? '' },
    },
    isReady: ({ pid }, logFrom) => {
      // Remembered, because the line leaves with the log's rotation.
      if (pid !== startedPid && readLogFrom(log, logFrom).includes(STARTED)) startedPid = pid;
      return Promise.resolve(pid === startedPid);
    },
    endSignal: 'SIGTERM',
    endMsMax: END_MS_MAX,
  };
}

export function listenerName(region: string): string {
  return `REGION_${region.toUpperCase().replaceAll('-', '_')}`;
}

function brokerName(node: KafkaNode): string {
  return `broker-${node.id}.lockstep.internal`;
}

function kafkaJars(): string {
  const folder = join(projectFolder, '.lockstep/kafka');
  if (!existsSync(folder) || readdirSync(folder).length === 0) {
    throw new LocalError(
      'process-failed',
      'The Kafka jars are missing. `npm start` and `npm test` fetch them.',
    );
  }
  return folder;
}

export interface KafkaHandle {
  /** `host:port` of every broker. */
  readonly brokers: readonly string[];
  readonly nodes: readonly SupervisedProcess[];
  readonly pids: () => readonly (number | null)[];
  stop(): Promise<void>;
}

/** A Kafka for tests: started, ready; a broker that dies is started again. The caller stops it. */
export async function startKafka(options: {
  readonly dataFolder: string;
  /** 1 (the default) or 3. */
  readonly brokers?: 1 | 3;
  /** First port of the block; `undefined`: a free block. */
  readonly basePort?: number;
  /** The Java to run with; `undefined`: the one on the path. */
  readonly java?: string;
}): Promise<KafkaHandle> {
  const shape = {
    regions: [],
    brokers: options.brokers ?? 1,
    wideArea: false,
    standby: false,
    ledger: false,
    jaeger: false,
  };
  const plan =
    options.basePort === undefined
      ? (await choosePorts({ kind: 'auto' }, shape, null)).plan
      : planPorts({ base: options.basePort }, shape);
  const nodes = plan.brokers.map((ports, index): KafkaNode => ({
    id: index + 1,
    ports,
    region: `zone-${index + 1}`,
  }));
  const kafka: KafkaOptions = {
    nodes,
    folder: options.dataFolder,
    logs: options.dataFolder,
    java: options.java ?? 'java',
    links: undefined,
  };
  const recipes = await Promise.all(nodes.map((node) => kafkaRecipe(node, kafka)));
  const processes = recipes.map(
    (recipe) => new SupervisedProcess(recipe, { changed: () => undefined, note: () => undefined }),
  );
  const stop = async () => {
    await Promise.all(processes.map((broker) => broker.end()));
  };
  try {
    await Promise.all(processes.map((broker) => broker.start()));
    await Promise.all(processes.map((broker) => broker.ready(START_MS_MAX)));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    brokers: nodes.map((node) => `127.0.0.1:${node.ports.client}`),
    nodes: processes,
    pids: () => processes.map((broker) => broker.pid),
    stop,
  };
}
