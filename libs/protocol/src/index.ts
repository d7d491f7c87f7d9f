/** The door of @lockstep/protocol: pure decisions, no package, no Node API. */
export {
  CONTROL_TOPIC,
  entryNumber,
  epoch,
  isConfigurationHash,
  isDatasetName,
  isGroupName,
  generationOf,
  isId128,
  isRegionName,
  leaseNumber,
  NO_EPOCH,
  NO_OFFSET,
  NO_SEQUENCE,
  offset,
  parseShardName,
  sequence,
  shardName,
  topicOf,
  WATERMARK_TOPIC,
} from './identity/identity.js';
export type {
  ConfigurationHash,
  DatasetName,
  EntryNumber,
  Epoch,
  Fingerprint,
  GroupName,
  KeyHash,
  LeaseNumber,
  LogIncarnation,
  Offset,
  PublisherId,
  RegionName,
  Sequence,
  ShardName,
  StoreIncarnation,
} from './identity/identity.js';
export {
  Absorber,
  chainDigest,
  hashFromHex,
  hashToHex,
  recordDigest,
  sameHash,
  ZERO_HASH,
} from './entry/digest.js';
export type { DigestedParts, Hash128 } from './entry/digest.js';
export { RECORD_HEADER, TRACE_HEADER } from './entry/record.js';
export type { LogRecord, OutgoingRecord } from './entry/record.js';
export { canonicalJson } from './entry/canonical-json.js';
export { JSON_DEPTH_MAX, parseJson } from './entry/json.js';
export type { ParsedJson } from './entry/json.js';
export { utf8, utf8Length } from './entry/utf8.js';
export { decodeHeader, encodeHeader, KINDS, NO_CONFIGURATION_PREFIX, NO_PUBLISHER } from './entry/header.js';
export type { EntryHeader, EntryKind } from './entry/header.js';
export { needsAuthority, signedBytes } from './entry/signature.js';
export type { PublicKey, SigningKey, VerifySignature } from './entry/signature.js';
export { controlText, decodeControl, decodeEvents, eventsText, toEvent } from './entry/body.js';
export type { ControlBody, ControlKind, EntryEvent } from './entry/body.js';
export {
  groupOfPartition,
  KEY_ID_BYTES_MAX,
  keyInShard,
  murmur2,
  parseKey,
  partitionCount,
  canaryKey,
  routeKey,
} from './routing/key.js';
export type { ParsedKey, Route } from './routing/key.js';
export {
  DEFAULT_LIMITS,
  DEFAULT_RETENTION,
  JAVASCRIPT_TYPES,
  SIGNING_KEYS_MAX,
} from './configuration/content.js';
export type {
  ColumnContent,
  ColumnType,
  ColumnValue,
  ConfigurationContent,
  DatasetClass,
  EventContent,
  GroupContent,
  RegionLabels,
  ProjectionContent,
  RowRule,
  Schema,
} from './configuration/content.js';
export type { AggregateState, ReducedEvent, Reducer, Refusal } from './configuration/reducer.js';
export { compileConfiguration } from './configuration/fold-configuration.js';
export type { FoldConfiguration } from './configuration/fold-configuration.js';
export { compileSchema } from './configuration/schema.js';
export type { Check } from './configuration/schema.js';
export { coalesce, combine } from './fold/row-operation.js';
export type { ColumnOperation, RowOperation } from './fold/row-operation.js';
export { binds, judgesAttempt, VERDICTS } from './fold/verdict.js';
export type { BindingVerdict, Verdict } from './fold/verdict.js';
export { emptyCursor, MARK_INTERVAL } from './fold/state.js';
export type {
  Cursor,
  FencedAttempt,
  Mark,
  Outcome,
  ReadAnswers,
  ReadRow,
  Reads,
  Session,
  ShardState,
} from './fold/state.js';
export { HALT_CODES, WITHHELD_CODES } from './position/watermark.js';
export type { Halt, HaltCode, Watermark, Withheld, WithheldCode } from './position/watermark.js';
export { readRecordedWatermark, recordedWatermarkText, toRecorded } from './position/recorded-watermark.js';
export type { RecordedWatermark } from './position/recorded-watermark.js';
export { readRecordedReached, recordedReachedText, RECORDED_STAGES } from './position/recorded-reached.js';
export type { RecordedRange, RecordedReached, RecordedStage } from './position/recorded-reached.js';
export { COUNTS, judgeStore, recordsUntilProof, standingAfter, withheldBy } from './position/standing.js';
export type { Standing } from './position/standing.js';
export { needsProbe } from './position/probe.js';
export { decodeEntry, endsBatch } from './fold/decoded-entry.js';
export type { DecodedEntry } from './fold/decoded-entry.js';
export { plan } from './fold/plan.js';
export { CLOCK_TOLERANCE_MS, isDecidedAfter, ShardFold, signaturesBy } from './fold/fold.js';
export type {
  Configurations,
  FoldedBatch,
  FoldedEntry,
  FoldStep,
  SignatureOf,
  SignatureState,
} from './fold/fold.js';
export { parseRule, RULE_CHARACTERS_MAX } from './quorum/rule.js';
export type { ParsedRule, Rule, Share } from './quorum/rule.js';
export { demandsOf, highestMet, meets } from './quorum/demand.js';
export type { Demand, DemandsOfRule, Electorate } from './quorum/demand.js';
export { allDemands, demandsUnder, ruleAt, RULES_KEPT, ruleTextOf } from './quorum/rule-in-force.js';
export type { RuleInForce } from './quorum/rule-in-force.js';
export { endOfJointStep } from './quorum/joint-step.js';
export {
  addMarks,
  EMPTY_LEDGER,
  holders,
  isRetold,
  reachedRanges,
  recordWatermark,
  tallyOf,
} from './quorum/ledger.js';
export type { ReachedRange, ShardLedger, Tally } from './quorum/ledger.js';
export { decodeToken, encodeToken, TOKEN_SHARDS_MAX } from './position/token.js';
export type { Position, Token } from './position/token.js';
export { hearToken } from './position/carried-token.js';
export { defaultStage, isStage, STAGES } from './receipt/stage.js';
export type { Stage } from './receipt/stage.js';
export { highestStage, time, toReceipt } from './receipt/receipt.js';
export type { Receipt, StageTimes, ToldVerdictCode, WriteFacts } from './receipt/receipt.js';
export { problem, PROBLEMS } from './receipt/problem.js';
export type { Problem, ProblemCode } from './receipt/problem.js';
export {
  BATCH_ENTRIES_MAX,
  checkSchemas,
  isIdempotencyKey,
  readBatch,
  readWrite,
} from './receipt/write-request.js';
export type { BatchItem, BatchRequest, WriteEntry, WriteRequest } from './receipt/write-request.js';
export { TIMEOUT_MS_DEFAULT, TIMEOUT_MS_MAX } from './receipt/request-body.js';
export type { Read } from './receipt/request-body.js';
export { isConsistency, readRowsRequest, ROWS_MAX } from './receipt/rows-request.js';
export type { Consistency, RowsRequest } from './receipt/rows-request.js';
export { readRuleRequest } from './receipt/rule-request.js';
export type { RuleRequest } from './receipt/rule-request.js';
export {
  readReasonRequest,
  readControlPageQuery,
  readDecisionNumber,
  readDecisionsQuery,
  readApproveRequest,
  readEvacuateRequest,
  readMoveRequest,
  readPreflightQuery,
} from './receipt/move-request.js';
export type {
  AskedControlPage,
  AskedDecisions,
  AskedApproval,
  AskedEvacuation,
  AskedMove,
  AskedPreflight,
} from './receipt/move-request.js';
export { readPauseRequest, readResumeRequest } from './receipt/pause-request.js';
export type { AskedPause, AskedResume } from './receipt/pause-request.js';
export { decideResume } from './position/resume.js';
export type { LogObservation, Resume } from './position/resume.js';
export {
  decodeFeedPosition,
  encodeFeedPosition,
  feedShard,
  foldedPart,
  isHeld,
  touchedKeys,
} from './position/feed-position.js';
export type { FeedPosition, FeedShard } from './position/feed-position.js';
export { answerJson, answerProblem, answerWrite, isReached } from './receipt/answer.js';
export type { Answer } from './receipt/answer.js';
export { decideEstablishment } from './position/establish.js';
export type { Establishment } from './position/establish.js';
export { LIMIT_MAX, nextLimit, passesByItself, refusalBy, retryAfterSeconds } from './admission/admission.js';
export { reconnection } from './admission/reconnection.js';
export { placeReplicas, replicasLedFrom } from './placement/replicas.js';
export type { LeaderPlacement, PlacedBroker } from './placement/replicas.js';
export { controlEntryText, DEFAULT_CONTROL_SETTINGS } from './control/command.js';
export type {
  ControlCommand,
  ControlCommandOf,
  ControlEntry,
  MoveKind,
  MoveRequest,
} from './control/command.js';
export { unmetCodes } from './control/check.js';
export { covers } from './control/scope.js';
export type { Scope } from './control/scope.js';
export { EMPTY_CONTROL_STATE, FAILOVERS_KEPT } from './control/state.js';
export type { ControlState, Evacuation, FinishedMove, Governed, OpenMove, Pause } from './control/state.js';
export { foldControl, isEvacuationOver } from './control/fold-control.js';
export type { ControlRecord, ControlStep, ControlVerdict } from './control/fold-control.js';
export { dueSnapshot, findControlStart } from './control/snapshot.js';
export { leads } from './election/election.js';
export { decideElection, HEARTBEAT_MS, watchElection } from './election/decide-election.js';
export type { ElectionMember, ElectionObserved, ElectionWatch } from './election/decide-election.js';
export { NOTHING_REPLAYED, replayDecisions } from './control/replay.js';
export type { DecisionDifference, Judgement, Replay } from './control/replay.js';
export { controlPageJson, readControlPage } from './control/page.js';
export type { ControlPage } from './control/page.js';
export { ownershipOf, seenRegion } from './promotion/seen-shard.js';
export type { SeenShard } from './promotion/seen-shard.js';
export {
  bestCandidate,
  considerMove,
  HOLD_MS_MAX,
  judgeMove,
  moveInputsJson,
  preflight,
  readMoveInputs,
} from './promotion/preflight.js';
export type { MoveCheck, MoveInputs } from './promotion/preflight.js';
export { APPROVED_MS, lossApproved, lossSubjectOf } from './promotion/approval.js';
export { predictMove, scoreMove } from './promotion/prediction.js';
export type { Prediction, Score } from './promotion/prediction.js';
export { decideMove, OUTBOX_PARKED_MS_MAX, parkingOf, SHARE_MS } from './promotion/decide-move.js';
export { isTakenFirst, openingBy, OPENING_MS_MAX } from './promotion/opening.js';
export type { AskedLeader, AskedOutbox, MoveStep, MoveView, ShardEntry } from './promotion/decide-move.js';
export { dueOfEvacuation, isRefusedForGood } from './promotion/evacuation.js';
export { votesAgainst } from './failover/agreement.js';
export { DEFAULT_THRESHOLDS, dueVote, isCanaryAnswered, opinionOf } from './failover/evidence.js';
export type { Thresholds } from './failover/evidence.js';
export {
  DEFAULT_FAILOVER_POLICY,
  dueFailovers,
  FAILOVER_CHECKS,
  failoverPlan,
  judgeFailover,
  readFailoverInputs,
} from './failover/govern.js';
export type { FailoverPlan, FailoverPolicy } from './failover/govern.js';
export { acknowledgementOf, GOVERNOR } from './failover/vote.js';
export type { FailoverMode } from './failover/vote.js';
export { duePauses, dueWindows } from './promotion/pause.js';
export { machinePages } from './machine/machine-pages.js';
export { endedBy, outboxFacts, settleOutbox, undoesAny } from './outbox/settle.js';
export type {
  JudgedKey,
  OutboxFacts,
  OutboxStanding,
  PendingEntry,
  Settlement,
  Undone,
} from './outbox/settle.js';
export { decideDiscard, decideReapply, settlementOf } from './outbox/undone.js';
export type { EntrySettlement, SettledEntry, UndoneEntry } from './outbox/undone.js';
export { readDiscardRequest, readReapplyRequest } from './receipt/quarantine-request.js';
