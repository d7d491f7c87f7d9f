/**
 * Makes unknown writes definite: asks for the receipt of each that has a key, by the address that its answer named, or by
 * one that is made like it. After the write's deadline a gateway settles the key in the log, so that the answer is final.
 *
 * Any gateway may answer; one that cannot now is followed by the next, until the time is over.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { routeKey, shardName, type Receipt } from '@lockstep/protocol';
import type { AskedAgain, RunLine, Write } from '@lockstep/testing/history';
import type { DeployedDataset } from './fold-configurations.js';
import type { GatewayAddress } from './quiet-cluster.js';

const CONCURRENT_MAX = 16;
const PAUSE_MS = 250;
const RECEIPT_WAIT_MS = 10_000;
/** Beyond what the gateway was asked to wait. */
const ANSWER_GRACE_MS = 5_000;
const PROGRESS_MS = 5_000;
/** The recorder's clock stands for the gateway's; past this, no attempt of the write is under way any more. */
const DEADLINE_MARGIN_MS = 1_000;

export interface Asking {
  readonly writes: readonly Write[];
  readonly run: RunLine;
  readonly gateways: readonly GatewayAddress[];
  readonly datasets: readonly DeployedDataset[];
  readonly withinMs: number;
  readonly say: (line: string) => void;
}

/** By the ordinal of each write's first operation; keyless writes are left out, nobody can ask for them. */
export async function askAgain(asking: Asking): Promise<ReadonlyMap<number, AskedAgain>> {
  const untilMs = performance.now() + asking.withinMs;
  const answers = new Map<number, AskedAgain>();
  const waiting = asking.writes.filter(({ key }) => key !== null);
  const count = waiting.length;
  let saidMs = performance.now();
  const askNext = async (): Promise<void> => {
    for (let write = waiting.pop(); write !== undefined; write = waiting.pop()) {
      answers.set(write.operations[0]!.invoke.op, await askFor(write, asking, untilMs));
      if (performance.now() - saidMs < PROGRESS_MS) continue;
      saidMs = performance.now();
      asking.say(`  ${answers.size} of ${count} are definite or given up`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENT_MAX, count) }, askNext));
  return answers;
}

async function askFor(write: Write, asking: Asking, untilMs: number): Promise<AskedAgain> {
  const address = addressOf(write, asking);
  if (address === null) return { kind: 'open', reason: 'no shard for its keys' };
  const { region } = write.operations[0]!.invoke;
  const gateways = asking.gateways.toSorted(
    (x, y) => Number(y.region === region) - Number(x.region === region),
  );
  let answer: AskedAgain = { kind: 'open', reason: 'not asked in time' };
  for (let turn = 0; performance.now() < untilMs; turn += 1) {
    answer = await askOnce(gateways[turn % gateways.length]!.url, address);
    if (answer.kind !== 'open') break;
    await sleep(PAUSE_MS);
  }
  return answer;
}

async function askOnce(gateway: string, address: string): Promise<AskedAgain> {
  try {
    const response = await fetch(`${gateway}${address}&wait=accepted&timeoutMs=${RECEIPT_WAIT_MS}`, {
      signal: AbortSignal.timeout(RECEIPT_WAIT_MS + ANSWER_GRACE_MS),
    });
    const body = (await response.json()) as Receipt & { readonly code?: string };
    if (response.ok && body.outcome !== 'unknown') return { kind: 'receipt', receipt: body };
    if (body.code === 'never-or-expired') return { kind: 'never' };
    return { kind: 'open', reason: `${response.status} ${body.code ?? body.outcome}` };
  } catch (error) {
    return { kind: 'open', reason: (error as Error).name };
  }
}

/** Path and query, without what is asked of the answer. */
function addressOf({ dataset, key, operations }: Write, { run, datasets }: Asking): string | null {
  const told = operations.flatMap(({ end }) => end?.location ?? []).at(-1);
  if (told !== undefined) return told;
  const deployed = datasets.find(({ content }) => content.dataset === dataset);
  if (deployed === undefined) return null;
  const { dataset: name, groups } = deployed.content;
  const route = routeKey(groups, operations[0]!.invoke.events[0]?.key ?? '');
  if (route.kind !== 'shard') return null;
  const shard = encodeURIComponent(shardName(name, route.partition));
  const endsMs = operations.map(({ invoke: { t, timeoutMs } }) => t / 1e6 + timeoutMs);
  const deadlineMs = Math.ceil(Date.parse(run.startedAt) + Math.max(...endsMs) + DEADLINE_MARGIN_MS);
  return `/v1/datasets/${dataset}/receipts/${encodeURIComponent(key!)}?shard=${shard}&deadline=${deadlineMs}`;
}
