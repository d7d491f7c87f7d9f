/** The door of @lockstep/catalogue: YAML, JSON Schema and reducers to fold configurations, types and descriptions. */
export { asyncApi } from './async-api.js';
export { configurationHash, loadCatalogue } from './catalogue.js';
export type { Catalogue, CatalogueDataset, CatalogueResult } from './catalogue.js';
export { datasetTypes } from './dataset-types.js';
export { describeFindings } from './finding.js';
export type { Finding } from './finding.js';
export { loadReducer } from './reducer-module.js';
export type { ClusterTopology, RegionTopology, Topology } from './topology.js';
