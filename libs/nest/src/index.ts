/** The door of @lockstep/nest: what services import, and the roles of a deployment. */
export { datasetToken, InjectDataset, LockstepModule } from './module/lockstep-module.js';
export {
  optionTable,
  printableConfiguration,
  readLockstepConfiguration,
} from './module/lockstep-configuration.js';
export type { LockstepConfiguration, LockstepOptions } from './module/lockstep-configuration.js';
export { openDatasetPort } from './module/open-dataset-port.js';
export { LockstepHealthIndicator } from './module/lockstep-health.js';
export type { LockstepHealth } from './module/lockstep-health.js';
export { Dataset } from './dataset/dataset.js';
export type {
  BatchEntry,
  BatchResult,
  KeyedWriteOptions,
  ReadOptions,
  WriteOptions,
} from './dataset/dataset.js';
export type { DatasetEvent, DatasetTypes, EventOf, KeyOf } from './dataset/dataset-types.js';
export { DatasetCache, datasetCache } from './changes/dataset-cache.js';
export type { ChangeMessage, ChangesOptions } from './changes/observe-changes.js';
export { refuse } from './dataset/decision.js';
export type { Current, Decider, Decision, Refused } from './dataset/decision.js';
export type {
  ChangesCall,
  DatasetPort,
  PortAnswer,
  PortFeed,
  ReceiptCall,
  RowCall,
  WriteCall,
} from './dataset/dataset-port.js';
export type { FeedEvent } from './changes/event-parser.js';
export {
  CompensationRejected,
  DecisionRefused,
  LockstepError,
  NothingWritten,
  OutcomeUnknown,
  SagaUnfinished,
  StageNotReached,
  VersionConflict,
  WriteRejected,
} from './dataset/lockstep-error.js';
export { WriteReceipt } from './dataset/write-receipt.js';
export { runSaga, sagaStep } from './saga/saga.js';
export type { SagaEnd, SagaStep, SagaSteps, UndoableStep } from './saga/saga.js';
export { inSession, presentSession, RequestSession } from './session/request-session.js';
export { LockstepInterceptor } from './session/session.interceptor.js';
export { describeFindings } from './configuration/described-schema.js';
export type { ConfigurationFinding } from './configuration/described-schema.js';
export {
  configurationTable,
  EXIT_CODE_MISCONFIGURED,
  readRoleConfiguration,
  redactedConfiguration,
} from './role/configuration.js';
export type { ConfigurationReading, RoleConfiguration, RoleName } from './role/configuration.js';
export { showsTable, withTable } from './configuration/meaning-table.js';
export { composeRole } from './role/compose.js';
export { nodeSignatureCheck } from './signing/node-signing.js';
export { openRoleLogger } from './role/role-logger.js';
export { RoleModule } from './role/role-module.js';
export { serveRole } from './role/serve-role.js';
export type { ServedRole } from './role/serve-role.js';
export type { Role } from './role/role.js';
export { readSite } from './http/site.js';
export type { Site } from './http/site.js';
export { problemAnswer } from './http/http-answer.js';
export type { HttpAnswer } from './http/http-answer.js';
export type { GatewayApi, IncomingHeaders, IncomingQuery } from './http/gateway-api.js';
export type { CoordinatorApi } from './http/coordinator-api.js';
export type { HealthApi } from './http/health-api.js';
export { attachOutbox } from './outbox/attach-outbox.js';
export { Outbox, OutboxError, Replicated } from '@lockstep/postgres';
export type {
  OutboxRefusal,
  ReplicatedEvent,
  ReplicatedOptions,
  ReplicatedRow,
  RowChange,
  StoredReceipt,
} from '@lockstep/postgres';
