/** The door of @lockstep/nest: the roles of a deployment. */
export {
  describeFindings,
  EXIT_CODE_MISCONFIGURED,
  readRoleConfiguration,
  redactedConfiguration,
} from './role/configuration.js';
export type {
  ConfigurationFinding,
  ConfigurationReading,
  RoleConfiguration,
  RoleName,
} from './role/configuration.js';
export {
  configurationTable,
  configurationTableIsCurrent,
  withConfigurationTable,
} from './role/configuration-table.js';
export { composeRole } from './role/compose.js';
export { nodeSignatureCheck } from './signing/node-signing.js';
export { openRoleLogger } from './role/role-logger.js';
export { RoleModule } from './role/role-module.js';
export { serveRole } from './role/serve-role.js';
export type { ServedRole } from './role/serve-role.js';
export type { Role } from './role/role.js';
export { problemAnswer } from './http/http-answer.js';
export type { HttpAnswer } from './http/http-answer.js';
export type { GatewayApi, IncomingHeaders, IncomingQuery } from './http/gateway-api.js';
export type { CoordinatorApi } from './http/coordinator-api.js';
export type { HealthApi } from './http/health-api.js';
