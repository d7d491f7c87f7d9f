/**
 * Waits until every gateway says that all regions have folded every shard to its end. The end of a shard is where it is seen first: what
 * a cluster appends behind it by itself, as canaries do all the time, is not waited for.
 */
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
/** Where something is appended all the time, what the load sent last may come among it for so long. */
const LATE_MS = 2_000;
const REASONS_MAX = 5;

export interface Rest {
  /** What is in the way when the time is over; empty when the cluster is quiet. */
  readonly unrest: readonly string[];
  /** By shard, the sequence up to which every region has folded it; of shards whose end was seen. */
  readonly ends: ReadonlyMap<string, bigint>;
}

export async function untilQuiet(
  gateways: readonly GatewayAddress[],
  withinMs: number,
  say: (line: string) => void,
): Promise<Rest> {
  const begunMs = performance.now();
  const ends = new Map<string, bigint>();
  let saidMs = begunMs;
  for (;;) {
    const answers = await Promise.all(
      gateways.map(async (gateway) => ({ gateway, told: await ask(gateway) })),
    );
    for (const { told } of answers)
      if (typeof told !== 'string') for (const shard of told) noteEnd(ends, shard);
    const reasons = answers.flatMap(({ gateway: { region }, told }) =>
      typeof told === 'string'
        ? [told]
        : told.flatMap((shard) => unrestOf(shard, ends).map((reason) => `${reason} (as ${region} sees it)`)),
    );
    const nowMs = performance.now();
    const isStill = answers.every(({ told }) => typeof told !== 'string' && told.every(isAtRest));
    if (reasons.length === 0 && (isStill || nowMs >= begunMs + LATE_MS)) return { unrest: [], ends };
    if (nowMs >= begunMs + withinMs && reasons.length > 0)
      return { unrest: reasons.slice(0, REASONS_MAX), ends };
    if (reasons.length > 0 && nowMs - saidMs >= PROGRESS_MS) {
      saidMs = nowMs;
      say(`  not yet: ${reasons[0]}${reasons.length === 1 ? '' : `, and ${reasons.length - 1} more`}`);
    }
    await sleep(ASK_AGAIN_MS);
  }
}

/** What is wrong where it tells nothing. */
async function ask({ region, url }: GatewayAddress): Promise<readonly ShardDescription[] | string> {
  try {
    const response = await fetch(`${url}/v1/shards`, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    if (!response.ok) return `the gateway of ${region} answers ${response.status}`;
    return ((await response.json()) as { shards: readonly ShardDescription[] }).shards;
  } catch {
    return `the gateway of ${region} does not answer`;
  }
}

/** Everywhere the same, with nothing behind it. */
function isAtRest({ regions }: ShardDescription): boolean {
  const told = Object.values(regions);
  return told.every((state) => state?.lagRecords === 0 && state.sequence === told[0]!.sequence);
}

/** Once every region knows how much of it lies before it. */
function noteEnd(ends: Map<string, bigint>, { regions, shard }: ShardDescription): void {
  if (ends.has(shard)) return;
  const told = Object.values(regions);
  const seen = told.map((state) =>
    state === null || state.lagRecords === null ? null : state.sequence + state.lagRecords,
  );
  if (seen.every((end) => end !== null)) ends.set(shard, BigInt(Math.max(...seen)));
}

function unrestOf(
  { shard, regions }: ShardDescription,
  ends: ReadonlyMap<string, bigint>,
): readonly string[] {
  const end = ends.get(shard) ?? null;
  return Object.entries(regions).flatMap(([region, state]) => {
    if (state === null) return [`${region} has told nothing of ${shard}`];
    if (state.halted !== null) return [`${shard} is halted in ${region}: ${state.halted.code}`];
    if (end === null)
      return state.lagRecords === null
        ? [`${region} does not know how much of ${shard} it has not read`]
        : [];
    const behind = Number(end) - state.sequence;
    return behind > 0 ? [`${region} is ${behind} behind on ${shard}`] : [];
  });
}
