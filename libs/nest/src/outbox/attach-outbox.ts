/** The outbox of a service's own data source, with keys under which gateways find its receipts. */
import { Outbox } from '@lockstep/postgres';
import { PRINCIPAL } from '../http/principal.js';
import { nodeIdentities } from '../world/node-world.js';

/** Once for each data source of the region's database, before the first change of a replicated entity. */
export const attachOutbox = (source: Parameters<typeof Outbox.attach>[0]): Outbox =>
  Outbox.attach(source, { identities: nodeIdentities(), principal: PRINCIPAL });
