/**
 * What must be read before a batch of one shard can be folded. Pure; reads are few: keys of idempotent entries and of control entries that speak of one, and
 * rows only for expected versions and aggregates.
 */
import type { FoldConfiguration } from '../configuration/fold-configuration.js';
import type { KeyHash } from '../identity/identity.js';
import type { DecodedEntry } from './decoded-entry.js';
import type { Reads } from './state.js';

/** @param configuration the shard's active one; null before genesis. */
export function plan(entries: Iterable<DecodedEntry>, configuration: FoldConfiguration | null): Reads {
  const outcomes = new Set<KeyHash>();
  const rows = new Set<string>();
  const readsAllRows = configuration?.projector.kind === 'aggregate';
  for (const entry of entries) {
    if (entry.kind === 'control' && 'key' in entry.body) outcomes.add(entry.body.key);
    if (entry.kind !== 'data') continue;
    if (entry.header.idempotency !== null) outcomes.add(entry.header.idempotency.key);
    for (const event of entry.events) {
      if (readsAllRows || event.expectedVersion !== null) rows.add(event.key);
    }
  }
  return { outcomes, rows };
}
