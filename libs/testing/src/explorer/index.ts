/** The door of @lockstep/testing/explorer: every schedule of a small world over the production core. Free of the test framework. */
export { explore } from './explore.js';
export type { Exploration } from './explore.js';
export { modelOf } from './model.js';
export { LARGE_SCOPES, SMALL_SCOPES } from './scope.js';
export type { Scope } from './scope.js';
export type { Core } from './core.js';
export { CARELESS_PUBLISHER, PLANTED_DEFECTS } from './planted-defects.js';
export { CONTROL_PRODUCTION, controlModelOf, foldShardEntry } from './control-world.js';
export type { ControlCore, ControlScope } from './control-world.js';
export { CONTROL_SCOPES } from './control-scope.js';
