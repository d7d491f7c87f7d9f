/**
 * What one process does, once it is composed: the answers behind its HTTP routes. A part that is absent belongs to a
 * role that this process does not have.
 */
import type { Subscription } from '@lockstep/engine';
import type { CoordinatorApi } from '../http/coordinator-api.js';
import type { GatewayApi } from '../http/gateway-api.js';
import type { HealthApi } from '../http/health-api.js';

export interface Role {
  readonly gateway?: GatewayApi;
  readonly coordinator?: CoordinatorApi;
  readonly health: HealthApi;
  /** Prometheus exposition format. */
  metricsText(): Promise<string>;
  /** A request was refused that no part of the role has seen. */
  refused(status: number, code: string): void;
  /** A replicator's stream. @param publisherPrefix 16 hex digits; null for no verdicts. */
  openStream?(publisherPrefix: string | null): Subscription;
  /** Ends every loop and gives up leases; bounded. */
  close(): Promise<void>;
}
