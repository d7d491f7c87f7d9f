/**
 * The one table that turns failures of Kafka and of its client into PortErrors with stable codes.
 *
 * How far a call got decides first, the kind of failure second:
 * - `unsent`: nothing with an effect left this process (connecting, looking up a leader, reading).
 * - `refused`: the broker answered with an error and named no offset, so it appended (or created) nothing by this call.
 * - `sent`: everything else. It is always `unknown`, whatever the failure is: NOT_LEADER, for one, is also the answer
 *   to an append that stood in the log of a leader which then lost its office, and may stand in the next leader's log.
 */
import { PortError } from '@lockstep/engine';
import type { Disposition } from '@lockstep/engine';

type Reach = 'unsent' | 'refused' | 'sent';

interface FailureKind {
  readonly code: string;
  /** Names of kafkajs errors, kinds of `LinkError` and Kafka's own error types. */
  readonly signs: readonly string[];
  readonly unsent: Exclude<Disposition, 'unknown'>;
  readonly refused: Disposition;
  readonly nextStep: string;
}

/** A call failed on our side of the wire. */
export class LinkError extends Error {
  readonly kind:
    | 'link-closed'
    | 'link-timed-out'
    | 'link-unreachable'
    | 'versions-unsupported'
    | 'topic-replaced'
    | 'log-diverged'
    | 'answer-suspicious'
    | 'batch-unreadable'
    | 'batch-compressed';

  constructor(kind: LinkError['kind'], message: string) {
    super(message);
    this.name = 'LinkError';
    this.kind = kind;
  }
}

