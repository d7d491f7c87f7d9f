/**
 * Creates topics as the design demands them, and says where an existing one differs: a wrong setting is a finding for an
 * operator. Of what exists it changes only who leads a partition, by the order of its replicas.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { LogAdmin, TopicDescription, TopicFinding } from '@lockstep/engine';
import { CONTROL_TOPIC } from '@lockstep/protocol';
import type { LeaderPlacement, PlacedBroker, RegionName } from '@lockstep/protocol';
import type { BrokerDirectory, PartitionPlace } from './broker-directory.js';
import { placedBroker, UNKNOWN_TOPIC_OR_PARTITION } from './broker-directory.js';
import { brokerError, configsCall, createTopicCall } from './kafkajs-internals.js';
import type { Bounds } from './leader-poll.js';
import { readBounds } from './leader-poll.js';
import { placeLeader } from './leader-placement.js';
import { LinkError, logFailure } from './log-failure.js';
import { metadataCall } from './topic-calls.js';
import { BATCH_BYTES_MAX } from './unpacked-batch.js';

const CALL_MS_MAX = 5_000;
/** A new topic is served by its leaders a little later. */
const SERVED_MS_MAX = 10_000;
const LOOK_AGAIN_MS = 50;
const TOPIC_ALREADY_EXISTS = 36;

export class KafkaAdmin implements LogAdmin {
  readonly #directory: BrokerDirectory;

  constructor(directory: BrokerDirectory) {
    this.#directory = directory;
  }

  async ensure(description: TopicDescription): Promise<readonly TopicFinding[]> {
    const { topic } = description;
    if ((await this.#find(topic)) === null) {
      await this.#create(description);
      await this.#untilServed(topic);
    }
    return this.check(description);
  }

  async check(description: TopicDescription): Promise<readonly TopicFinding[]> {
    const { topic } = description;
    const places = await this.#find(topic);
    if (places === null) return [{ setting: 'topic', expected: topic, found: 'missing' }];
    return [
      ...placeFindings(description, places),
      ...settingFindings(description, await this.#settings(description)),
    ];
  }

  async brokers(): Promise<readonly PlacedBroker[]> {
    try {
      // Brokers are named whichever topic is asked for.
      const answer = await this.#directory.ask(metadataCall(CONTROL_TOPIC), CALL_MS_MAX);
      return answer.brokers.map(placedBroker);
    } catch (error) {
      throw logFailure(error, 'unsent', 'asking for the brokers');
    }
  }

  async bounds(topic: string, partition: number): Promise<Bounds> {
    try {
      return (await this.#boundsAtLeader(topic, [partition])).get(partition)!;
    } catch (error) {
      throw logFailure(error, 'unsent', `reading the bounds of ${topic}/${partition}`);
    }
  }

  placeLeader(topic: string, partition: number, region: RegionName): Promise<LeaderPlacement> {
    return placeLeader(this.#directory, { topic, partition, region, timeoutMs: CALL_MS_MAX });
  }

  /** Of partitions that have one leader. */
  async #boundsAtLeader(topic: string, partitions: readonly number[]): Promise<ReadonlyMap<number, Bounds>> {
    const link = await this.#directory.linkToLeader(topic, partitions[0]!, CALL_MS_MAX);
    try {
      return await readBounds(link, topic, partitions);
    } finally {
      link.close();
    }
  }

  async #create(description: TopicDescription): Promise<void> {
    const { topic } = description;
    const call = createTopicCall({
      ...description,
      settings: settingsOf(description),
      timeoutMs: CALL_MS_MAX,
    });
    const answer = await this.#directory.ask(call, 2 * CALL_MS_MAX).catch((error: unknown) => {
      throw logFailure(error, 'sent', `creating ${topic}`);
    });
    const result = answer.topicErrors.find((candidate) => candidate.topic === topic);
    if (result === undefined)
      throw logFailure(
        new LinkError('answer-suspicious', 'no answer for this topic'),
        'sent',
        `creating ${topic}`,
      );
    // Another process was faster; what it made is checked like our own.
    if (result.errorCode === 0 || result.errorCode === TOPIC_ALREADY_EXISTS) return;
    throw logFailure(
      brokerError(result.errorCode),
      'refused',
      `creating ${topic} (${result.errorMessage ?? 'no reason given'})`,
    );
  }

