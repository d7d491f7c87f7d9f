/**
 * How long a shard takes no writes while its home is moved by an operator's word, over a wide area and under load; and whether
 * anything was refused, lost or done twice meanwhile.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { call, REGIONS, write, type LocalCluster, type Region } from '../e2e/local-cluster.ts';
import { spread, type Benchmark, type Context, type Figure } from './benchmark.ts';
import { quantile } from './critical-writes.ts';

const DELAY_MS = 20;
const CALLERS_PER_REGION = 3;
const REST_MS = 700;
const ROUND_TRIPS = 5;
const BESIDE_MS = 200;
const GROUP = 'eu:switchover';

export const switchover = ofBrokers('switchover', 'one broker', [], 50);
/** The log's leader goes along, so that every reader and publisher of the shard loses it. */
export const switchoverWithLeader = ofBrokers(
  'switchover-with-leader',
  'three brokers, one in each region',
  ['--brokers', '3'],
  18,
);

function ofBrokers(name: string, brokers: string, options: readonly string[], moves: number): Benchmark {
  return {
    name,
    profile: `Three regions with ${DELAY_MS} ms one way between them, ${brokers}, three databases and all roles on one machine. \
${CALLERS_PER_REGION} callers beside each gateway write accounts of one shard, ack quorum, each with an account of its own and the \
next write behind the answer; the shard's home moves ${moves} times round the regions, ${REST_MS} ms apart. Gap: the longest time \
around a move in which no write was acknowledged.`,
    run: async ({ cluster, say }) =>
      measure(say, await cluster(['--wan', String(DELAY_MS), ...options]), moves),
  };
}

interface Acknowledged {
  readonly atMs: number;
  readonly tookMs: number;
}

interface Trial {
  readonly gapMs: number;
  readonly moveMs: number;
  /** From `parked` to `folded`, as the control log tells it. */
  readonly heldMs: number;
  /** From `fencing` to `fenced`. */
  readonly fencedMs: number;
}

async function measure(
  say: Context['say'],
  cluster: LocalCluster,
  moves: number,
): Promise<readonly Figure[]> {
  const callers = REGIONS.flatMap((via) =>
    Array.from({ length: CALLERS_PER_REGION }, (_, caller) => ({ via, key: `${GROUP}/${via}-${caller}` })),
  );
  let shard = '';
  for (const { key, via } of callers) {
    const events = [{ key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } }];
    const opened = await write(cluster, via, 'accounts', { events, ack: 'everywhere', timeoutMs: 20_000 });
    if (opened.status !== 200) throw new Error(`an account was not opened: ${JSON.stringify(opened.body)}`);
    ({ shard } = opened.body as { shard: string });
  }
  const acknowledged: Acknowledged[] = [];
  const accepted = new Map<string, number>();
  let refused = 0;
  let isOver = false;
  const loops = callers.map(async ({ key, via }) => {
    while (!isOver) {
      const startMs = performance.now();
      const events = [{ key, type: 'credited', data: { amount: 1 } }];
      const { status } = await write(cluster, via, 'accounts', { events, ack: 'quorum', timeoutMs: 20_000 });
      const atMs = performance.now();
      if (status === 200) {
        acknowledged.push({ atMs, tookMs: atMs - startMs });
        accepted.set(key, (accepted.get(key) ?? 0) + 1);
      } else refused += 1;
    }
  });
  await pause(3_000);
  const quietMs = quantile(
    acknowledged.map(({ tookMs }) => tookMs),
    0.5,
  );
  const usualGapMs = longestGap(acknowledged, 0, performance.now());
  const trials: Trial[] = [];
  for (let trial = 0; trial < moves; trial += 1) {
    trials.push(await oneMove(cluster, shard, REGIONS[(trial + 1) % REGIONS.length]!, acknowledged));
    if ((trial + 1) % 10 === 0)
      say(`${trial + 1}/${moves} moves, gap p50 ${Math.round(quantile(gaps(trials), 0.5))} ms`);
  }
  isOver = true;
  await Promise.all(loops);
  const differing = await differences(cluster, accepted);
  const goalMs = ROUND_TRIPS * 2 * DELAY_MS + BESIDE_MS;
  return [
    { name: 'longest gap of a move', unit: 'ms', ...spread(gaps(trials)) },
    {
      name: `(${ROUND_TRIPS} round trips + ${BESIDE_MS} ms) / p50 of the longest gap`,
      unit: 'ratio',
      ...spread([goalMs / quantile(gaps(trials), 0.5)]),
      goal: 1,
    },
    {
      name: '1 s / p99 of the longest gap',
      unit: 'ratio',
      ...spread([1_000 / quantile(gaps(trials), 0.99)]),
      goal: 1,
    },
    { name: 'longest gap without a move', unit: 'ms', ...spread([usualGapMs]) },
    { name: 'p50 of a write without a move', unit: 'ms', ...spread([quietMs]) },
    { name: 'from parked to folded', unit: 'ms', ...spread(trials.map(({ heldMs }) => heldMs)) },
    { name: 'from fencing to fenced', unit: 'ms', ...spread(trials.map(({ fencedMs }) => fencedMs)) },
    { name: 'a whole move', unit: 'ms', ...spread(trials.map(({ moveMs }) => moveMs)) },
    { name: 'writes acknowledged', unit: 'writes', ...spread([acknowledged.length]) },
    { name: 'writes answered otherwise', unit: 'writes', ...spread([refused]) },
    { name: 'accounts that differ from what was acknowledged', unit: 'accounts', ...spread([differing]) },
  ];
}

const gaps = (trials: readonly Trial[]): readonly number[] => trials.map(({ gapMs }) => gapMs);

async function oneMove(
  cluster: LocalCluster,
  shard: string,
  to: Region,
  acknowledged: readonly Acknowledged[],
): Promise<Trial> {
  const startMs = performance.now();
  const answer = await call(`${cluster.file.regions[to]!.coordinator}/v1/shards/${shard}/switchover`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ to, reason: 'a measurement', timeoutMs: 20_000 }),
  });
  const endMs = performance.now();
  if (answer.status !== 200) throw new Error(`a move ended with ${JSON.stringify(answer.body)}`);
  await pause(REST_MS);
  const { stages } = answer.body as { stages: readonly { stage: string; at: string }[] };
  const at = (wanted: string): number => Date.parse(stages.find(({ stage }) => stage === wanted)!.at);
  return {
    gapMs: longestGap(acknowledged, startMs, performance.now()),
    moveMs: endMs - startMs,
    heldMs: at('folded') - at('parked'),
    fencedMs: at('fenced') - at('fencing'),
  };
}

/** Between two acknowledgements that follow each other, both in that time. */
function longestGap(acknowledged: readonly Acknowledged[], fromMs: number, toMs: number): number {
  const times = acknowledged.map(({ atMs }) => atMs).filter((atMs) => atMs >= fromMs && atMs <= toMs);
  return times.reduce((longest, atMs, index) => Math.max(longest, atMs - (times[index - 1] ?? atMs)), 0);
}

/** How many accounts hold another balance than the credits that were acknowledged, in any region. */
async function differences(cluster: LocalCluster, accepted: ReadonlyMap<string, number>): Promise<number> {
  await pause(2_000);
  let differing = 0;
  for (const region of REGIONS) {
    const rows = await cluster.sql(region, 'select id, balance from accounts where id = any($1)', [
      [...accepted.keys()],
    ]);
    for (const [key, credits] of accepted)
      if (Number(rows.find(({ id }) => id === key)?.['balance']) !== credits) differing += 1;
  }
  return differing;
}
