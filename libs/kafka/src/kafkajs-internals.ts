/**
 * The only file that touches kafkajs: its connection and its wire codecs, without its cluster, pools, retries, groups
 * and producer.
 *
 * They are private parts of a pinned version, so the version is asserted when this file is loaded, and every call names
 * the one protocol version that it uses (`WIRE_VERSIONS`; a broker that lacks one is refused when it is first asked).
 * kafkajs is CommonJS and is loaded with `createRequire`.
 */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { KEEP_ALIVE_DELAY_MS } from './kafka-client.js';
import type { BrokerCall, Connection, ConnectionOptions, WireRequest } from './kafka-client.js';

interface KafkajsConnection {
  connect(): Promise<unknown>;
  isConnected(): boolean;
  send(protocol: object): Promise<unknown>;
}

interface ConnectionLogger {
  namespace(): ConnectionLogger;
  debug(): void;
  info(): void;
  warn(message: string): void;
  error(message: string): void;
}

interface KafkajsConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly logger: ConnectionLogger;
  readonly socketFactory: (target: { readonly onConnect: () => void }) => Socket;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly enforceRequestTimeout: boolean;
}

interface KafkajsProtocol {
  readonly request: WireRequest;
  readonly response: { decode(payload: Buffer): Promise<unknown> };
}

interface RequestDefinition {
  readonly protocol: (version: { readonly version: number }) => (fields: object) => KafkajsProtocol;
}

