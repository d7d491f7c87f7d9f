/** The door of @lockstep/postgres: the store ports on Postgres. */
export { migrate } from './migrate.js';
export { openApplyStore } from './apply-store.js';
export type { ApplyStoreOptions } from './apply-store.js';
export { openQueryStore } from './query-store.js';
export type { PostgresQueryStore, QueryStoreOptions } from './query-store.js';
