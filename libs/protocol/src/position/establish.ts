/**
 * What the home does for a shard that its catalogue names: begin its log, or activate another configuration. Decided
 * from what this region has folded, so that two coordinators at once do no harm: the second entry is `superseded`.
 */
import type { ControlBody } from '../entry/body.js';
import type { ConfigurationHash, LogIncarnation, RegionName } from '../identity/identity.js';
import type { Cursor } from '../fold/state.js';

export type Establishment =
  | { readonly kind: 'append'; readonly body: Extract<ControlBody, { kind: 'genesis' | 'configuration' }> }
  | { readonly kind: 'established' }
  | { readonly kind: 'wait'; readonly reason: string };

export function decideEstablishment(question: {
  readonly region: RegionName;
  /** Null when this region has no cursor of the shard yet. */
  readonly cursor: Cursor | null;
  /** True when this region has folded the log to its end. */
  readonly caughtUp: boolean;
  readonly catalogue: { readonly home: RegionName; readonly configuration: ConfigurationHash };
  /** For a new log. */
  readonly logIncarnation: LogIncarnation;
}): Establishment {
  const { catalogue, caughtUp, cursor, logIncarnation, region } = question;
  if (cursor === null) return { kind: 'wait', reason: 'the replicator has not taken the shard yet' };
  if (!caughtUp) return { kind: 'wait', reason: 'the log is not folded to its end yet' };
  if (cursor.logIncarnation === null) {
    const { configuration, home } = catalogue;
    if (home !== region) return { kind: 'wait', reason: `the home ${home} begins the log` };
    return { kind: 'append', body: { kind: 'genesis', logIncarnation, home, configuration } };
  }
  if (
    cursor.home !== region ||
    cursor.configuration === null ||
    cursor.configuration === catalogue.configuration
  ) {
    return { kind: 'established' };
  }
  const { configuration } = catalogue;
  return { kind: 'append', body: { kind: 'configuration', expected: cursor.configuration, configuration } };
}
