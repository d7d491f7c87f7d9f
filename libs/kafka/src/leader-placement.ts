/**
 * Moves the leader of a partition to a region. The replicas stay where they are: one of that region becomes the first in
 * their order, which makes its broker the preferred leader, and the brokers are asked to let it lead at once. Where it is
 * not in sync they do so by themselves when it is (`auto.leader.rebalance.enable`).
 *
 * Somebody else's reassignment of the partition is left alone: another order would end it, with as many replicas as it
 * had come to.
 */
import { replicasLedFrom } from '@lockstep/protocol';
import type { LeaderPlacement, RegionName } from '@lockstep/protocol';
import type { BrokerDirectory } from './broker-directory.js';
import { UNKNOWN_TOPIC_OR_PARTITION } from './broker-directory.js';
import type { BrokerCall } from './kafka-client.js';
import { brokerError, reassignCall, reassignmentsCall } from './kafkajs-internals.js';
import { LinkError, logFailure } from './log-failure.js';
import { electCall } from './topic-calls.js';

interface Target {
  readonly topic: string;
  readonly partition: number;
  readonly region: RegionName;
  /** For all calls together. */
  readonly timeoutMs: number;
}

const NONE = 0;
const REASSIGNMENT_IN_PROGRESS = 60;
const PREFERRED_LEADER_NOT_AVAILABLE = 80;
const ELECTION_NOT_NEEDED = 84;

export async function placeLeader(directory: BrokerDirectory, target: Target): Promise<LeaderPlacement> {
  const { partition, region, topic } = target;
  const deadlineMs = performance.now() + target.timeoutMs;
  const leftMs = (): number => Math.max(1, Math.floor(deadlineMs - performance.now()));
  const failed = (error: unknown, reach: 'unsent' | 'refused' | 'sent'): Error =>
    logFailure(error, reach, `placing the leader of ${topic}/${partition} in ${region}`);
  const ask = async <Answer>(
    reach: 'unsent' | 'sent',
    call: (timeoutMs: number) => BrokerCall<Answer>,
  ): Promise<Answer> => {
    const timeoutMs = leftMs();
    return directory.ask(call(timeoutMs), timeoutMs).catch((error: unknown) => {
      throw failed(error, reach);
    });
  };

  const { brokers, partitions } = await directory.places(topic, leftMs()).catch((error: unknown) => {
    throw failed(error, 'unsent');
  });
  const present = partitions.find((place) => place.partition === partition)?.replicas;
  if (present === undefined) throw failed(brokerError(UNKNOWN_TOPIC_OR_PARTITION), 'unsent');
  const replicas = replicasLedFrom(present, brokers, region);
  if (replicas === null) return { kind: 'no-replica' };
  const broker = replicas[0]!;

  if (broker !== present[0]) {
    const underWay = await ask('unsent', reassignmentsCall);
    if (underWay.errorCode !== NONE) throw failed(brokerError(underWay.errorCode), 'unsent');
    const isUnderWay = underWay.topics.some(
      ({ name, partitions: moving }) =>
        name === topic && moving.some((moved) => moved.partition === partition),
    );
    if (isUnderWay) throw failed(brokerError(REASSIGNMENT_IN_PROGRESS), 'unsent');
    const answer = await ask('sent', (timeoutMs) => reassignCall({ topic, partition, replicas, timeoutMs }));
    const code = codeOf(answer, answer.responses.flatMap((response) => response.partitions)[0]);
    if (code === null) throw failed(suspicious(), 'sent');
    if (code !== NONE) throw failed(brokerError(code), 'refused');
  }

  const elected = await ask('sent', (timeoutMs) => electCall(topic, partition, timeoutMs));
  const code = codeOf(elected, elected.partitions[0]);
  if (code === null) throw failed(suspicious(), 'sent');
  if (code === NONE || code === ELECTION_NOT_NEEDED) return { kind: 'placed', broker };
  if (code === PREFERRED_LEADER_NOT_AVAILABLE) return { kind: 'preferred', broker };
  throw failed(brokerError(code), 'refused');
}

/** Of the whole call, or of the one partition that it was about; null when it speaks of none. */
const codeOf = (
  { errorCode }: { readonly errorCode: number },
  partition: { readonly errorCode: number } | undefined,
): number | null => (errorCode === NONE ? (partition?.errorCode ?? null) : errorCode);

const suspicious = (): LinkError => new LinkError('answer-suspicious', 'no answer for this partition');
