/**
 * Names of span and resource attributes; no other file spells one.
 *
 * The messaging conventions are still in development and their names move. These are those of version 1.45, in which
 * `messaging.system` became `messaging.system.name` and `messaging.kafka.offset` became `kafka.offset`.
 */
export const ATTRIBUTE = {
  serviceName: 'service.name',
  serviceInstance: 'service.instance.id',

  httpMethod: 'http.request.method',
  httpRoute: 'http.route',
  httpStatus: 'http.response.status_code',
  errorType: 'error.type',

  messagingSystem: 'messaging.system.name',
  messagingOperation: 'messaging.operation.name',
  messagingOperationType: 'messaging.operation.type',
  destination: 'messaging.destination.name',
  partition: 'messaging.destination.partition.id',
  batchMessages: 'messaging.batch.message_count',
  envelopeBytes: 'messaging.message.envelope.size',
  kafkaOffset: 'kafka.offset',

  region: 'lockstep.region',
  role: 'lockstep.role',
  dataset: 'lockstep.dataset',
  shard: 'lockstep.shard',
  epoch: 'lockstep.epoch',
  sequence: 'lockstep.sequence',
  verdict: 'lockstep.verdict',
  stage: 'lockstep.stage',
  forwardedTo: 'lockstep.forwarded_to',
  term: 'lockstep.term',
  evidence: 'lockstep.evidence',
  decision: 'lockstep.move.decision',
  evacuation: 'lockstep.move.evacuation',
  moveFrom: 'lockstep.move.from',
  moveTo: 'lockstep.move.to',
  moveReason: 'lockstep.move.reason',
  moveActor: 'lockstep.move.actor',
  moveOutcome: 'lockstep.move.outcome',
  moveDetail: 'lockstep.move.detail',
  batchEvents: 'lockstep.batch.events',
  batchRows: 'lockstep.batch.rows',
  batchBytes: 'lockstep.batch.bytes',
  batchReadMs: 'lockstep.batch.read_ms',
  batchFoldMs: 'lockstep.batch.fold_ms',
  batchCommitMs: 'lockstep.batch.commit_ms',
} as const;
