/** Waits until every gateway says that all regions have folded every shard to the same place, with nothing behind it. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface GatewayAddress {
  readonly region: string;
  readonly url: string;
}

interface ShardDescription {
  readonly shard: string;
  readonly regions: {
    readonly [region: string]: {
      readonly sequence: number;
      readonly lagRecords: number | null;
      readonly halted: { readonly code: string } | null;
    } | null;
  };
}

const ASK_AGAIN_MS = 200;
const ANSWER_MS_MAX = 5_000;
const PROGRESS_MS = 5_000;
const REASONS_MAX = 5;

/** @returns what is in the way when the time is over; empty when the cluster is quiet. */
export async function untilQuiet(
  gateways: readonly GatewayAddress[],
  withinMs: number,
  say: (line: string) => void,
): Promise<readonly string[]> {
  const untilMs = performance.now() + withinMs;
  let saidMs = performance.now();
  for (;;) {
    const reasons = (await Promise.all(gateways.map(unrestAt))).flat();
    if (reasons.length === 0) return [];
    const nowMs = performance.now();
    if (nowMs >= untilMs) return reasons.slice(0, REASONS_MAX);
    if (nowMs - saidMs >= PROGRESS_MS) {
      saidMs = nowMs;
      say(`  not yet: ${reasons[0]}${reasons.length === 1 ? '' : `, and ${reasons.length - 1} more`}`);
    }
    await sleep(ASK_AGAIN_MS);
  }
}

async function unrestAt({ region, url }: GatewayAddress): Promise<readonly string[]> {
  let shards: readonly ShardDescription[];
  try {
    const response = await fetch(`${url}/v1/shards`, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    if (!response.ok) return [`the gateway of ${region} answers ${response.status}`];
    ({ shards } = (await response.json()) as { shards: readonly ShardDescription[] });
  } catch {
    return [`the gateway of ${region} does not answer`];
  }
  return shards.flatMap((shard) => unrestOf(shard).map((reason) => `${reason} (as ${region} sees it)`));
}

function unrestOf({ shard, regions }: ShardDescription): readonly string[] {
  const told = Object.entries(regions);
  const highest = Math.max(...told.map(([, state]) => state?.sequence ?? 0));
  return told.flatMap(([region, state]) => {
    if (state === null) return [`${region} has told nothing of ${shard}`];
    if (state.halted !== null) return [`${shard} is halted in ${region}: ${state.halted.code}`];
    if (state.sequence < highest) return [`${region} is ${highest - state.sequence} behind on ${shard}`];
    return state.lagRecords === 0 ? [] : [`${region} has not read ${shard} to its end`];
  });
}
