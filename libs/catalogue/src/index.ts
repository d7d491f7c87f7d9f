/** The door of @lockstep/catalogue: YAML, JSON Schema and reducers to fold configurations. */
export { configurationHash, loadCatalogue } from './catalogue.js';
export type { Catalogue, CatalogueDataset, CatalogueResult } from './catalogue.js';
export { describeFindings } from './finding.js';
export type { Finding } from './finding.js';
export { loadReducer } from './reducer-module.js';
export type { ClusterTopology, RegionTopology, Topology } from './topology.js';
