/** The door of @lockstep/protocol: pure decisions, no package, no Node API. */
export * from './identity/identity.js';
export * from './entry/digest.js';
export * from './entry/record.js';
export { canonicalJson } from './entry/canonical-json.js';
export { JSON_DEPTH_MAX, parseJson } from './entry/json.js';
export type { ParsedJson } from './entry/json.js';
export { utf8, utf8Length } from './entry/utf8.js';
export * from './entry/header.js';
export { controlText, decodeControl, decodeEvents, eventsText, toEvent } from './entry/body.js';
export type { ControlBody, ControlKind, EntryEvent } from './entry/body.js';
export * from './routing/key.js';
export * from './configuration/content.js';
export * from './configuration/reducer.js';
export { compileConfiguration } from './configuration/fold-configuration.js';
export type { FoldConfiguration } from './configuration/fold-configuration.js';
export { compileSchema } from './configuration/schema.js';
export type { Check } from './configuration/schema.js';
export * from './fold/row-operation.js';
export * from './fold/verdict.js';
export * from './fold/state.js';
export * from './position/watermark.js';
export { decodeEntry, endsBatch } from './fold/decoded-entry.js';
export type { DecodedEntry } from './fold/decoded-entry.js';
export { plan } from './fold/plan.js';
export { CLOCK_TOLERANCE_MS, fold, ShardFold } from './fold/fold.js';
export type { Configurations, FoldedBatch, FoldedEntry, FoldStep, SignatureState } from './fold/fold.js';
export { parseRule, voters } from './quorum/rule.js';
export type { ParsedRule, Rule } from './quorum/rule.js';
export { differingRegions, EMPTY_LEDGER, holders, reachedSequence, recordWatermark } from './quorum/ledger.js';
export type { ShardLedger } from './quorum/ledger.js';
export * from './position/token.js';
export * from './receipt/stage.js';
export * from './receipt/receipt.js';
export * from './receipt/problem.js';
export {
  BATCH_ENTRIES_MAX,
  checkSchemas,
  isIdempotencyKey,
  readBatch,
  readWrite,
  TIMEOUT_MS_DEFAULT,
  TIMEOUT_MS_MAX,
} from './receipt/write-request.js';
export type { BatchItem, BatchRequest, Read, WriteEntry, WriteRequest } from './receipt/write-request.js';
export { decideResume } from './position/resume.js';
export type { LogObservation, Resume } from './position/resume.js';
export { answerJson, answerProblem, answerWrite, isReached } from './receipt/answer.js';
export type { Answer } from './receipt/answer.js';
export { decideEstablishment } from './position/establish.js';
export type { Establishment } from './position/establish.js';
