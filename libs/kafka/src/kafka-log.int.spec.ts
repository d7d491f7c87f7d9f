/**
 * The log port on a real broker: the conformance suite, then what only a network can do. The broker is named by
 * LOCKSTEP_TEST_KAFKA and allows transactions with one replica (they make the control batches to be stepped over).
 */
import { createRequire } from 'node:module';
import type { AddressInfo, Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isPortError, type AppendRequest, type Compression, type Log } from '@lockstep/engine';
import { offset } from '@lockstep/protocol';
import type { Offset } from '@lockstep/protocol';
import { logConformance } from '@lockstep/testing';
import type { ForeignRecord, LogUnderTest } from '@lockstep/testing';
import kafkajs from 'kafkajs';
import type { Admin, Kafka as Kafkajs, Producer } from 'kafkajs';
import type { BrokerAddress } from './index.js';
import { kafkaLog } from './index.js';
import { BrokerDirectory } from './broker-directory.js';
import type { BrokerCall, KafkaClient, WireRequest } from './kafka-client.js';
import { kafkajsClient } from './kafkajs-client.js';
import { unsupportedCalls, versionsCall } from './kafkajs-internals.js';
import { platformaticClient } from './platformatic-client.js';
import { batchBytes } from './record-batch.fixture.js';
import { fetchCall } from './topic-calls.js';

const require = createRequire(import.meta.url);
const { Kafka, logLevel } = kafkajs;
const { requests } = require('kafkajs/src/protocol/requests') as {
  requests: {
    DeleteRecords: {
      protocol: (version: object) => (fields: object) => {
        request: WireRequest;
        response: { decode(payload: Buffer): Promise<unknown> };
      };
    };
  };
};
const Encoder = require('kafkajs/src/protocol/encoder') as new () => {
  writeBuffer(bytes: Buffer): { readonly buffer: Buffer };
};

const UNTIL_MS_MAX = 60_000;
const broker = process.env['LOCKSTEP_TEST_KAFKA'] ?? '';
if (broker === '') throw new Error('LOCKSTEP_TEST_KAFKA names no broker (host:port)');

const openLog = (socketFactory?: (address: BrokerAddress) => Socket): Log =>
  kafkaLog({
    brokers: [broker],
    clientId: 'conformance',
    ...(socketFactory === undefined ? {} : { socketFactory }),
  });

/** The public client, playing other people: a transactional producer and an operator. */
let client: Kafkajs;
let operator: Admin;
let transactional: Producer;
let directory: BrokerDirectory;