/** Writes Kafka's primitive types; `UVarInt...` are the compact ones of flexible versions, with length plus one. */
interface Encoder {
  writeBoolean(value: boolean): Encoder;
  writeInt8(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeInt64(digits: string): Encoder;
  writeUVarInt(value: number): Encoder;
  writeUVarIntString(text: string): Encoder;
  writeBuffer(bytes: Buffer): Encoder;
  readonly buffer: Buffer;
}

interface RequestQueuePrototype {
  scheduleCheckPendingRequests(this: { readonly pending: readonly unknown[] }): void;
}

const PINNED_VERSION = '2.2.4';

/** All are kept by Kafka 4. Those that are our own stand in `append-call.ts` and `topic-calls.ts`, the others are the newest of kafkajs. */
const WIRE_VERSIONS = {
  Produce: 7,
  Fetch: 13,
  ListOffsets: 3,
  Metadata: 12,
  ApiVersions: 2,
  CreateTopics: 3,
  DescribeConfigs: 2,
  AlterPartitionReassignments: 0,
  ListPartitionReassignments: 0,
  /** kafkajs knows the first name of ElectLeaders. */
  ElectPreferredLeaders: 2,
} as const;

type ApiName = keyof typeof WIRE_VERSIONS;
type OwnApiName = 'Produce' | 'Fetch' | 'Metadata' | 'ElectPreferredLeaders';
type KnownApiName = Exclude<ApiName, OwnApiName>;

const require = createRequire(import.meta.url);
const { version } = require('kafkajs/package.json') as { version: string };
assert.equal(version, PINNED_VERSION, 'kafkajs is used through private parts and must be the pinned version');

const ConnectionClass = require('kafkajs/src/network/connection') as new (
  options: KafkajsConnectionOptions,
) => KafkajsConnection;
const requestQueue = require('kafkajs/src/network/requestQueue') as {
  readonly prototype: RequestQueuePrototype;
};
const { requests } = require('kafkajs/src/protocol/requests') as {
  readonly requests: { readonly [name in KnownApiName]: RequestDefinition };
};
const apiKeys = require('kafkajs/src/protocol/requests/apiKeys') as { readonly [name in ApiName]: number };
const EncoderClass = require('kafkajs/src/protocol/encoder') as new () => Encoder;
const { createErrorFromCode } = require('kafkajs/src/protocol/error') as {
  readonly createErrorFromCode: (code: number) => Error & { readonly type: string };
};

guardIdleTimer(requestQueue.prototype);

/**
 * kafkajs arms this timer after every answer with a delay that is negative while nothing is throttled: a connection that
 * was used once then polls every millisecond for ever. With nothing pending there is nothing to check.
 */
function guardIdleTimer(queue: RequestQueuePrototype): void {
  const schedule = queue.scheduleCheckPendingRequests;
  queue.scheduleCheckPendingRequests = function scheduleWhenPending() {
    if (this.pending.length > 0) schedule.call(this);
  };
}

/** A field `clientSideThrottleTime` of an answer is obeyed: kafkajs holds the next request back for so long. */
export function newConnection({
  address,
  clientId,
  connectMsMax,
  onClientLog,
  socketFactory,
}: ConnectionOptions): Connection {
  let socket: Socket | null = null;
  const connection = new ConnectionClass({
    ...address,
    clientId,
    logger: quietLogger(onClientLog),
    socketFactory: ({ onConnect }) => {
      socket = socketFactory === null ? connect(address) : socketFactory(address);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
      return socket.once('connect', onConnect);
    },
    connectionTimeout: connectMsMax,
    // Used by kafkajs only for its interval timer, which is off: calls are bounded by the link.
    requestTimeout: connectMsMax,
    enforceRequestTimeout: false,
  });
  return {
    get socket() {
      return socket;
    },
    connect: () => connection.connect(),
    isConnected: () => connection.isConnected(),
    send: <Answer>(call: BrokerCall<Answer>) => connection.send(protocolOf(call)) as Promise<Answer>,
  };
}

function quietLogger(onClientLog: ConnectionOptions['onClientLog']): ConnectionLogger {
  const logger: ConnectionLogger = {
    namespace: () => logger,
    debug: () => {},
    info: () => {},
    warn: (message) => onClientLog?.('warn', message),
    error: (message) => onClientLog?.('error', message),
  };
  return logger;
}

/** An error answer of a broker; its `type` is Kafka's name for it, such as `NOT_LEADER_FOR_PARTITION`. */
export const brokerError = (code: number): Error & { readonly type: string } => createErrorFromCode(code);

/** kafkajs' `send` wants `parse` beside `decode`; its own would throw away all but one error. */
const protocolOf = (call: BrokerCall<unknown>): object => ({
  request: call.request,
  response: { decode: call.decode, parse: (answer: unknown) => Promise.resolve(answer) },
  logResponseError: false,
});

function call<Answer>(name: KnownApiName, fields: object): BrokerCall<Answer> {
  const { request, response } = requests[name].protocol({ version: WIRE_VERSIONS[name] })(fields);
  return { name, request, decode: response.decode as (payload: Buffer) => Promise<Answer> };
}

/** A call of an older version whose bytes are our own. kafkajs takes anything that has its bytes under both names. */
export const plainCall = <Answer>(
  name: 'Produce',
  bytesOf: () => Buffer,
  decode: (payload: Buffer) => Answer,
): BrokerCall<Answer> =>
  ownCall(
    name,
    () => {
      const buffer = bytesOf();
      return { buffer, buf: buffer };
    },
    decode,
  );

/**
 * A call of a flexible version, which kafkajs does not speak: it writes an older header, so that the tags which end the
 * newer one are the first byte of the body. `decode` begins with the tags of the answer's header.
 */
export const flexibleCall = <Answer>(
  name: Exclude<OwnApiName, 'Produce'>,
  writeBody: (encoder: Encoder) => Encoder,
  decode: (payload: Buffer) => Answer,
): BrokerCall<Answer> => ownCall(name, () => writeBody(new EncoderClass().writeUVarInt(0)), decode);

function ownCall<Answer>(
  name: OwnApiName,
  encode: () => { readonly buffer: Buffer },
  decode: (payload: Buffer) => Answer,
): BrokerCall<Answer> {
  return {
    name,
    request: {
      apiKey: apiKeys[name],
      apiVersion: WIRE_VERSIONS[name],
      apiName: name,
      encode: async () => encode(),
    },
    decode: async (payload) => decode(payload),
  };
}

const READ_UNCOMMITTED = 0;

export interface OffsetsAnswer {
  readonly responses: readonly {
    readonly partitions: readonly {
      readonly partition: number;
      readonly errorCode: number;
      readonly offset: string;
    }[];
  }[];
}

export function offsetsCall(
  topic: string,
  partitions: readonly number[],
  which: 'start' | 'end',
): BrokerCall<OffsetsAnswer> {
  const timestamp = which === 'start' ? '-2' : '-1';
  return call('ListOffsets', {
    replicaId: -1,
    isolationLevel: READ_UNCOMMITTED,
    topics: [{ topic, partitions: partitions.map((partition) => ({ partition, timestamp })) }],
  });
}

interface VersionsAnswer {
  readonly errorCode: number;
  readonly apiVersions: readonly {
    readonly apiKey: number;
    readonly minVersion: number;
    readonly maxVersion: number;
  }[];
}

export const versionsCall = (): BrokerCall<VersionsAnswer> => call('ApiVersions', {});

/** The calls of ours that a broker does not understand; empty when all is well. */
export function unsupportedCalls(answer: VersionsAnswer): readonly string[] {
  return (Object.keys(WIRE_VERSIONS) as ApiName[]).filter((name) => {
    const range = answer.apiVersions.find(({ apiKey }) => apiKey === apiKeys[name]);
    return (
      range === undefined || WIRE_VERSIONS[name] < range.minVersion || WIRE_VERSIONS[name] > range.maxVersion
    );
  });
}

interface CreateTopicsAnswer {
  readonly topicErrors: readonly {
    readonly topic: string;
    readonly errorCode: number;
    readonly errorMessage: string | null;
  }[];
}

export function createTopicCall(target: {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly replicas: readonly (readonly number[])[] | null;
  readonly settings: ReadonlyMap<string, string>;
  readonly timeoutMs: number;
}): BrokerCall<CreateTopicsAnswer> {
  const placed = target.replicas !== null;
  return call('CreateTopics', {
    timeout: target.timeoutMs,
    topics: [
      {
        topic: target.topic,
        // With explicit replica lists Kafka wants both counts left open.
        numPartitions: placed ? -1 : target.partitions,
        replicationFactor: placed ? -1 : target.replicationFactor,
        replicaAssignment: (target.replicas ?? []).map((replicas, partition) => ({ partition, replicas })),
        configEntries: [...target.settings].map(([name, value]) => ({ name, value })),
      },
    ],
  });
}

interface ConfigsAnswer {
  readonly resources: readonly {
    readonly errorCode: number;
    readonly configEntries: readonly { readonly configName: string; readonly configValue: string | null }[];
  }[];
}

const TOPIC_RESOURCE = 2;

export const configsCall = (topic: string, names: readonly string[]): BrokerCall<ConfigsAnswer> =>
  call('DescribeConfigs', {
    resources: [{ type: TOPIC_RESOURCE, name: topic, configNames: names }],
    includeSynonyms: false,
  });

interface ReassignmentsAnswer {
  readonly errorCode: number;
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly { readonly partition: number }[];
  }[];
}

/** All that are under way: kafkajs cannot ask for those of one topic. */
export const reassignmentsCall = (timeoutMs: number): BrokerCall<ReassignmentsAnswer> =>
  call('ListPartitionReassignments', { topics: null, timeout: timeoutMs });

interface ReassignAnswer {
  readonly errorCode: number;
  readonly responses: readonly {
    readonly partitions: readonly { readonly partition: number; readonly errorCode: number }[];
  }[];
}

export const reassignCall = (target: {
  readonly topic: string;
  readonly partition: number;
  readonly replicas: readonly number[];
  readonly timeoutMs: number;
}): BrokerCall<ReassignAnswer> =>
  call('AlterPartitionReassignments', {
    topics: [
      {
        topic: target.topic,
        partitionAssignment: [{ partition: target.partition, replicas: target.replicas }],
      },
    ],
    timeout: target.timeoutMs,
  });
