/** The door of @lockstep/testing: twins of the ports, conformance suites, the simulated world. */
export { realTimeCompletions } from './world/completions.js';
export type { Completions } from './world/completions.js';
export { controlRecord } from './log/control-record.js';
export { memoryLog } from './log/memory-log.js';
export type {
  AppendFate,
  FetchFate,
  ForeignRecord,
  LogFaults,
  MemoryLog,
  MemoryLogOptions,
  PlacingFate,
} from './log/memory-log.js';
export { logConformance } from './conformance/log.js';
export type { LogUnderTest } from './conformance/log.js';
export { memoryStore } from './store/memory-store.js';
export type {
  MemoryDatabase,
  MemorySnapshot,
  MemoryStoreOptions,
  ServiceStore,
  ServiceTransaction,
  StoreCall,
  StoreFault,
} from './store/memory-store.js';
export type { ServiceEntry, UndoneEntry } from './store/memory-outbox.js';
export type { MemoryRow } from './store/memory-row.js';
export { storeConformance } from './conformance/store.js';
export type { StoreFixture } from './conformance/store.js';
export { outboxConformance } from './conformance/outbox.js';
export type { OutboxFixture } from './conformance/outbox.js';
export { signingConformance } from './conformance/signing.js';
export type { SigningUnderTest } from './conformance/signing.js';
export { simulatedSignatureCheck, simulatedSigner } from './signing/simulated-signing.js';
export { Chance } from './world/chance.js';
export { World } from './world/world.js';
export { SimulatedCluster } from './cluster/simulated-cluster.js';
export type { SimulatedClusterOptions, SimulatedRegion } from './cluster/simulated-cluster.js';