beforeAll(async () => {
  client = new Kafka({ brokers: [broker], clientId: 'others', logLevel: logLevel.NOTHING });
  operator = client.admin();
  transactional = client.producer({
    transactionalId: `others-${process.pid}-${Math.random()}`,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await Promise.all([operator.connect(), transactional.connect()]);
  directory = new BrokerDirectory([broker], {
    client: kafkajsClient,
    clientId: 'others',
    socketFactory: null,
    onClientLog: null,
    onForeignBatch: null,
  });
});

afterAll(async () => {
  directory.close();
  await Promise.all([operator.disconnect(), transactional.disconnect()]);
});

async function transaction(
  topic: string,
  partition: number,
  value: string,
  ending: 'commit' | 'abort',
): Promise<void> {
  const running = await transactional.transaction();
  const [sent] = await running.send({ topic, messages: [{ partition, key: Buffer.alloc(4), value }] });
  await running[ending]();
  // The answer does not wait for the mark that the brokers set behind the record.
  const behindMark = BigInt(sent!.baseOffset!) + 2n;
  for (;;) {
    const offsets = await operator.fetchTopicOffsets(topic);
    if (BigInt(offsets.find((one) => one.partition === partition)!.high) >= behindMark) return;
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + UNTIL_MS_MAX;
  while (!(await holds())) {
    if (Date.now() > deadlineMs) throw new Error('it did not happen in time');
    await delay(20);
  }
}

async function truncateBefore(topic: string, partition: number, startOffset: Offset): Promise<void> {
  const topicRecords = [{ topic, partitions: [{ partition, offset: startOffset.toString() }] }];
  const { request, response } = requests.DeleteRecords.protocol({ version: 1 })({
    topics: topicRecords,
    timeout: 5_000,
  });
  const link = await directory.linkToLeader(topic, partition, 5_000);
  const answer = await link.send(
    { name: 'DeleteRecords', request, decode: response.decode },
    { timeoutMs: 5_000, prolongTimesMax: 0 },
  );
  link.close();
  expect(answer).toMatchObject({ topics: [{ partitions: [{ errorCode: 0 }] }] });
}

/** Bytes that no client library would send. */
async function appendForeign(topic: string, partition: number, record: ForeignRecord): Promise<void> {
  const batch = batchBytes({ baseOffset: 0n, records: [record] });
  const name = Buffer.from(topic);
  const body = Buffer.alloc(2 + 2 + 4 + 4 + 2 + name.length + 4 + 4 + 4);
  let position = body.writeInt16BE(-1, 0); // no transactional id
  position = body.writeInt16BE(-1, position); // acks
  position = body.writeInt32BE(5_000, position); // time-out
  position = body.writeInt32BE(1, position); // topics
  position = body.writeInt16BE(name.length, position);
  position += name.copy(body, position);
  position = body.writeInt32BE(1, position); // partitions
  position = body.writeInt32BE(partition, position);
  body.writeInt32BE(batch.length, position);
  const buffer = Buffer.concat([body, batch]);
  const call: BrokerCall<number> = {
    name: 'foreign append',
    request: {
      apiKey: 0,
      apiVersion: 7,
      apiName: 'Produce',
      encode: async () => new Encoder().writeBuffer(buffer),
    },
    decode: async (payload) => payload.readInt16BE(4 + 2 + name.length + 4 + 4),
  };
  const link = await directory.linkToLeader(topic, partition, 5_000);
  const errorCode = await link.send(call, { timeoutMs: 5_000, prolongTimesMax: 0 });
  link.close();
  expect(errorCode).toBe(0);
}

const clients: readonly (readonly [string, KafkaClient])[] = [
  ['kafkajs', kafkajsClient],
  ['@platformatic/kafka', platformaticClient],
];
for (const [name, used] of clients) {
  const makeLog = async (): Promise<LogUnderTest> => ({
    open: () => kafkaLog({ brokers: [broker], clientId: 'conformance', client: used }),
    appendForeign,
    leaveGap: (topic, partition) => transaction(topic, partition, 'aside', 'commit'),
    truncateBefore,
    remove: async (topic) => operator.deleteTopics({ topics: [topic] }),
    close: async () => {},
  });
  logConformance(`${name} on Kafka`, makeLog);
  logConformance(`${name} on Kafka, topics compressed`, makeLog, 'zstd');
}

describe('a log on Kafka', () => {
  let topics = 0;
  const newTopic = async (log: Log, compression: Compression = 'none'): Promise<string> => {
    topics += 1;
    const topic = `kafka-${process.pid}-${Math.floor(performance.timeOrigin)}-${topics}`;
    const findings = await log.admin.ensure({
      topic,
      partitions: 1,
      replicationFactor: 1,
      minInsyncReplicas: 1,
      retentionMs: 86_400_000,
      compression,
      replicas: [[1]],
    });
    expect(findings).toEqual([]);
    return topic;
  };
  const request = (topic: string, value: string, timeoutMs = 30_000): AppendRequest => ({
    topic,
    partition: 0,
    records: [{ key: 'eu:a', value, header: Uint8Array.of(1), traceparent: null }],
    timeoutMs,
  });
  const valuesOf = async (log: Log, topic: string): Promise<readonly (string | null)[]> => {
    const [answer] = await (
      await log.openReader(topic)
    ).fetch({ positions: [{ partition: 0, offset: offset(0n) }], waitMsMax: 100, bytesMax: 1_000_000 });
    return answer!.records.map(({ valueText }) => valueText);
  };

  /** Of the batches as the broker has them. */
  const codecsOf = async (topic: string): Promise<readonly number[]> => {
    const { id: topicId, partitions } = await directory.places(topic, 5_000);
    const link = await directory.linkToLeader(topic, 0, 5_000);
    const positions = [
      { partition: 0, offset: 0n, leaderEpoch: partitions[0]!.leaderEpoch, lastEpoch: null },
    ];
    const call = fetchCall({ topicId, positions, waitMsMax: 100, bytesMax: 1_000_000 });
    const { partitions: answers } = await link.send(call, { timeoutMs: 5_000, prolongTimesMax: 0 });
    link.close();
    const codecs: number[] = [];
    const { batches } = answers[0]!;
    for (let start = 0; start < batches.length; start += 12 + batches.readInt32BE(start + 8))
      codecs.push(batches.readInt16BE(start + 21) & 7);
    return codecs;
  };

  test('this broker speaks every version that we use', async () => {
    expect(unsupportedCalls(await directory.ask(versionsCall(), 5_000))).toEqual([]);
  });

  test('records of an aborted transaction are read like all others', async () => {
    const log = openLog();
    const topic = await newTopic(log);
    await transaction(topic, 0, 'aborted', 'abort');
    await (await log.openWriter()).append(request(topic, 'after'));
    expect(await valuesOf(log, topic)).toEqual(['aborted', 'after']);
    await log.close();
  });

  test.each([
    ['none', 0],
    ['zstd', 4],
  ] as const)(
    'what another producer compressed is stored as the topic says and read: %s',
    async (compression, codec) => {
      const log = openLog();
      const topic = await newTopic(log, compression);
      const producer = client.producer({ createPartitioner: () => () => 0 });
      await producer.connect();
      const gzip = 1;
      await producer.send({
        topic,
        compression: gzip,
        messages: [{ value: 'a'.repeat(500) }, { value: 'b'.repeat(500) }],
      });
      await producer.disconnect();
      expect(await valuesOf(log, topic)).toEqual(['a'.repeat(500), 'b'.repeat(500)]);
      await (await log.openWriter()).append(request(topic, 'ours'));
      expect(await codecsOf(topic)).toEqual([codec, codec]);
      await log.close();
    },
  );

  test('settings that an operator changed are found', async () => {
    const log = openLog();
    const topic = await newTopic(log);
    const configEntries = [
      { name: 'message.timestamp.type', value: 'CreateTime' },
      { name: 'cleanup.policy', value: 'compact' },
      { name: 'unclean.leader.election.enable', value: 'true' },
      { name: 'max.message.bytes', value: '1000' },
    ];
    await operator.alterConfigs({
      validateOnly: false,
      resources: [{ type: 2, name: topic, configEntries }],
    });
    const findings = async (): Promise<object> => {
      const found = await log.admin.check({
        topic,
        partitions: 1,
        replicationFactor: 3,
        minInsyncReplicas: 1,
        retentionMs: 604_800_000,
        compression: 'none',
        replicas: null,
      });
      return found.map((finding) => [finding.setting, finding.found]);
    };
    // The answer to a change does not wait until every part of the broker goes by it.
    await until(async () =>
      isDeepStrictEqual(await findings(), [
        ['replication', '1'],
        ['message.timestamp.type', 'CreateTime'],
        ['cleanup.policy', 'compact'],
        ['unclean.leader.election.enable', 'true'],
        ['max.message.bytes', '1000'],
        ['compression.type', 'producer'],
      ]),
    );
    const writer = await log.openWriter();
    const failing = (): Promise<unknown> =>
      writer.append(request(topic, 'a')).catch((error: unknown) => error);
    await until(async () => isPortError(await failing()));
    expect(await failing()).toMatchObject({ code: 'log-answer-suspicious', disposition: 'unknown' });
    await log.close();
  });

  describe('behind a proxy', () => {
    let proxy: Proxy;
    let log: Log;

    beforeAll(async () => {
      proxy = await startProxy();
      log = openLog(() => connect(proxy.port, '127.0.0.1'));
    });

    afterAll(async () => {
      await log.close();
      await proxy.close();
    });

    test('an append whose answer is lost is unknown at its time-out, stands in the log, and the next one goes through', async () => {
      const topic = await newTopic(log);
      const writer = await log.openWriter();
      await writer.append(request(topic, 'first'));
      proxy.swallowAnswers = true;
      await expect(writer.append(request(topic, 'unanswered', 2_000))).rejects.toMatchObject({
        code: 'log-timed-out',
        disposition: 'unknown',
      });
      proxy.swallowAnswers = false;
      await until(async () => (await operator.fetchTopicOffsets(topic))[0]!.high === '2');
      expect(await writer.append(request(topic, 'third'))).toMatchObject({ baseOffset: 2n });
      expect(await valuesOf(log, topic)).toEqual(['first', 'unanswered', 'third']);
    });

    test('an append that is cut off on its way is unknown, and one without a connection is retryable', async () => {
      const topic = await newTopic(log);
      const writer = await log.openWriter();
      await writer.append(request(topic, 'first'));
      proxy.swallowAnswers = true;
      const inFlight = writer.append(request(topic, 'cut'));
      await proxy.bytesFromClient();
      proxy.cut();
      await expect(inFlight).rejects.toMatchObject({ code: 'log-unreachable', disposition: 'unknown' });
      await expect(writer.append(request(topic, 'nowhere', 300))).rejects.toMatchObject({
        disposition: 'retryable',
      });
      proxy.swallowAnswers = false;
      proxy.mend();
      await writer.append(request(topic, 'last'));
      const values = await valuesOf(log, topic);
      expect(values.filter((value) => value !== 'cut')).toEqual(['first', 'last']);
    });

    test('closing a writer ends its append as unknown', async () => {
      const topic = await newTopic(log);
      const writer = await log.openWriter();
      await writer.append(request(topic, 'first'));
      proxy.swallowAnswers = true;
      const inFlight = writer.append(request(topic, 'unanswered', 60_000));
      await proxy.bytesFromClient();
      await writer.close();
      await expect(inFlight).rejects.toMatchObject({ code: 'log-closed', disposition: 'unknown' });
      proxy.swallowAnswers = false;
    });

    test('a reader that loses its broker rejects at once, and another one reads on', async () => {
      const topic = await newTopic(log);
      await (await log.openWriter()).append(request(topic, 'first'));
      const reader = await log.openReader(topic);
      const waiting = reader.fetch({
        positions: [{ partition: 0, offset: offset(1n) }],
        waitMsMax: 60_000,
        bytesMax: 1_000,
      });
      await proxy.bytesFromClient();
      proxy.cut();
      await expect(waiting).rejects.toMatchObject({ code: 'log-unreachable', disposition: 'retryable' });
      await expect(log.openReader(topic)).rejects.toMatchObject({ disposition: 'retryable' });
      proxy.mend();
      expect(await valuesOf(log, topic)).toEqual(['first']);
    });

    test('a fetch at a broker that has fallen silent ends by itself', async () => {
      const topic = await newTopic(log);
      const reader = await log.openReader(topic);
      await reader.fetch({
        positions: [{ partition: 0, offset: offset(0n) }],
        waitMsMax: 10,
        bytesMax: 1_000,
      });
      proxy.swallowAnswers = true;
      await expect(
        reader.fetch({ positions: [{ partition: 0, offset: offset(0n) }], waitMsMax: 10, bytesMax: 1_000 }),
      ).rejects.toMatchObject({
        code: 'log-timed-out',
        disposition: 'retryable',
      });
      proxy.swallowAnswers = false;
    });
  });
});

interface Proxy {
  readonly port: number;
  /** Requests pass, answers do not. */
  swallowAnswers: boolean;
  /** Resolves when the next bytes of a client have passed. */
  bytesFromClient(): Promise<void>;
  /** Ends all connections and refuses new ones, until `mend`. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

async function startProxy(): Promise<Proxy> {
  const [host, port] = broker.split(':') as [string, string];
  const sockets = new Set<Socket>();
  const watchers = new Set<() => void>();
  let isCut = false;
  const server: Server = createServer((near) => {
    if (isCut) return void near.destroy();
    const far = connect(Number(port), host);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on('data', (bytes) => {
      far.write(bytes);
      for (const watcher of watchers) watcher();
      watchers.clear();
    });
    far.on('data', (bytes) => {
      if (!proxy.swallowAnswers) near.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  const proxy: Proxy = {
    port: (server.address() as AddressInfo).port,
    swallowAnswers: false,
    bytesFromClient: () => new Promise((resolve) => watchers.add(resolve)),
    cut,
    mend: () => {
      isCut = false;
    },
    close: () => {
      cut();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return proxy;
}
