/** The door of @lockstep/nest/testing: datasets without a cluster, for tests of services. Free of test frameworks. */
export { FAULTS, MemoryWorld } from './memory-world.js';
export type { Fault } from './memory-world.js';
export { given } from './given.js';
export type { Decided, Given } from './given.js';
export { DATASET_PORT_PROMISES } from './dataset-port-promises.js';
export type { DatasetPortPromise } from './dataset-port-promises.js';
