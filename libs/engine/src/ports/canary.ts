/**
 * Asks another region to do its work once: a strong read through its gateway, which stands behind an entry that the gateway
 * appends, and that the region's own fold and store have taken in.
 *
 * Promises: one attempt; always an answer, at the latest a moment after the time-out.
 */
import type { DatasetName, RegionName } from '@lockstep/protocol';

export interface Canary {
  ask(region: RegionName, read: CanaryRead): Promise<CanaryAnswer>;
}

export interface CanaryRead {
  readonly dataset: DatasetName;
  /** Of a row that need not exist. */
  readonly key: string;
  readonly timeoutMs: number;
}

export type CanaryAnswer =
  | { readonly kind: 'answered' }
  /** Its gateway is there, and says that it cannot. */
  | { readonly kind: 'refused'; readonly detail: string }
  | { readonly kind: 'failed'; readonly detail: string };
