/** The door of the local cluster: what tests and tools start by themselves. */
export { askOrder, type Order } from './control.js';
export { dataFolder } from './data-folder.js';
export { startKafka, type KafkaHandle } from './kafka-node.js';
export { anyFreePort, startPostgres, type PostgresHandle } from './postgres-server.js';
export { databaseUser } from './open-folder.js';
export { gone, processesIn, signal } from './process-table.js';
export { Link, type Direction, type LinkAddress } from './link.js';
export { ResponseSwallower } from './response-swallower.js';
export type { ClusterFile, RegionFile, RegionProcess, Role } from './cluster-file.js';