export const LOG_FAILURES: readonly FailureKind[] = [
  {
    code: 'log-unreachable',
    signs: [
      'link-unreachable',
      'KafkaJSConnectionError',
      'KafkaJSConnectionClosedError',
      'BROKER_NOT_AVAILABLE',
      'NETWORK_EXCEPTION',
      'REPLICA_NOT_AVAILABLE',
      'LISTENER_NOT_FOUND',
    ],
    unsent: 'retryable',
    refused: 'unknown',
    nextStep: 'Check that the broker runs and that its address can be reached from here.',
  },
  {
    code: 'log-timed-out',
    signs: ['link-timed-out', 'KafkaJSRequestTimeoutError', 'REQUEST_TIMED_OUT'],
    unsent: 'retryable',
    refused: 'unknown',
    nextStep: 'Check the load of the brokers, the replicas of the partition and the network between.',
  },
  {
    code: 'log-closed',
    signs: ['link-closed'],
    unsent: 'retryable',
    refused: 'unknown',
    nextStep: 'Nothing to do: this side closed the connection.',
  },
  {
    code: 'log-leader-moved',
    signs: [
      'NOT_LEADER_FOR_PARTITION',
      'LEADER_NOT_AVAILABLE',
      'FENCED_LEADER_EPOCH',
      'UNKNOWN_LEADER_EPOCH',
      'OFFSET_NOT_AVAILABLE',
      'NOT_CONTROLLER',
    ],
    unsent: 'retryable',
    refused: 'retryable',
    nextStep: 'Passes by itself once a leader is elected; if it stays, look for offline partitions.',
  },
  {
    code: 'log-topic-missing',
    signs: ['UNKNOWN_TOPIC_OR_PARTITION'],
    unsent: 'retryable',
    refused: 'retryable',
    nextStep: 'Create the topic (ensure), or check the number of its partitions.',
  },
  {
    code: 'log-topic-replaced',
    signs: ['topic-replaced'],
    unsent: 'retryable',
    refused: 'retryable',
    nextStep: 'Find out who deleted the topic; what stands under its name now is another log.',
  },
  {
    code: 'log-diverged',
    signs: ['log-diverged'],
    unsent: 'retryable',
    refused: 'retryable',
    nextStep:
      'Regions check what they applied against the log; look for elections of replicas that were not in sync.',
  },
  {
    code: 'log-replicas-missing',
    signs: ['NOT_ENOUGH_REPLICAS'],
    unsent: 'retryable',
    refused: 'retryable',
    nextStep: 'Bring the missing replicas back: fewer than min.insync.replicas are in sync.',
  },
  {
    code: 'log-replicas-missing',
    signs: ['NOT_ENOUGH_REPLICAS_AFTER_APPEND'],
    unsent: 'retryable',
    refused: 'unknown',
    nextStep: 'Bring the missing replicas back: the records stand on too few of them.',
  },
  {
    code: 'log-brokers-missing',
    signs: ['INVALID_REPLICATION_FACTOR', 'INVALID_REPLICA_ASSIGNMENT'],
    unsent: 'retryable',
    refused: 'retryable',
    nextStep: 'Start the brokers that the replicas of the topic are meant for.',
  },
  {
    code: 'log-being-reassigned',
    signs: ['REASSIGNMENT_IN_PROGRESS'],
    unsent: 'retryable',
    refused: 'retryable',
    nextStep: 'Wait until the replicas of the partition have moved (kafka-reassign-partitions --list).',
  },
  {
    code: 'log-storage-failed',
    signs: ['KAFKA_STORAGE_ERROR', 'LOG_DIR_NOT_FOUND', 'UNKNOWN'],
    unsent: 'retryable',
    refused: 'unknown',
    nextStep: "Read the broker's log: its disk or the broker itself failed.",
  },
  {
    code: 'log-record-damaged',
    signs: ['CORRUPT_MESSAGE'],
    unsent: 'retryable',
    refused: 'retryable',
    nextStep: 'Bytes changed on the way; if it stays, check network and disks.',
  },
  {
    code: 'log-record-too-large',
    signs: ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'],
    unsent: 'fatal',
    refused: 'fatal',
    nextStep: 'Send fewer or smaller records in one call, or raise max.message.bytes of the topic.',
  },
  {
    code: 'log-access-denied',
    signs: [
      'TOPIC_AUTHORIZATION_FAILED',
      'CLUSTER_AUTHORIZATION_FAILED',
      'SASL_AUTHENTICATION_FAILED',
      'ILLEGAL_SASL_STATE',
      'UNSUPPORTED_SASL_MECHANISM',
      'SECURITY_DISABLED',
      'KafkaJSSASLAuthenticationError',
    ],
    unsent: 'fatal',
    refused: 'fatal',
    nextStep: 'Grant this client the rights that it lacks on the cluster or topic.',
  },
  {
    code: 'log-version-unsupported',
    signs: [
      'versions-unsupported',
      'UNSUPPORTED_VERSION',
      'UNSUPPORTED_FOR_MESSAGE_FORMAT',
      'UNSUPPORTED_COMPRESSION_TYPE',
      'KafkaJSServerDoesNotSupportApiKey',
    ],
    unsent: 'fatal',
    refused: 'fatal',
    nextStep: 'Run a Kafka version that the README names.',
  },
  {
    code: 'log-request-refused',
    signs: [
      'INVALID_TOPIC_EXCEPTION',
      'INVALID_PARTITIONS',
      'INVALID_CONFIG',
      'INVALID_REQUEST',
      'INVALID_RECORD',
      'INVALID_TIMESTAMP',
      'INVALID_REQUIRED_ACKS',
      'INVALID_FETCH_SIZE',
      'POLICY_VIOLATION',
    ],
    unsent: 'fatal',
    refused: 'fatal',
    nextStep: 'Read the message: the broker refuses the request as it stands.',
  },
  {
    code: 'log-batch-unreadable',
    signs: ['batch-unreadable'],
    unsent: 'retryable',
    refused: 'unknown',
    nextStep:
      'Bytes changed on the way or on disk; if it stays at one offset, check the disks of the replicas.',
  },
  {
    code: 'log-batch-compressed',
    signs: ['batch-compressed'],
    unsent: 'fatal',
    refused: 'unknown',
    nextStep:
      'Set compression.type of the topic as the catalogue says, and find out who writes such batches to it.',
  },
  {
    code: 'log-answer-suspicious',
    signs: ['answer-suspicious'],
    unsent: 'retryable',
    refused: 'unknown',
    nextStep: 'Check message.timestamp.type of the topic and the version of the broker.',
  },
];

const bySign = new Map(LOG_FAILURES.flatMap((kind) => kind.signs.map((sign) => [sign, kind] as const)));

/** Something that no table row names; most likely a defect, so repeating an unsent call is not advised. */
const UNNAMED: FailureKind = {
  code: 'log-client-failed',
  signs: [],
  unsent: 'fatal',
  refused: 'unknown',
  nextStep: 'Report it with its message: this failure has no row in the table.',
};

export function logFailure(error: unknown, reach: Reach, context: string): PortError {
  const kind =
    signsOf(error)
      .map((sign) => bySign.get(sign))
      .find((found) => found !== undefined) ?? UNNAMED;
  const disposition = reach === 'sent' ? 'unknown' : kind[reach];
  const story = error instanceof Error ? error.message : String(error);
  return new PortError(kind.code, disposition, `${context}: ${story}. ${kind.nextStep}`, error);
}

/** The most telling first: Kafka's own type, then our kind, then the class of the client's error. */
function signsOf(error: unknown): readonly string[] {
  const { type, kind, name } = (error ?? {}) as { type?: unknown; kind?: unknown; name?: unknown };
  return [type, kind, name].filter((sign): sign is string => typeof sign === 'string');
}