  /** Metadata names a new leader before that broker has taken office, so each leader is asked for its partitions. */
  async #untilServed(topic: string): Promise<void> {
    const deadlineMs = performance.now() + SERVED_MS_MAX;
    for (;;) {
      try {
        const { partitions } = await this.#directory.places(topic, CALL_MS_MAX);
        const leaders = Map.groupBy(partitions, ({ leader }) => leader && `${leader.host}:${leader.port}`);
        for (const led of leaders.values())
          await this.#boundsAtLeader(
            topic,
            led.map(({ partition }) => partition),
          );
        return;
      } catch (error) {
        const failure = logFailure(error, 'unsent', `waiting for ${topic}`);
        if (failure.disposition === 'fatal' || performance.now() > deadlineMs) throw failure;
        await delay(LOOK_AGAIN_MS);
      }
    }
  }

  async #find(topic: string): Promise<readonly PartitionPlace[] | null> {
    try {
      return (await this.#directory.places(topic, CALL_MS_MAX)).partitions;
    } catch (error) {
      if ((error as { code?: unknown }).code === UNKNOWN_TOPIC_OR_PARTITION) return null;
      throw logFailure(error, 'unsent', `looking for ${topic}`);
    }
  }

  async #settings(description: TopicDescription): Promise<ReadonlyMap<string, string>> {
    const { topic } = description;
    try {
      const answer = await this.#directory.ask(
        configsCall(topic, [...settingsOf(description).keys()]),
        CALL_MS_MAX,
      );
      const [resource] = answer.resources;
      if (resource === undefined) throw new LinkError('answer-suspicious', 'no settings of this topic');
      if (resource.errorCode !== 0) throw brokerError(resource.errorCode);
      return new Map(
        resource.configEntries.map(({ configName, configValue }) => [configName, configValue ?? '']),
      );
    } catch (error) {
      throw logFailure(error, 'unsent', `reading the settings of ${topic}`);
    }
  }
}

/** Small segments, because the newest one is never compacted: the topic is read from its beginning when a process starts. */
const COMPACTED = [
  ['cleanup.policy', 'compact'],
  ['segment.bytes', String(8 * 1024 * 1024)],
  ['segment.ms', '600000'],
  ['min.compaction.lag.ms', '300000'],
  ['max.compaction.lag.ms', '900000'],
] as const;

const COMPRESSION = {
  none: [['compression.type', 'uncompressed']],
  zstd: [
    ['compression.type', 'zstd'],
    ['compression.zstd.level', '1'],
  ],
} as const;

function settingsOf(description: TopicDescription): ReadonlyMap<string, string> {
  return new Map([
    ['message.timestamp.type', 'LogAppendTime'],
    ...(description.retentionMs === 'compacted'
      ? COMPACTED
      : ([
          ['cleanup.policy', 'delete'],
          ['retention.ms', String(description.retentionMs)],
        ] as const)),
    ['min.insync.replicas', String(description.minInsyncReplicas)],
    ['unclean.leader.election.enable', 'false'],
    ['max.message.bytes', String(BATCH_BYTES_MAX)],
    // Whatever codec a foreign producer takes, the broker stores this one, so that readers need no other.
    ...COMPRESSION[description.compression],
  ]);
}

function settingFindings(
  description: TopicDescription,
  found: ReadonlyMap<string, string>,
): readonly TopicFinding[] {
  return [...settingsOf(description)]
    .map(([setting, expected]) => ({ setting, expected, found: found.get(setting) ?? 'unknown' }))
    .filter((finding) => finding.found !== finding.expected);
}

function placeFindings(
  description: TopicDescription,
  places: readonly PartitionPlace[],
): readonly TopicFinding[] {
  const findings: TopicFinding[] = [];
  if (places.length !== description.partitions) {
    findings.push({
      setting: 'partitions',
      expected: String(description.partitions),
      found: String(places.length),
    });
  }
  const factors = [...new Set(places.map(({ replicas }) => replicas.length))].sort((x, y) => x - y);
  if (factors.length !== 1 || factors[0] !== description.replicationFactor) {
    findings.push({
      setting: 'replication',
      expected: String(description.replicationFactor),
      found: factors.join(', '),
    });
  }
  return findings;
}
