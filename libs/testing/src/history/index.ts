/** The door of @lockstep/testing/history: what a run writes down. Free of the test framework. */
export { HISTORY_VERSION, historyText, readHistoryLine } from './history.js';
export type { CompletionLine, FaultLine, HistoryEvent, HistoryLine, InvokeLine, RunLine } from './history.js';
