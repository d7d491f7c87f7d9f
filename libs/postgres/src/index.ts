/** The door of @lockstep/postgres: the store ports on Postgres. */
export { migrate } from './migrate.js';
export { openApplyStore } from './apply-store.js';
export type { ApplyStoreOptions } from './apply-store.js';
export { openQueryStore } from './query-store.js';
export type { PostgresQueryStore, QueryStoreOptions } from './query-store.js';
export { openOutboxStore } from './outbox-store.js';
export type { OutboxStoreOptions } from './outbox-store.js';
export { Outbox } from './outbox/outbox.js';
export type { OutboxIdentities, OutboxOptions, StoredReceipt } from './outbox/outbox.js';
export { OutboxError } from './outbox/outbox-error.js';
export type { OutboxRefusal } from './outbox/outbox-error.js';
export { Replicated } from './outbox/replicated.js';
export type { ReplicatedEvent, ReplicatedOptions, ReplicatedRow, RowChange } from './outbox/replicated.js';
