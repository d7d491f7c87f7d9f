/** What carries the calls of a service: a gateway over HTTP, the nearest of several that answers, or one in this process. */
import { hostname } from 'node:os';
import type { DatasetPort } from '../dataset/dataset-port.js';
import { embeddedDatasetPort } from '../dataset/embedded-dataset-port.js';
import { httpDatasetPort } from '../dataset/http-dataset-port.js';
import { routedDatasetPort } from '../dataset/routed-dataset-port.js';
import { composeRole } from '../role/compose.js';
import { TRACE_RATIO_DEFAULT } from '../role/configuration.js';
import { openRoleLogger } from '../role/role-logger.js';
import { nodeClock } from '../world/node-world.js';
import type { LockstepConfiguration } from './lockstep-configuration.js';

/** A gateway of its own is there when the database has answered: until then the application waits in its start. */
export async function openDatasetPort(configuration: LockstepConfiguration): Promise<DatasetPort> {
  const { catalogue, gateway, otlpUrl = null, postgresUrl, region } = configuration;
  if (gateway !== undefined) {
    const ports = gateway.map(httpDatasetPort);
    return ports.length === 1 ? ports[0]! : routedDatasetPort(ports, nodeClock());
  }
  const process = {
    roles: ['gateway'] as const,
    region: region!,
    instance: hostname(),
    catalogue: catalogue!,
    postgresUrl: postgresUrl!,
    signingKeyFile: null,
    otlpUrl,
    tracesUrl: null,
    traceRatio: TRACE_RATIO_DEFAULT,
  };
  const role = await composeRole(process, openRoleLogger({ ...process, logLevel: 'warn' }));
  return embeddedDatasetPort({ ...role, gateway: role.gateway! });
}
