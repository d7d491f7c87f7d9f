/**
 * The tour that `npm start` gives: one account opened in one region, its receipt climbing through the stages, and the
 * same row in every database. A tour that fails says how far it came; the cluster goes on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { ClusterFile } from './cluster-file.js';

interface Receipt {
  readonly outcome: string;
  readonly stage: string | null;
  readonly shard: string;
  readonly sequence?: number;
  readonly code?: string;
  readonly stages: Readonly<
    Record<
      string,
      { readonly at: string; readonly region?: string; readonly regions?: readonly string[] } | undefined
    >
  >;
}

const STAGES = ['logged', 'accepted', 'quorum', 'everywhere'] as const;
const WRITE_MS_MAX = 10_000;
const ROW_MS_MAX = 5_000;
const DATASET = 'accounts';

export async function guideThroughWrite(options: {
  readonly cluster: ClusterFile;
  readonly region: string;
  /** Fresh, so that the tour works on kept data too. */
  readonly number: number;
  say(line: string): void;
}): Promise<void> {
  const { cluster, region, say } = options;
  const key = `${region}:guide-${options.number}`;
  const idempotencyKey = `guide-${options.number}-${Date.now().toString(36)}`;
  const gateway = cluster.regions[region]?.gateway as string;

  say(
    `A write: ${key} is opened through the gateway of ${region}, and we ask to wait until every region has it.`,
  );
  say(`  POST ${gateway}/v1/datasets/${DATASET}/entries`);
  const sentMs = Date.now();
  const answer = await fetch(`${gateway}/v1/datasets/${DATASET}/entries`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
    body: JSON.stringify({
      events: [{ key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } }],
      ack: 'everywhere',
      timeoutMs: WRITE_MS_MAX,
    }),
    signal: AbortSignal.timeout(WRITE_MS_MAX + 5_000),
  });
  if (answer.status !== 200 && answer.status !== 202)
    throw new Error(`The gateway answered ${answer.status}: ${await answer.text()}`);
  const first = (await answer.json()) as Receipt;
  say(
    `  ${answer.status} after ${Date.now() - sentMs} ms: ${first.outcome}${first.sequence === undefined ? '' : `, sequence ${first.sequence} of ${first.shard}`}`,
  );

  say('Its receipt can be asked for again at any time:');
  const address = `${gateway}/v1/datasets/${DATASET}/receipts/${encodeURIComponent(idempotencyKey)}`;
  say(`  GET ${address}`);
  const asked = await fetch(`${address}?wait=everywhere&timeoutMs=${WRITE_MS_MAX}`, {
    signal: AbortSignal.timeout(WRITE_MS_MAX + 5_000),
  });
  if (!asked.ok) throw new Error(`The gateway answered ${asked.status}: ${await asked.text()}`);
  const receipt = (await asked.json()) as Receipt;
  for (const stage of STAGES) {
    const reached = receipt.stages[stage];
    const where = reached?.regions?.join(', ') ?? reached?.region ?? '';
    say(
      `  ${stage.padEnd(11)}${reached === undefined ? 'not yet' : `${String(Math.max(0, Date.parse(reached.at) - sentMs)).padStart(5)} ms  ${where}`}`,
    );
  }

  say('The row, from each region’s own Postgres:');
  const rows = await Promise.all(
    Object.entries(cluster.regions).map(async ([name, { postgres }]) => ({
      name,
      row: await readRow(postgres, key),
    })),
  );
  for (const { name, row } of rows)
    say(`  ${name.padEnd(4)} ${row ?? `no row within ${ROW_MS_MAX / 1000} s`}`);
}

async function readRow(url: string, key: string): Promise<string | undefined> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: ROW_MS_MAX,
    query_timeout: ROW_MS_MAX,
  });
  await client.connect();
  try {
    for (const until = performance.now() + ROW_MS_MAX; performance.now() < until; await sleep(50)) {
      const { rows } = await client.query(
        'SELECT id, owner, currency, balance, lockstep_version FROM accounts WHERE id = $1',
        [key],
      );
      if (rows.length > 0)
        return Object.entries(rows[0] as object)
          .map(([name, value]) => `${name}=${value}`)
          .join('  ');
    }
    return undefined;
  } finally {
    await client.end();
  }
}
