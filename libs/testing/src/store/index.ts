/** The door of @lockstep/testing/store: what an operation does to a row, as Postgres does it. Free of the test framework. */
export { applyRowOperation } from './memory-row.js';
export type { MemoryRow } from './memory-row.js';
