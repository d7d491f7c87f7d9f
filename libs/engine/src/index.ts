export { PortError, isPortError } from './ports/port-error.js';
export type { Disposition } from './ports/port-error.js';
export type {
  AppendRequest,
  Appended,
  Compression,
  FetchedPartition,
  FetchRequest,
  Log,
  LogAdmin,
  LogReader,
  LogWriter,
  TopicDescription,
  TopicFinding,
} from './ports/log.js';
export type {
  ApplyStore,
  CommitRequest,
  CommitResult,
  DatabaseStanding,
  HeldEntries,
  Lease,
  LeaseRequest,
  OutboxEntry,
  OutboxStore,
  PendingRequest,
  PlacedAnswers,
  ProjectedTable,
  Quarantined,
  QueryStore,
  RowPlace,
  ShardCommit,
  StoredRow,
  TableWriter,
} from './ports/store.js';
export type {
  FirstOutcome,
  StreamConnection,
  StreamFrame,
  StreamSource,
  ToldVerdict,
} from './ports/streams.js';
export type { SignatureCheck, Signer } from './ports/signing.js';
export type { Canary, CanaryAnswer, CanaryRead } from './ports/canary.js';
export type { Outboxes, OutboxParkingStore, OutboxStanding } from './ports/outboxes.js';
export type { Act, UndoneInFull, UndoneStore } from './ports/undone-store.js';
export type { ForwardAnswer, ForwardedWrite, Forwarder } from './ports/forwarder.js';
export type {
  BatchCommitted,
  EntryAppended,
  Fact,
  MoveEnded,
  Observer,
  SpanContext,
  TracedEntry,
  TracedStage,
  WriteAnswered,
} from './ports/observer.js';
export type { Clock, Identities, Sleep } from './ports/world.js';
export { Gate, Signal, waitAtMost } from './gate.js';
export { StreamHub } from './streams/stream-hub.js';
export type { Subscription } from './streams/stream-hub.js';
export { Lane } from './apply/lane.js';
export { LEASE_MS } from './apply/lease-keeper.js';
export { Replicator } from './apply/replicator.js';
export { shardsOf } from './shards-of.js';
export type { ReplicatorOptions } from './apply/replicator.js';
export { ShardPublisher } from './publish/shard-publisher.js';
export type { Publication, Published, Submission, Ticket } from './publish/shard-publisher.js';
export { ControlLog } from './control/control-log.js';
export type { ControlLogOptions, FoldedControl, Said } from './control/control-log.js';
export type { FailoverForecast } from './control/moves.js';
export { LedgerFeed } from './gateway/ledger-feed.js';
export type { LedgerFeedOptions, Reached, ReachedStage } from './gateway/ledger-feed.js';
export { Gateway } from './gateway/gateway.js';
export { OutboxParking } from './gateway/outbox-parking.js';
export { Quarantine } from './gateway/quarantine.js';
export type { QuarantineOptions } from './gateway/quarantine.js';
export type { ChangeFeed, FeedMessage } from './gateway/changes/change-feed.js';
export type { Admitted, KnockingWrite } from './gateway/admission.js';
export type { Caller, GatewayDataset, GatewayOptions } from './gateway/gateway-options.js';
export { ReturnTurns } from './gateway/return-turns.js';
export type { WriteCall } from './gateway/writes.js';
export type { ChangedShard, RuleChange } from './coordinate/rule-changes.js';
export type { ClusterOutlook } from './coordinate/cluster-outlook.js';
export { Coordinator, describeFinding, topicsOf } from './coordinate/coordinator.js';
export type { CoordinatedDataset, CoordinatorOptions } from './coordinate/coordinator.js';
