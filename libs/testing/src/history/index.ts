/** The door of @lockstep/testing/history: what a run writes down and how it is judged. Free of the test framework. */
export { HISTORY_VERSION, historyText, readHistoryLine } from './history.js';
export type {
  CompletionLine,
  Consistency,
  FaultLine,
  HistoryEvent,
  HistoryLine,
  InvokeLine,
  ReadCompletionLine,
  ReadInvokeLine,
  RunLine,
  SeenRow,
} from './history.js';
export { ofRun, openWrites, readRun } from './operations.js';
export type { Operation, RunHistory, Write } from './operations.js';
export { Refold } from './refold.js';
export type { LoggedEntry, RefoldedLog, RefoldedShard } from './refold.js';
export { placeOf } from './standing.js';
export type { AskedAgain } from './standing.js';
export type { Commit } from './commits.js';
export type { HeardWatermark, ToldHolders } from './heard-lives.js';
export { NOT_WITNESSED } from './witnessed.js';
export type { Witnessed, WitnessedVerdict, WitnessedWatermark } from './witnessed.js';
export type { ControlHistory } from './control-audit.js';
export { controlHistoryOf } from './control-history.js';
export { membersOf } from './stage-truth.js';
export type { MembersOf } from './stage-truth.js';
export type { KeptAnswers, RegionalState, StoredCursor, StoredRow } from './regional-state.js';
export { FINDINGS } from './finding.js';
export type { Evidence, Finding, FindingCode } from './finding.js';
export { EXPORT_FORMATS, exportLines } from './export.js';
export type { ExportedRun, ExportFormat } from './export.js';
export { judgeOutbox, OUTBOX_FINDINGS } from './outbox-audit.js';
export type { OutboxFinding, OutboxHistory, ToldTransaction } from './outbox-audit.js';
export { judge } from './judge.js';
export type { JudgedRun, Judgement, RunSummary } from './judge.js';
