/** The log of a role process, told apart by region, roles and instance. */
import { openLogger } from '@lockstep/telemetry';
import type { Logger } from '@lockstep/telemetry';
import type { RoleConfiguration } from './configuration.js';

export function openRoleLogger({
  logLevel,
  region,
  roles,
  instance,
}: Pick<RoleConfiguration, 'logLevel' | 'region' | 'roles' | 'instance'>): Logger {
  return openLogger({ level: logLevel, service: 'lockstep', region, role: roles.join(','), instance });
}
