/**
 * The Canary port over HTTP: a strong read of a row, each on a connection of its own kind of pool, so that a canary never waits
 * behind the writes that gateways forward.
 */
import type { Canary } from '@lockstep/engine';
import { isCanaryAnswered, type RegionName } from '@lockstep/protocol';

/** The gateway answers at its time-out; this is for that answer's way. */
const ANSWER_GRACE_MS = 200;

/** @param addresses base URL of a gateway by region. */
export function httpCanary(addresses: ReadonlyMap<RegionName, string>): Canary {
  return {
    ask: async (region, { dataset, key, timeoutMs }) => {
      const path = `/v1/datasets/${encodeURIComponent(dataset)}/rows/${encodeURIComponent(key)}`;
      const query = `consistency=strong&timeoutMs=${timeoutMs}`;
      try {
        const response = await fetch(new URL(`${path}?${query}`, addresses.get(region)), {
          signal: AbortSignal.timeout(timeoutMs + ANSWER_GRACE_MS),
        });
        await response.body?.cancel();
        if (isCanaryAnswered(response.status)) return { kind: 'answered' };
        return { kind: 'refused', detail: `it answered ${response.status}` };
      } catch (error) {
        const { cause, message } = error as Error;
        return { kind: 'failed', detail: cause instanceof Error ? cause.message : message };
      }
    },
  };
}
