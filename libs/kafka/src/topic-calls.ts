/**
 * The two calls that know a topic by its id: where its partitions are (Metadata 12), and reading them (Fetch 13).
 *
 * kafkajs speaks versions that know a topic by its name only. A topic that was deleted and made anew has its old name,
 * and a reader that was paused meanwhile would read on in another log without a sign; by id the broker refuses it (I4).
 */
import { ByteReader } from './byte-reader.js';
import type { FetchAnswer } from './fetch-answer.js';
import { readFetchAnswer } from './fetch-answer.js';
import type { BrokerCall } from './kafkajs-internals.js';
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
      reader.skip(4); // leader epoch
      const replicas = reader.compactArray(int32);
      reader.compactArray(int32); // in sync
      reader.compactArray(int32); // offline
      reader.skipTags();
      return { partition, leader, replicas };
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
  readonly positions: readonly { readonly partition: number; readonly offset: bigint }[];
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
      for (const { partition, offset } of target.positions) {
        body
          .writeInt32(partition)
          .writeInt32(NO_EPOCH) // of the leader
          .writeInt64(offset.toString())
          .writeInt32(NO_EPOCH) // last fetched
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
