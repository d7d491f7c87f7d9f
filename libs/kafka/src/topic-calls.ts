/**
 * Calls that kafkajs does not speak. Two know a topic by its id: where its partitions are (Metadata 12), and reading them
 * (Fetch 13). One lets the preferred replica of a partition lead (ElectLeaders 2).
 *
 * kafkajs speaks versions that know a topic by its name only. A topic that was deleted and made anew has its old name,
 * and a reader that was paused meanwhile would read on in another log without a sign; by id the broker refuses it (I4).
 */
import { ByteReader } from './byte-reader.js';
import type { FetchAnswer } from './fetch-answer.js';
import { readFetchAnswer } from './fetch-answer.js';
import type { BrokerCall } from './kafka-client.js';
import { flexibleCall } from './kafkajs-internals.js';

/** The 16 bytes of the id in hexadecimal digits. */
export type TopicId = string;

export interface MetadataAnswer {
  readonly clientSideThrottleTime: number;
  readonly brokers: readonly {
    readonly nodeId: number;
    readonly host: string;
    readonly port: number;
    readonly rack: string | null;
  }[];
  readonly topics: readonly {
    readonly errorCode: number;
    readonly topic: string | null;
    readonly id: TopicId;
    readonly partitions: readonly {
      readonly partition: number;
      readonly leader: number;
      readonly leaderEpoch: number;
      readonly replicas: readonly number[];
    }[];
  }[];
}

const NO_ID = Buffer.alloc(16);

export const metadataCall = (topic: string): BrokerCall<MetadataAnswer> =>
  flexibleCall(
    'Metadata',
    (body) =>
      body
        .writeUVarInt(1 + 1) // one topic
        .writeBuffer(NO_ID)
        .writeUVarIntString(topic)
        .writeUVarInt(0)
        .writeBoolean(false) // create nothing
        .writeBoolean(false) // no authorized operations
        .writeUVarInt(0),
    readMetadataAnswer,
  );

export function readMetadataAnswer(payload: Buffer): MetadataAnswer {
  const reader = new ByteReader(payload, 0, payload.length);
  reader.skipTags(); // of the header
  const clientSideThrottleTime = reader.int32();
  const brokers = reader.compactArray(() => {
    const broker = {
      nodeId: reader.int32(),
      host: reader.compactText() ?? '',
      port: reader.int32(),
      rack: reader.compactText(),
    };
    reader.skipTags();
    return broker;
  });
  reader.compactText(); // cluster
  reader.skip(4); // controller
  const int32 = (): number => reader.int32();
  const topics = reader.compactArray(() => {
    const errorCode = reader.int16();
    const topic = reader.compactText();
    const id = reader.view(16).toString('hex');
    reader.skip(1); // internal
    const partitions = reader.compactArray(() => {
      reader.skip(2); // error: the leader is missing then
      const partition = reader.int32();
      const leader = reader.int32();
      const leaderEpoch = reader.int32();
      const replicas = reader.compactArray(int32);
      reader.compactArray(int32); // in sync
      reader.compactArray(int32); // offline
      reader.skipTags();
      return { partition, leader, leaderEpoch, replicas };
    });
    reader.skip(4); // authorized operations
    reader.skipTags();
    return { errorCode, topic, id, partitions };
  });
  return { clientSideThrottleTime, brokers, topics };
}

const NO_REPLICA = -1;
const READ_UNCOMMITTED = 0;
const NO_SESSION = 0;
const NO_SESSION_EPOCH = -1;
const NO_EPOCH = -1;

export const fetchCall = (target: {
  readonly topicId: TopicId;
  readonly positions: readonly {
    readonly partition: number;
    readonly offset: bigint;
    /** As far as the asker knows; where that is wrong, the broker says so instead of answering, be it the leader or a follower. */
    readonly leaderEpoch: number;
    /** In which epoch the record before `offset` was appended: a leader whose log has another one there says so. */
    readonly lastEpoch: number | null;
  }[];
  readonly waitMsMax: number;
  readonly bytesMax: number;
}): BrokerCall<FetchAnswer> =>
  flexibleCall(
    'Fetch',
    (body) => {
      body
        .writeInt32(NO_REPLICA)
        .writeInt32(target.waitMsMax)
        .writeInt32(1) // bytes at least
        .writeInt32(target.bytesMax)
        .writeInt8(READ_UNCOMMITTED)
        .writeInt32(NO_SESSION)
        .writeInt32(NO_SESSION_EPOCH)
        .writeUVarInt(1 + 1) // one topic
        .writeBuffer(Buffer.from(target.topicId, 'hex'))
        .writeUVarInt(target.positions.length + 1);
      for (const { partition, offset, leaderEpoch, lastEpoch } of target.positions) {
        body
          .writeInt32(partition)
          .writeInt32(leaderEpoch)
          .writeInt64(offset.toString())
          .writeInt32(lastEpoch ?? NO_EPOCH)
          .writeInt64('-1') // start of a follower's log
          .writeInt32(target.bytesMax)
          .writeUVarInt(0);
      }
      return body
        .writeUVarInt(0) // of the topic
        .writeUVarInt(1) // nothing to forget
        .writeUVarIntString('') // no rack
        .writeUVarInt(0);
    },
    readFetchAnswer,
  );

export interface ElectAnswer {
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  readonly partitions: readonly { readonly partition: number; readonly errorCode: number }[];
}

const PREFERRED = 0;

/** Its first replica leads one partition from now on, if it is in sync. */
export const electCall = (topic: string, partition: number, timeoutMs: number): BrokerCall<ElectAnswer> =>
  flexibleCall(
    'ElectPreferredLeaders',
    (body) =>
      body
        .writeInt8(PREFERRED)
        .writeUVarInt(1 + 1) // one topic
        .writeUVarIntString(topic)
        .writeUVarInt(1 + 1) // one partition
        .writeInt32(partition)
        .writeUVarInt(0) // tags of the topic
        .writeInt32(timeoutMs)
        .writeUVarInt(0),
    readElectAnswer,
  );

export function readElectAnswer(payload: Buffer): ElectAnswer {
  const reader = new ByteReader(payload, 0, payload.length);
  reader.skipTags(); // of the header
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  const partitions = reader.compactArray(() => {
    reader.compactText(); // topic: one was asked for
    const results = reader.compactArray(() => {
      const result = { partition: reader.int32(), errorCode: reader.int16() };
      reader.compactText(); // message
      reader.skipTags();
      return result;
    });
    reader.skipTags();
    return results;
  });
  return { clientSideThrottleTime, errorCode, partitions: partitions.flat() };
}
