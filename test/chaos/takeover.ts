/** How long a region's shards stand still when the replicator that holds them is killed, measured in its database. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { write, type LocalCluster, type Region } from '../e2e/local-cluster.js';

const LOOK_MS = 5;
const TAKEOVER_MS_MAX = 60_000;

interface Looked {
  readonly lease: bigint;
  readonly sequence: bigint;
  readonly holder: string | null;
}

export interface Takeover {
  /** From the kill until the lease has a new number. */
  readonly claimedMs: number;
  /** From the kill until the first commit under that number is seen. */
  readonly committedMs: number;
}

/**
 * Kills, while entries are appended to the shard of `key` one after the other, and waits for the first commit under a
 * new lease. What is measured is never too short: a commit that was made before the claim was seen does not count.
 */
export async function measureTakeover(
  cluster: LocalCluster,
  options: {
    readonly region: Region;
    readonly shard: string;
    readonly key: string;
    /** Told who holds the lease at that moment, as the lease names it. */
    readonly kill: (holder: string) => unknown;
  },
): Promise<Takeover> {
  const client = new pg.Client({ connectionString: cluster.file.regions[options.region]!.postgres });
  await client.connect();
  const look = async (): Promise<Looked> => {
    const { rows } = await client.query<{ lease: string; sequence: string; holder: string | null }>(
      'select lease_number as lease, sequence, holder from lockstep.cursor join lockstep.lease using (shard) where shard = $1',
      [options.shard],
    );
    const { holder, lease, sequence } = rows[0]!;
    return { lease: BigInt(lease), sequence: BigInt(sequence), holder };
  };
  const { sequence } = await look();
  let over = false;
  const writing = (async () => {
    while (!over) {
      await write(
        cluster,
        'us',
        'accounts',
        { events: [{ key: options.key, type: 'credited', data: { amount: 1 } }], ack: 'logged' },
        randomUUID(),
      );
    }
  })();
  try {
    let before = await look();
    for (; before.sequence === sequence || before.holder === null; before = await look())
      await delay(LOOK_MS);
    const killedMs = performance.now();
    options.kill(before.holder);
    let claimed: { readonly sequence: bigint; readonly ms: number } | null = null;
    for (;;) {
      const now = await look();
      const ms = performance.now() - killedMs;
      if (claimed === null && now.lease > before.lease) claimed = { sequence: now.sequence, ms };
      else if (claimed !== null && now.sequence > claimed.sequence)
        return { claimedMs: Math.round(claimed.ms), committedMs: Math.round(ms) };
      if (ms > TAKEOVER_MS_MAX) throw new Error(`nobody took ${options.shard} over within ${ms} ms`);
      await delay(LOOK_MS);
    }
  } finally {
    over = true;
    await writing;
    await client.end();
  }
}
